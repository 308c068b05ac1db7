"""Real guests reach the network that OVN makes, and leave no trace in the switch."""

import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from cumulo.node import links
from cumulo.node.api import Nic
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.drivers.libvirt_domain import tap_name
from cumulo.node.local import LocalNode
from cumulo.services.network.drivers.base import PortPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, Site, running_site
from tests.guests import Guest
from tests.hypervisor import Host, guest_image, running_host
from tests.network.drivers.plans import EGRESS, group, network, port, rule, subnet
from tests.node.bench import Bench
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

RED = network("red", subnet("red4", "10.0.0.0/24"))
OPEN = group("open", *EGRESS, rule("ingress"))
PAYLOAD = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture(scope="module")
def wired_host(site: Site) -> Iterator[Host]:
    """A libvirtd in the network namespace and beside the switch of the fabric."""
    with running_host(ovs_directory=site.fabric.switch.directory) as host:
        yield host


@pytest.fixture
def wired(wired_host: Host, site: Site) -> Iterator[Bench]:
    hypervisor = wired_host.hypervisor(site.fabric.switch.unplug)
    site.fabric.mend_guests_by(hypervisor.mend_nics)
    node = LocalNode(hypervisor, FakeNode("host-1"))
    yield Bench(node, guest_image(), patience_s=120)
    site.fabric.mend_guests_by(lambda guest_id: None)
    for guest_id in node.guests():
        node.remove_guest(guest_id)
    hypervisor.close()


@pytest.fixture
def red(site: Site) -> Iterator[OvnDriver]:
    driver = OvnDriver(site.north, site.south)
    driver.sync_network(RED)
    driver.sync_security_group(OPEN)
    yield driver
    driver.remove("network", RED.id)
    driver.remove("security_group", OPEN.id)
    driver.close()


def red_port(driver: OvnDriver, name: str, address: str) -> PortPlan:
    plan = port(name, RED, address, host=HOST, security_group_ids=[OPEN.id])
    driver.sync_port(plan)
    return plan


def nic_of(plan: PortPlan) -> Nic:
    return Nic(port_id=plan.id, mac=plan.mac, mtu=RED.mtu)


@pytest.fixture
def neighbour(red: OvnDriver, site: Site) -> Iterator[Guest]:
    """A guest at 10.0.0.12 that serves the payload by HTTP."""
    guest = Guest(site, red_port(red, "vm2", "10.0.0.12"))
    eventually(lambda: red.port_status({guest.plan.id})[guest.plan.id].up)
    red.wait_in_force(10)
    guest.boot()
    listener = guest.inside(lambda: socket.create_server(("10.0.0.12", 80)))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    yield guest
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    guest.remove()


def test_a_guest_talks_tcp_both_ways(wired: Bench, red: OvnDriver, neighbour: Guest) -> None:
    """Pings pass where checksums are left out; only TCP shows that they are not."""
    plan = red_port(red, "vm1", "10.0.0.11")
    script = (
        "#!/bin/sh\n"
        "for try in 1 2 3 4 5 6 7 8 9; do\n"
        "wget -q -O /tmp/x http://10.0.0.12/ && break; sleep 1; done\n"
        "echo FETCHED''=$(md5sum < /tmp/x)\n"
    )
    guest_id = wired.guest(
        nics=[nic_of(plan)],
        config_drive={
            "openstack/latest/meta_data.json": "{}",
            "openstack/latest/user_data": script,
        },
    )
    wired.await_boot(guest_id)
    text = wired.node.console_log(guest_id).decode(errors="replace")
    assert re.search(r"eth0=10\.0\.0\.11", text)
    assert f"FETCHED={hashlib.md5(PAYLOAD).hexdigest()}" in text
    eventually(lambda: neighbour.reaches("10.0.0.11", 22), 30)
    with neighbour.connect("10.0.0.11", 22, timeout_s=30) as ssh:
        assert ssh.recv(4) == b"SSH-"


def test_a_removed_guest_leaves_the_switch(wired: Bench, red: OvnDriver, site: Site) -> None:
    plans = [red_port(red, f"vm{number}", f"10.0.0.2{number}") for number in range(2)]
    guest_id = wired.guest(nics=[nic_of(plan) for plan in plans])
    taps = {tap_name(plan.id) for plan in plans}
    assert {plan.id for plan in plans} <= set(site.fabric.switch.plugged().values())
    wired.node.remove_guest(guest_id)
    assert taps.isdisjoint(site.fabric.switch.plugged())
    assert not any(links.exists(tap) for tap in taps)


def test_interfaces_come_and_go_while_the_guest_runs(
    wired: Bench, red: OvnDriver, site: Site
) -> None:
    first, second = (red_port(red, f"vm{number}", f"10.0.0.3{number}") for number in range(2))
    guest_id = wired.booted(nics=[nic_of(first)])
    both = [nic_of(first), nic_of(second)]
    for _ in range(2):
        wired.node.ensure_nics(guest_id, both)
        assert {first.id, second.id} <= set(site.fabric.switch.plugged().values())
    assert [nic.mac for nic in wired.node.diagnostics(guest_id).nics] == [first.mac, second.mac]
    wired.node.ensure_power(guest_id, "stopped", timeout_s=0)
    wired.node.ensure_power(guest_id, "running")
    eventually(lambda: second.id in site.fabric.switch.plugged().values())
    wired.await_boot(guest_id, times=2)
    for _ in range(2):
        wired.node.ensure_nics(guest_id, [nic_of(first)])
        assert second.id not in site.fabric.switch.plugged().values()
    wired.node.ensure_power(guest_id, "stopped", timeout_s=0)
    wired.node.ensure_nics(guest_id, both)
    wired.node.ensure_power(guest_id, "running")
    eventually(lambda: second.id in site.fabric.switch.plugged().values())
    wired.node.remove_guest(guest_id)
    assert site.fabric.switch.plugged() == {}


def test_a_link_removed_from_under_a_guest_comes_back(
    wired: Bench, red: OvnDriver, neighbour: Guest
) -> None:
    plan = red_port(red, "vm1", "10.0.0.11")
    wired.booted(nics=[nic_of(plan)])
    eventually(lambda: neighbour.reaches("10.0.0.11", 22), 30)
    links.remove(tap_name(plan.id))
    eventually(lambda: links.exists(tap_name(plan.id)), 10)
    eventually(lambda: neighbour.reaches("10.0.0.11", 22), 30)


def test_a_guest_that_died_while_nobody_looked_leaves_the_switch(
    wired: Bench, wired_host: Host, red: OvnDriver, site: Site
) -> None:
    plan = red_port(red, "vm1", "10.0.0.11")
    guest_id = wired.guest(nics=[nic_of(plan)])
    wired_host.libvirtd.stop()
    wired_host.libvirtd.end_guests()
    wired_host.libvirtd.start()
    eventually(lambda: tap_name(plan.id) not in site.fabric.switch.plugged())
    wired.node.remove_guest(guest_id)
    assert site.fabric.switch.plugged() == {}


def serve(listener: socket.socket) -> None:
    """Answer requests for anything with the payload."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                connection.recv(4096)
                head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(PAYLOAD)}\r\n\r\n"
                connection.sendall(head.encode() + PAYLOAD)
