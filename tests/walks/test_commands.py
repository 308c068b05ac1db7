"""The commands of the guides that the shown walks leave out, with the unmodified client."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.inside import Speaker
from tests.walks.clouds import CommandCloud, QuickClient

pytestmark = [pytest.mark.walk, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def openstack(emulated: CommandCloud) -> Iterator[QuickClient]:
    client = emulated.client()
    yield client
    client.close()


def test_what_there_is(openstack: QuickClient, emulated: CommandCloud) -> None:
    """W1: the lists that are looked at first."""
    assert {row["Name"] for row in openstack.rows("user", "list")} >= {"admin", "demo"}
    services = {row["Type"]: row["Name"] for row in openstack.rows("service", "list")}
    assert (
        services.items()
        >= {
            "identity": "keystone",
            "image": "glance",
            "compute": "nova",
            "network": "neutron",
            "placement": "placement",
        }.items()
    )
    assert {row["Type"] for row in openstack.rows("catalog", "list")} == set(services)
    endpoints = openstack.rows("endpoint", "list")
    assert {row["Interface"] for row in endpoints} == {"public", "internal", "admin"}
    ports = emulated.ports
    assert f"http://127.0.0.1:{ports['compute']}/v2.1" in {row["URL"] for row in endpoints}
    binaries = {row["Binary"]: row for row in openstack.rows("compute", "service", "list")}
    assert binaries.keys() == {"nova-compute", "nova-scheduler", "nova-conductor"}
    assert {row["State"] for row in binaries.values()} == {"up"}
    [host] = openstack.rows("hypervisor", "list")
    assert (host["Hypervisor Hostname"], host["State"]) == ("node1", "up")
    agents = openstack.rows("network", "agent", "list")
    assert {row["Binary"] for row in agents} >= {"ovn-controller"}
    assert all(row["Alive"] for row in agents)


def test_networks_of_every_kind(openstack: QuickClient) -> None:
    """W2: networks that are named, laid on VLANs and tunnels, and a port at a fixed address."""

    def make(name: str, *options: str) -> dict[str, Any]:
        return openstack.show("network", "create", name, *options)

    hidden = make("ctf-net", "--no-share", "--provider-network-type", "vxlan")
    assert (hidden["shared"], hidden["provider:network_type"]) == (False, "vxlan")
    front = make("frontend_net", "--provider-network-type", "vlan")
    assert 1000 <= front["provider:segmentation_id"] <= 2000
    openstack.run("network", "set", "--share", "frontend_net")
    openstack.run("network", "set", "--no-share", "frontend_net")
    assert openstack.show("network", "show", "frontend_net")["shared"] is False
    where = ["--network", "ctf-net", "--subnet-range", "10.12.0.0/16"]
    openstack.run("subnet", "create", *where, "ctf-subnet")
    openstack.run("port", "create", "--network", "ctf-net", "gate")
    openstack.run("port", "unset", "--fixed-ip", _fixed(openstack), "gate")
    wanted = "subnet=ctf-subnet,ip-address=10.12.0.1"
    openstack.run("port", "set", "--fixed-ip", wanted, "gate")
    [address] = openstack.show("port", "show", "gate")["fixed_ips"]
    assert address["ip_address"] == "10.12.0.1"
    openstack.run("port", "delete", "gate")
    openstack.run("network", "delete", "ctf-net", "frontend_net")


def _fixed(openstack: QuickClient) -> str:
    [one] = openstack.show("port", "show", "gate")["fixed_ips"]
    return f"subnet={one['subnet_id']},ip-address={one['ip_address']}"


def test_files_by_which_clients_log_in(emulated: CommandCloud) -> None:
    assert emulated.environment("admin")["OS_IDENTITY_API_VERSION"] == "3"
    client = QuickClient({"OS_CLIENT_CONFIG_FILE": str(emulated.state / "clouds.yaml")})
    try:
        for name, user in (("cumulo", "admin"), ("cumulo-demo", "demo")):
            found = client.show("--os-cloud", name, "configuration", "show")
            assert found["auth.username"] == user
            assert client.show("--os-cloud", name, "token", "issue")["project_id"]
    finally:
        client.close()


def test_by_hand(emulated: CommandCloud) -> None:
    """W3: what is typed with curl, to a server that is there."""
    with urllib.request.urlopen(f"http://127.0.0.1:{emulated.ports['identity']}/v3") as told:
        assert json.loads(told.read())["version"]["status"] == "stable"
    speak = Speaker(emulated)  # logs in by POST /v3/auth/tokens, as the walk does
    images = speak("GET", "image", "/v2/images")
    assert images.status == 200
    record = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
    image = speak.make("image", "/v2/images", record)["id"]
    kind = {"Content-Type": "application/octet-stream"}
    sent = speak("PUT", "image", f"/v2/images/{image}/file", body=b"disk" * 1024, headers=kind)
    assert sent.status == 204
    flavor = speak("GET", "compute", "/v2.1/flavors").json()["flavors"][0]["id"]
    wanted = {"name": "demo", "imageRef": image, "flavorRef": flavor}
    answer = speak("POST", "compute", "/v2.1/servers", {"server": wanted})
    assert answer.status == 202
    server_id = answer.json()["server"]["id"]
    assert answer.headers["location"].endswith(f"/v2.1/servers/{server_id}")
    speak.await_status(server_id, "ACTIVE")
    assert speak.server(server_id)["name"] == "demo"
    speak.delete("compute", f"/v2.1/servers/{server_id}")
    speak.await_status(server_id, "gone")
    speak.delete("image", f"/v2/images/{image}")
