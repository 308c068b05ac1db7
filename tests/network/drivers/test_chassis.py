"""Several hosts: guests talk by tunnel, floating IPs are where guests are, ways out move."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import pytest

from cumulo.services.network.drivers.base import NetworkPlan, PortPlan, RouterPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import Chassis, Cluster, running_cluster
from tests.guests import Guest
from tests.network.drivers.conftest import empty
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

pytestmark = pytest.mark.real

RED = network("red", subnet("red4", "10.0.0.0/24"))
OUT = network(
    "out",
    subnet("out4", "203.0.113.0/24", enable_dhcp=False),
    network_type="flat",
    physical_network="physnet1",
    external=True,
    mtu=1500,
)
OPEN = group("open", *EGRESS, rule("ingress"))
OUTSIDE, R1 = "203.0.113.1", uid("r1")
LEG = port("leg", RED, "10.0.0.1", device_owner="network:router_interface", router_id=R1)
GATEWAY = port("gw", OUT, "203.0.113.5", device_owner="network:router_gateway", router_id=R1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster(3) as cluster:
        yield cluster


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[OvnDriver]:
    """Return a driver with a network behind a router."""
    driver = OvnDriver(cluster.central.north_remote, cluster.central.south_remote)
    eventually(lambda: len({one.host for one in driver.agents()}) == len(cluster.hosts))
    driver.sync_network(RED)
    driver.sync_network(OUT)
    driver.sync_security_group(OPEN)
    driver.sync_port(LEG)
    driver.sync_port(GATEWAY)
    driver.sync_router(r1())
    yield driver
    empty(driver)
    driver.close()


def r1(**fields: object) -> RouterPlan:
    way_out = gateway(GATEWAY, "203.0.113.5/24", OUTSIDE)
    return router("r1", leg(LEG, "10.0.0.1/24", mtu=1442), gateway=way_out, **fields)


Boot = Callable[[str, str, Chassis], Guest]


@pytest.fixture
def boot(driver: OvnDriver) -> Iterator[Boot]:
    """Return a function that has a guest on a host."""
    guests: list[tuple[Chassis, Guest]] = []

    def start(name: str, address: str, host: Chassis) -> Guest:
        plan = guest_port(name, RED, address, host)
        driver.sync_port(plan)
        guest = host.inside(partial(Guest, host, plan))
        guests.append((host, guest))
        eventually(lambda: driver.port_status({plan.id})[plan.id].up)
        driver.wait_in_force(10)
        guest.boot()
        return guest

    yield start
    for host, guest in guests:
        host.inside(guest.remove)


def guest_port(name: str, plan: NetworkPlan, address: str, host: Chassis) -> PortPlan:
    return port(name, plan, address, host=host.name, security_group_ids=[OPEN.id])


def has_way_out(cluster: Cluster, host: Chassis) -> bool:
    """Say whether a router's way out is on the host now."""
    return way_out(cluster) == host.name


def way_out(cluster: Cluster) -> str:
    where = f"logical_port=cr-lrp-{GATEWAY.id}"
    found = cluster.sbctl("--bare", "--columns=chassis", "find", "Port_Binding", where).strip()
    if not found:
        return ""
    return cluster.sbctl("--bare", "--columns=hostname", "list", "Chassis", found).strip()


def test_guests_on_two_hosts_talk_by_tunnel(cluster: Cluster, boot: Boot) -> None:
    first, second, _ = cluster.hosts
    one, two = boot("vm1", "10.0.0.11", first), boot("vm2", "10.0.0.12", second)
    assert one.pings("10.0.0.12")
    with two.serving(8080):
        assert one.reaches("10.0.0.12", 8080)
    eventually(lambda: one.pings(OUTSIDE))  # one of them is not where the way out is
    eventually(lambda: two.pings(OUTSIDE))


