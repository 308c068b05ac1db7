"""The three-tier exercise: a load balancer with two interfaces before servers that face nobody."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cumulo.node import links
from cumulo.services.network.drivers.base import AddressPair, PortPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, Site
from tests.guests import Guest
from tests.network.drivers.backends import Boot
from tests.network.drivers.plans import EGRESS, group, network, port, rule, subnet
from tests.waiting import eventually

pytestmark = pytest.mark.real

OUTSIDE = network(
    "outside",
    subnet("outside4", "192.168.56.0/24"),
    network_type="flat",
    physical_network="provider",
    external=True,
    mtu=1500,
)
INSIDE = network("inside", subnet("inside4", "10.12.0.0/16"))
FRONT = group(
    "front",
    *EGRESS,
    rule("ingress", "tcp", port_range_min=80, port_range_max=80),
    rule("ingress", "tcp", port_range_min=443, port_range_max=443),
)
WEB = group(
    "web",
    *EGRESS,
    rule("ingress", "tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="10.12.0.1/32"),
)
NAMES = group("names", *EGRESS, rule("ingress", "udp", port_range_min=53, port_range_max=53))
DATABASE = group(
    "database",
    *EGRESS,
    rule("ingress", "tcp", port_range_min=3306, port_range_max=3306, remote_group_id=WEB.id),
)
FACE, WORLD = "192.168.56.50", "192.168.56.1"
BALANCER = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend world
    bind 192.168.56.50:80
    default_backend web
backend web
    balance roundrobin
    server web1 10.12.0.11:80
    server web2 10.12.0.12:80
"""


@pytest.fixture
def tiers(driver: OvnDriver) -> OvnDriver:
    for each in (OUTSIDE, INSIDE):
        driver.sync_network(each)
    for one in (FRONT, WEB, NAMES, DATABASE):
        driver.sync_security_group(one)
    return driver


def test_only_the_balancer_faces_the_world(
    tiers: OvnDriver, boot: Boot, site: Site, tmp_path: Path
) -> None:
    program = shutil.which("haproxy")
    if program is None:
        pytest.skip("needs haproxy")
    pair = AddressPair(mac=port("face", OUTSIDE).mac, ip="10.12.0.0/16")
    face = port(
        "face", OUTSIDE, FACE, host=HOST, security_group_ids=[FRONT.id], address_pairs=[pair]
    )
    back = port("back", INSIDE, "10.12.0.1", host=HOST, port_security=False)
    tiers.sync_port(back)
    balancer = boot(face)
    balancer.add_link(back, "eth1")
    balancer.configure(f"{FACE}/24", WORLD)
    links.ensure_addresses("eth1", ["10.12.0.1/16"], balancer.namespace)
    balancer.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    web1, web2 = (boot(inner(f"web{n}", f"10.12.0.1{n}", WEB.id)) for n in (1, 2))
    names = boot(inner("names", "10.12.0.20", NAMES.id))
    database = boot(inner("database", "10.12.0.21", DATABASE.id))
    eventually(lambda: tiers.port_status({back.id})[back.id].up)
    tiers.wait_in_force(10)
    for guest in (web1, web2, names, database):
        guest.boot()
    with ExitStack() as stack:
        for guest, port_number in ((web1, 80), (web2, 80), (database, 3306), (balancer, 22)):
            name = guest.plan.name.encode()
            stack.enter_context(saying(guest, port_number, name))
        stack.enter_context(balancing(balancer, program, tmp_path))
        eventually(lambda: heard(FACE, 80) in {b"web1", b"web2"})
        assert {heard(FACE, 80) for _ in range(6)} == {b"web1", b"web2"}
        assert heard(FACE, 22) is None
        assert web1.reaches("10.12.0.21", 3306)
        assert not names.reaches("10.12.0.21", 3306)
        assert not balancer.reaches("10.12.0.21", 3306)
        assert not names.reaches("10.12.0.11", 80)
        links.change([f"route add 10.12.0.0/16 via {FACE}"])
        assert web1.pings(WORLD)  # the balancer is the way out, too
        assert heard("10.12.0.11", 80) is None
        assert heard("10.12.0.21", 3306) is None
        links.change(["route delete 10.12.0.0/16"])


def inner(name: str, address: str, group_id: str) -> PortPlan:
    return port(name, INSIDE, address, host=HOST, security_group_ids=[group_id])


def heard(address: str, port_number: int) -> bytes | None:
    """Return what is said on a port by who is reached; None: nobody."""
    try:
        with socket.create_connection((address, port_number), timeout=1) as connection:
            connection.settimeout(2)
            return connection.recv(64)
    except OSError:
        return None


@contextmanager
def saying(guest: Guest, port_number: int, words: bytes) -> Iterator[None]:
    """Say some words to everyone who connects."""
    listener = guest.inside(lambda: socket.create_server(("", port_number)))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(words)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


@contextmanager
def balancing(guest: Guest, program: str, directory: Path) -> Iterator[None]:
    """Run HAProxy in a guest."""
    settings = directory / "haproxy.cfg"
    settings.write_text(BALANCER)
    command = ["ip", "netns", "exec", guest.namespace, program, "-db", "-f", str(settings)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        running.terminate()
        running.wait()
