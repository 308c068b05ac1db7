"""Fifty guests that boot at once, each of which asks as often as cloud-init does."""

import http.client
import sys
import threading
import time
from typing import Any

import pytest

from cumulo.cli.state import State
from cumulo.node.signatures import NETWORK, PEER, SIGNATURE, sign
from tests.chaos.inside import Speaker
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud

pytestmark = [pytest.mark.walk, pytest.mark.timeout(180)]
GUESTS = 50
# What cloud-init asks for, OpenStack's way and then EC2's.
PATHS = (
    "/openstack",
    *(f"/openstack/2018-08-27/{name}.json" for name in ("meta_data", "vendor_data")),
    *(f"/openstack/2018-08-27/{name}.json" for name in ("network_data", "vendor_data2")),
    "/openstack/2018-08-27/user_data",
    "/2009-04-04/meta-data/",
    *(f"/2009-04-04/meta-data/{name}" for name in ("instance-id", "hostname", "local-ipv4")),
    *(
        f"/2009-04-04/meta-data/{name}"
        for name in ("ami-id", "placement/", "block-device-mapping/")
    ),
    "/openstack/latest/meta_data.json",
)


class Crowd:
    """Guests of one network, as their host vouches for them."""

    def __init__(self, cloud: CommandCloud, network: str) -> None:
        self._secret = State(cloud.state).passwords().metadata.encode()
        self._port, self._network = cloud.ports["metadata"], network
        self.told: dict[str, str] = {}  # address -> uuid
        self.seconds: list[float] = []

    def boot(self, address: str, begin: threading.Barrier) -> None:
        """Ask for everything, over one connection."""
        signature = sign(self._secret, self._network, address)
        headers = {NETWORK: self._network, PEER: address, SIGNATURE: signature}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        begin.wait()
        began = time.monotonic()
        for path in PATHS:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status in (200, 404), (path, answer.status, body)
        self.seconds.append(time.monotonic() - began)
        self.told[address] = body.decode().partition('"uuid":"')[2].partition('"')[0]
        connection.close()


def booted(speak: Speaker) -> tuple[str, dict[str, str]]:
    """Boot them all; return their network and, by address, their ids."""
    kind = {"Content-Type": "application/octet-stream"}
    image = speak.make("image", "/v2/images", {"disk_format": "raw", "container_format": "bare"})
    file = f"/v2/images/{image['id']}/file"
    assert speak("PUT", "image", file, body=bytes(4096), headers=kind).status == 204
    network = speak.make("network", "/v2.0/networks", {"network": {"name": "crowd"}})["id"]
    subnet = {"network_id": network, "cidr": "10.7.0.0/24", "ip_version": 4}
    speak.make("network", "/v2.0/subnets", {"subnet": subnet})
    flavor = {"name": "crowd", "id": "crowd", "ram": 64, "vcpus": 1, "disk": 1}
    speak.make("compute", "/v2.1/flavors", {"flavor": flavor})
    quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    assert speak("PUT", "compute", f"/v2.1/os-quota-sets/{speak.project()}", quota).status == 200
    many = {"name": "crowd", "flavorRef": "crowd", "imageRef": image["id"], "min_count": GUESTS}
    speak.make("compute", "/v2.1/servers", {"server": {**many, "networks": [{"uuid": network}]}})

    def servers() -> list[dict[str, Any]]:
        return list(speak("GET", "compute", "/v2.1/servers/detail").json()["servers"])

    eventually(lambda: {one["status"] for one in servers()} == {"ACTIVE"}, 90, every_s=0.5)
    return network, {one["addresses"]["crowd"][0]["addr"]: one["id"] for one in servers()}


def test_fifty_guests_at_once_are_each_told_of_themselves(emulated: CommandCloud) -> None:
    network, ids = booted(Speaker(emulated))
    assert len(ids) == GUESTS
    crowd, begin = Crowd(emulated, network), threading.Barrier(GUESTS)
    asking = [threading.Thread(target=crowd.boot, args=(one, begin)) for one in ids]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert crowd.told == ids
    sys.stdout.write(f"the slowest of {GUESTS} had all after {max(crowd.seconds):.2f} s\n")