def test_a_floating_ip_is_answered_for_where_its_guest_is(
    cluster: Cluster, driver: OvnDriver, boot: Boot
) -> None:
    first, second, _ = cluster.hosts
    away = second if has_way_out(cluster, first) else first
    guest = boot("vm3", "10.0.0.13", away)
    address = floating_ip("203.0.113.33", guest.plan)
    driver.sync_router(r1(floating_ips=[address]))
    driver.wait_in_force(10)
    eventually(lambda: reachable("203.0.113.33"))
    (entry,) = [one for one in neighbours() if one[0] == "203.0.113.33"]
    assert entry[1] == address.mac
    assert learned_at(address.mac) == away.ext  # and not where the router's way out is
    assert guest.pings(OUTSIDE)


def test_a_way_out_moves_when_its_host_fails(cluster: Cluster, boot: Boot) -> None:
    # Of two hosts the one that lives could not tell whether it is not the one that is cut off.
    names = {host.name: host for host in cluster.hosts}
    (holder,) = first_of(lambda: [names[one] for one in [way_out(cluster)] if one in names])
    other = next(host for host in cluster.hosts if host is not holder)
    guest = boot("vm4", "10.0.0.14", other)
    eventually(lambda: guest.pings(OUTSIDE))
    for daemon in ("ovn-controller", "ovs-vswitchd"):
        os.kill(holder.supervisor.alive()[daemon].pid, signal.SIGSTOP)
    try:
        eventually(lambda: guest.pings(OUTSIDE, tries=1))
        eventually(lambda: way_out(cluster) not in {"", holder.name})
    finally:
        for daemon in ("ovs-vswitchd", "ovn-controller"):
            os.kill(holder.supervisor.alive()[daemon].pid, signal.SIGCONT)
    eventually(lambda: guest.pings(OUTSIDE))


def test_a_guest_moves_and_its_address_with_it(
    cluster: Cluster, driver: OvnDriver, boot: Boot
) -> None:
    first, second, _ = cluster.hosts
    still = boot("vm5", "10.0.0.15", first)
    moving = boot("vm6", "10.0.0.16", first)
    assert still.pings("10.0.0.16")
    first.inside(lambda: first.switch.unplug(moving.device))
    there = boot("vm6b", "10.0.0.17", second)
    assert still.pings("10.0.0.17")
    assert driver.port_status({there.plan.id})[there.plan.id].host == second.name
    assert not still.pings("10.0.0.16", tries=1)


def first_of(ask: Callable[[], list[Chassis]]) -> list[Chassis]:
    """Return the first answer that is not empty."""
    answers: list[list[Chassis]] = []

    def answered() -> bool:
        answers.append(ask())
        return bool(answers[-1])

    eventually(answered)
    return answers[-1]


def reachable(address: str) -> bool:
    command = ["ping", "-n", "-q", "-c1", "-w1", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def neighbours() -> list[tuple[str, str]]:
    """Return addresses outside with the MACs that answered for them."""
    command = ["ip", "-json", "neigh", "show", "dev", "sw-ext"]
    told = subprocess.run(command, capture_output=True, check=True)
    return [(one["dst"], one["lladdr"]) for one in json.loads(told.stdout) if "lladdr" in one]


def learned_at(mac: str) -> str:
    """Return the port of the bridge outside that a MAC was last seen at."""
    command = ["bridge", "-json", "fdb", "show", "br", "sw-ext"]
    told = subprocess.run(command, capture_output=True, check=True)
    return str(next(one["ifname"] for one in json.loads(told.stdout) if one["mac"] == mac))


def test_a_port_has_a_queue_with_its_least_rate(cluster: Cluster, driver: OvnDriver) -> None:
    host = cluster.hosts[0]
    plan = msgspec.structs.replace(guest_port("vm1", OUT, "203.0.113.50", host), min_kbps=250)
    driver.sync_port(plan)
    guest = host.inside(partial(Guest, host, plan))
    queues = partial(host.output, "tc", "class", "show", "dev", f"{host.ext}p")
    try:
        eventually(lambda: "rate 250Kbit" in queues(), tell=queues)
        driver.sync_port(msgspec.structs.replace(plan, min_kbps=None))
        eventually(lambda: "rate 250Kbit" not in queues(), tell=queues)
    finally:
        host.inside(guest.remove)
