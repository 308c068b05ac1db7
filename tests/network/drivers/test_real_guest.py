"""A guest that boots: it gets its address by DHCP and its key from the metadata API.

Everything here is real: libvirt, QEMU, Open vSwitch, OVN.  Only the metadata API is a stand-in.
"""

import functools
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cumulo.node import links
from cumulo.node.api import GuestSpec, MetadataPort, Nic
from cumulo.node.libvirtd import Libvirtd
from cumulo.node.metadata import OvsMetadata
from cumulo.node.metadata_proxy import HttpUpstream, Proxy
from cumulo.node.signatures import NETWORK, PEER
from cumulo.services.network.drivers.base import NetworkPlan, PortPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests import hypervisor
from tests.fabric import HOST, Site
from tests.network.drivers.plans import (
    EGRESS,
    floating_ip,
    gateway,
    group,
    leg,
    network,
    port,
    router,
    rule,
    subnet,
    uid,
)
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

BOOTS_WITHIN_S = 120
R1 = uid("r1")
RED = network("red", subnet("red4", "10.0.0.0/24", metadata_ip="10.0.0.2"))
OUT = network(
    "out",
    subnet("out4", "203.0.113.0/24", enable_dhcp=False),
    network_type="flat",
    physical_network="physnet1",
    external=True,
    mtu=1500,
)
PROVIDER = network(
    "provider",
    subnet("provider4", "192.168.56.0/24", metadata_ip="192.168.56.2"),
    network_type="flat",
    physical_network="provider",
    external=True,
    mtu=1500,
)
SSH = group(
    "ssh",
    *EGRESS,
    rule("ingress", "icmp"),
    rule("ingress", "tcp", port_range_min=22, port_range_max=22),
)
LEG = port("leg1", RED, "10.0.0.1", device_owner="network:router_interface", router_id=R1)
GATEWAY = port("gw", OUT, "203.0.113.5", device_owner="network:router_gateway", router_id=R1)


def guest_port(name: str, net: NetworkPlan, address: str) -> PortPlan:
    return port(name, net, address, host=HOST, security_group_ids=[SSH.id])


VM1 = guest_port("vm1", RED, "10.0.0.11")
VM2 = guest_port("vm2", PROVIDER, "192.168.56.101")
FLOATING = "203.0.113.10"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def asked(site: Site, driver: OvnDriver, key: Path) -> Iterator[list[tuple[str, str]]]:
    """Answer metadata requests in both networks; return the list of who asked."""
    who: list[tuple[str, str]] = []
    public = key.with_suffix(".pub").read_text()

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            who.append((self.headers[NETWORK], self.headers[PEER]))
            document = {"uuid": "u", "hostname": "vm", "public_keys": {"k": public}}
            known = self.path.endswith("/meta_data.json")
            text = json.dumps(document).encode() if known else b""
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    proxy = Proxy(HttpUpstream(f"http://127.0.0.1:{server.server_port}", b"secret"))
    listeners = OvsMetadata(site.fabric.switch, proxy, site.directory / "metadata")
    for net, address in ((RED, "10.0.0.2"), (PROVIDER, "192.168.56.2")):
        driver.sync_network(net)
        meta = port(f"meta {net.name}", net, address, device_owner="network:distributed")
        driver.sync_port(meta)
        cidrs = [f"{address}/24"]
        listeners.ensure_metadata(
            MetadataPort(network_id=net.id, port_id=meta.id, mac=meta.mac, cidrs=cidrs)
        )
    yield who
    listeners.stop()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def routed(driver: OvnDriver, asked: list[tuple[str, str]]) -> OvnDriver:
    driver.sync_network(OUT)
    driver.sync_security_group(SSH)
    for plan in (LEG, GATEWAY, VM1, VM2):
        driver.sync_port(plan)
    driver.sync_router(
        router(
            "r1",
            leg(LEG, "10.0.0.1/24", mtu=RED.mtu),
            gateway=gateway(GATEWAY, "203.0.113.5/24", "203.0.113.1"),
            floating_ips=[floating_ip(FLOATING, VM1)],
        )
    )
    return driver


@pytest.fixture
def guests(site: Site, routed: OvnDriver) -> Iterator[None]:
    """Start a guest behind the router and one in the provider network."""
    reason = hypervisor.missing()
    if reason:
        pytest.skip(f"real guests: {reason}")
    image = hypervisor.guest_image()
    from cumulo.node.drivers.libvirt import HypervisorSettings, LibvirtHypervisor

    switch = site.fabric.switch
    libvirtd = Libvirtd(site.directory / "libvirt", site.supervisor, ovs_directory=switch.directory)
    libvirtd.start()
    settings = HypervisorSettings(name=HOST, directory=site.directory)
    host = LibvirtHypervisor(settings, libvirtd, switch.unplug)
    plans = {VM1.device_id: (VM1, RED), VM2.device_id: (VM2, PROVIDER)}
    for number, (guest_id, (plan, net)) in enumerate(plans.items()):
        nic = Nic(port_id=plan.id, mac=plan.mac, mtu=net.mtu)
        spec = GuestSpec(
            id=guest_id,
            name=f"instance-{number:08x}",
            vcpus=1,
            memory_mib=128,
            root_gib=0,
            image=image,
            nics=[nic],
        )
        host.ensure_guest(spec)
    yield
    for guest_id in plans:
        host.remove_guest(guest_id)
    host.close()
    libvirtd.end_guests()
    libvirtd.stop()


def ssh(key: Path, address: str, command: str, given: bytes = b"") -> bytes:
    options = (
        *("-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"),
        *("-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
        *("-o", "ConnectTimeout=5"),
    )
    done = subprocess.run(
        ["ssh", *options, f"cirros@{address}", command],
        input=given,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.stdout


def test_log_in_by_floating_ip_and_over_the_provider_network(
    site: Site, routed: OvnDriver, guests: None, key: Path, asked: list[tuple[str, str]]
) -> None:
    ids = {VM1.id, VM2.id}
    eventually(lambda: all(s.up for s in routed.port_status(ids).values()), BOOTS_WITHIN_S)
    for address in (FLOATING, "192.168.56.101"):
        eventually(functools.partial(_logs_in, key, address), BOOTS_WITHIN_S)
    assert {(RED.id, "10.0.0.11"), (PROVIDER.id, "192.168.56.101")} <= set(asked)
    assert b"10.0.0.11/24" in ssh(key, FLOATING, "ip address")
    assert b"mtu 1442" in ssh(key, FLOATING, "ip link")
    assert ssh(key, FLOATING, "ping -c1 -W3 203.0.113.1 >/dev/null && echo out") == b"out\n"
    sent = bytes(range(256)) * 16384  # 4 MiB each way, in full-sized segments
    assert ssh(key, FLOATING, "md5sum", sent).split()[0].decode() == _md5(sent)
    assert ssh(key, "192.168.56.101", "cat", sent) == sent
    assert set(site.fabric.switch.plugged().values()) >= ids


def test_nothing_of_guests_stays_plugged(site: Site) -> None:
    assert site.fabric.switch.plugged() == {}
    assert not {f"ovnmeta-{net.id}" for net in (RED, PROVIDER)} & links.namespaces()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _logs_in(key: Path, address: str) -> bool:
    return ssh(key, address, "echo in") == b"in\n"
