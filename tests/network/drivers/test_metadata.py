"""A guest asks 169.254.169.254 and the metadata API learns who asked."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cumulo.node import links
from cumulo.node.api import MetadataPort
from cumulo.node.metadata import OvsMetadata
from cumulo.node.metadata_proxy import HttpUpstream, Proxy
from cumulo.node.signatures import NETWORK, PEER, SIGNATURE, is_signed
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, Site
from tests.guests import Guest
from tests.network.drivers.backends import Boot
from tests.network.drivers.plans import EGRESS, group, network, port, rule, subnet

pytestmark = pytest.mark.real

SECRET = b"known to both"
OPEN = group("open", *EGRESS, rule("ingress", "icmp"))
RED = network("red", subnet("red4", "10.0.0.0/24", metadata_ip="10.0.0.2"))
BLUE = network("blue", subnet("blue4", "10.0.0.0/24", metadata_ip="10.0.0.2"))
PORTS = [
    port(f"meta-{net.name}", net, "10.0.0.2", device_owner="network:distributed")
    for net in (RED, BLUE)
]
WANTED = [
    MetadataPort(network_id=each.network_id, port_id=each.id, mac=each.mac, cidrs=["10.0.0.2/24"])
    for each in PORTS
]


class _Api(BaseHTTPRequestHandler):
    """Says who asked, as far as it believes it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        who = self.headers[NETWORK], self.headers[PEER]
        believed = is_signed(SECRET, *who, self.headers[SIGNATURE])
        text = json.dumps([*who, believed, self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def upstream(site: Site) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def listeners(site: Site, driver: OvnDriver, upstream: str) -> Iterator[OvsMetadata]:
    driver.sync_security_group(OPEN)
    for net, meta in zip((RED, BLUE), PORTS, strict=True):
        driver.sync_network(net)
        driver.sync_port(meta)
    listeners = started(site, upstream)
    yield listeners
    listeners.stop()


def started(site: Site, upstream: str) -> OvsMetadata:
    proxy = Proxy(HttpUpstream(upstream, SECRET))
    listeners = OvsMetadata(site.fabric.switch, proxy, site.directory / "metadata")
    listeners.start()
    return listeners


def ask(guest: Guest, path: str = "/latest/meta-data/") -> object:
    def get() -> object:
        connection = http.client.HTTPConnection("169.254.169.254", 80, timeout=5)
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    return guest.inside(get)


def test_the_network_and_address_of_who_asks_are_known(listeners: OvsMetadata, boot: Boot) -> None:
    for each in WANTED:
        listeners.ensure_metadata(each)
    red = boot(port("vm1", RED, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id]))
    blue = boot(port("vm2", BLUE, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id]))
    for guest in (red, blue):
        guest.boot()
    assert ask(red) == [RED.id, "10.0.0.11", True, "/latest/meta-data/"]
    assert ask(blue) == [BLUE.id, "10.0.0.11", True, "/latest/meta-data/"]
    assert listeners.metadata_networks() == {RED.id, BLUE.id}


def test_ensuring_and_removing_may_be_repeated(listeners: OvsMetadata, site: Site) -> None:
    for _ in range(2):
        listeners.ensure_metadata(WANTED[0])
    assert f"ovnmeta-{RED.id}" in links.namespaces()
    assert WANTED[0].port_id in site.fabric.switch.plugged().values()
    for _ in range(2):
        listeners.remove_metadata(RED.id)
    assert f"ovnmeta-{RED.id}" not in links.namespaces()
    assert site.fabric.switch.plugged() == {}
    assert listeners.metadata_networks() == set()


def test_a_changed_port_is_taken_over(listeners: OvsMetadata, boot: Boot) -> None:
    listeners.ensure_metadata(WANTED[0])
    moved = MetadataPort(
        network_id=RED.id,
        port_id=WANTED[0].port_id,
        mac=WANTED[0].mac,
        cidrs=["10.0.0.2/24", "10.0.1.2/24"],
    )
    listeners.ensure_metadata(moved)
    assert "10.0.1.2/24" in links.addresses("eth0", f"ovnmeta-{RED.id}")
    guest = boot(port("vm1", RED, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id]))
    guest.boot()
    assert ask(guest) == [RED.id, "10.0.0.11", True, "/latest/meta-data/"]


def test_a_lost_namespace_is_made_again(listeners: OvsMetadata, boot: Boot) -> None:
    listeners.ensure_metadata(WANTED[0])
    guest = boot(port("vm1", RED, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id]))
    guest.boot()
    links.remove_namespace(f"ovnmeta-{RED.id}")
    listeners.ensure_metadata(WANTED[0])
    assert ask(guest) == [RED.id, "10.0.0.11", True, "/latest/meta-data/"]


def test_a_successor_goes_on(listeners: OvsMetadata, boot: Boot, site: Site, upstream: str) -> None:
    listeners.ensure_metadata(WANTED[0])
    guest = boot(port("vm1", RED, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id]))
    guest.boot()
    listeners.let_go()
    with pytest.raises(ConnectionRefusedError):
        ask(guest)
    successor = started(site, upstream)
    assert successor.metadata_networks() == {RED.id}
    assert ask(guest) == [RED.id, "10.0.0.11", True, "/latest/meta-data/"]
    successor.stop()
    assert f"ovnmeta-{RED.id}" not in links.namespaces()


def test_a_guest_cannot_reach_anything_else_there(listeners: OvsMetadata, boot: Boot) -> None:
    listeners.ensure_metadata(WANTED[0])
    guest = boot(port("vm1", RED, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id]))
    guest.boot()
    assert not guest.reaches("10.0.0.2", 8775)
    links.change(["route add 203.0.113.0/24 via 10.0.0.2"], guest.namespace)
    assert not guest.pings("203.0.113.1", tries=1)  # the namespace leads nowhere
