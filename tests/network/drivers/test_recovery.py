"""Whatever breaks comes back: rows that vanish, daemons that die, a process that is killed."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from cumulo.kit.errors import Unavailable
from cumulo.node import links
from cumulo.node.api import HostError
from cumulo.services.network.drivers.ovn import OvnDriver
from cumulo.services.network.drivers.ovn.driver import NORTH_TABLES
from tests.fabric import HOST, PHYSICAL, Site, running_site
from tests.guests import Guest
from tests.network.drivers.backends import Boot
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
R1 = uid("r1")
LEG = port("leg1", RED, "10.0.0.1", device_owner="network:router_interface", router_id=R1)
GATEWAY = port("gw", OUT, "203.0.113.5", device_owner="network:router_gateway", router_id=R1)
VM1 = port("vm1", RED, "10.0.0.11", host=HOST, security_group_ids=[OPEN.id], hostname="vm1")
VM2 = port("vm2", RED, "10.0.0.12", host=HOST, security_group_ids=[OPEN.id])
FLOATING = "203.0.113.10"
ROUTER = router(
    "r1",
    leg(LEG, "10.0.0.1/24", mtu=1442),
    gateway=gateway(GATEWAY, "203.0.113.5/24", "203.0.113.1"),
    floating_ips=[floating_ip(FLOATING, VM1)],
)
NORTH_ROWS = (
    *("Logical_Switch", "Logical_Switch_Port", "DHCP_Options", "DNS", "Port_Group", "ACL"),
    *("Logical_Router", "Logical_Router_Port", "Logical_Router_Static_Route", "NAT"),
    "Gateway_Chassis",
)


def sync_all(driver: OvnDriver) -> None:
    driver.sync_network(RED)
    driver.sync_network(OUT)
    driver.sync_security_group(OPEN)
    for plan in (LEG, GATEWAY, VM1, VM2):
        driver.sync_port(plan)
    driver.sync_router(ROUTER)


@pytest.fixture
def pair(driver: OvnDriver, boot: Boot) -> tuple[Guest, Guest]:
    """Return two guests behind a router, the first with a floating IP."""
    sync_all(driver)
    one, two = boot(VM1), boot(VM2)
    one.boot()
    two.boot()
    assert all_works(one, two)
    return one, two


def all_works(one: Guest, two: Guest) -> bool:
    return one.pings("10.0.0.12") and two.pings("203.0.113.1") and host_pings(FLOATING)


def host_pings(address: str) -> bool:
    command = ["ping", "-n", "-q", "-c1", "-w2", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def dump(site: Site) -> dict[str, list[str]]:
    """Return all rows of the northbound database, as text to compare."""
    ours = [name for name in NORTH_TABLES["Logical_Switch_Port"] if name != "up"]
    columns = {"Logical_Switch_Port": f"--columns=_uuid,{','.join(ours)}"}
    found = {}
    for table in NORTH_ROWS:
        what = columns.get(table)
        text = site.nbctl("--format=csv", *([what] if what else []), "list", table)
        found[table] = sorted(text.splitlines()[1:])
    return found


def test_an_emptied_database_is_filled_again(
    site: Site, driver: OvnDriver, pair: tuple[Guest, Guest]
) -> None:
    before = dump(site)
    assert all(before.values())
    for table in ("Logical_Switch", "Logical_Router", "Port_Group", "DHCP_Options", "DNS"):
        ids = site.nbctl("--bare", "--columns=_uuid", "list", table).split()
        site.nbctl("destroy", table, *ids)
    assert not any(dump(site).values())
    driver.wait_in_force(10)
    eventually(lambda: not pair[0].pings("10.0.0.12", tries=1))
    sync_all(driver)
    driver.wait_in_force(10)
    assert dump(site) == before
    assert all_works(*pair)


@pytest.mark.parametrize("table", NORTH_ROWS)
def test_the_next_sync_restores_what_is_missing(site: Site, driver: OvnDriver, table: str) -> None:
    sync_all(driver)
    before = dump(site)
    holders = {
        "Logical_Switch_Port": ("Logical_Switch", "ports"),
        "ACL": ("Port_Group", "acls"),
        "Logical_Router_Port": ("Logical_Router", "ports"),
        "Logical_Router_Static_Route": ("Logical_Router", "static_routes"),
        "NAT": ("Logical_Router", "nat"),
        "Gateway_Chassis": ("Logical_Router_Port", "gateway_chassis"),
    }
    if table in holders:
        parent, column = holders[table]
        for each in site.nbctl("--bare", "--columns=_uuid", "list", parent).split():
            site.nbctl("clear", parent, each, column)
    else:
        ids = site.nbctl("--bare", "--columns=_uuid", "list", table).split()
        site.nbctl("destroy", table, *ids)
    assert dump(site)[table] == []
    sync_all(driver)
    assert dump(site) == before


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("Logical_Switch_Port", "port_security=[]"),
        ("Logical_Switch_Port", "enabled=false"),
        ("Logical_Switch_Port", "dhcpv4_options=[]"),
        ("Port_Group", "ports=[]"),
        ("ACL", "match=ip4"),
        ("DHCP_Options", "options:router=6.6.6.6"),
        ("NAT", "logical_ip=10.0.0.99"),
        ("Logical_Router", "options:chassis=nowhere"),
    ],
)
def test_the_next_sync_takes_strange_changes_back(
    site: Site, driver: OvnDriver, table: str, change: str
) -> None:
    sync_all(driver)
    before = dump(site)
    for each in site.nbctl("--bare", "--columns=_uuid", "list", table).split():
        site.nbctl("set", table, each, change)
    assert dump(site) != before
    sync_all(driver)
    assert dump(site) == before


def test_a_sync_that_changes_nothing_writes_nothing(site: Site, driver: OvnDriver) -> None:
    sync_all(driver)
    generation = driver._north.read(lambda north: north.generation)
    sync_all(driver)
    driver.present()
    assert driver._north.read(lambda north: north.generation) == generation


def test_removing_all_leaves_no_row(site: Site, driver: OvnDriver) -> None:
    sync_all(driver)
    for plan in (VM1, VM2, LEG, GATEWAY):
        driver.remove("port", plan.id)
    driver.remove("router", ROUTER.id)
    for net in (RED, OUT):
        driver.remove("network", net.id)
    driver.remove("security_group", OPEN.id)
    left = dump(site)
    drop = site.nbctl("--bare", "--columns=name", "list", "Port_Group").split()
    assert drop == ["neutron_pg_drop"]  # it is everybody's
    assert not any(rows for table, rows in left.items() if table not in {"Port_Group", "ACL"})


@pytest.mark.parametrize("daemon", ["ovn-controller", "ovn-northd", "ovs-vswitchd", "ovsdb-server"])
def test_a_killed_daemon_comes_back(
    site: Site, driver: OvnDriver, pair: tuple[Guest, Guest], daemon: str
) -> None:
    pid = site.pid(daemon)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: restarted(site, daemon, pid))
    driver.wait_in_force(20)
    eventually(lambda: all_works(*pair), within_s=30)
    driver.sync_security_group(group("open", *EGRESS))
    driver.wait_in_force(20)
    eventually(lambda: not pair[0].pings("10.0.0.12", tries=1))  # new commands arrive, too


def test_a_link_taken_out_of_the_switch_comes_back(site: Site, pair: tuple[Guest, Guest]) -> None:
    one, two = pair
    site.switch.unplug(one.device)
    eventually(lambda: one.device in site.switch.plugged(), within_s=10)
    eventually(lambda: all_works(one, two), within_s=10)


@pytest.mark.parametrize("bridge", ["br-int", "br-ex"])
def test_a_bridge_that_is_removed_comes_back(
    site: Site, driver: OvnDriver, pair: tuple[Guest, Guest], bridge: str
) -> None:
    site.switch.vsctl("del-br", bridge)
    eventually(lambda: not site.switch.lost_bridges(), within_s=10)
    eventually(lambda: all_works(*pair), within_s=20)
    driver.wait_in_force(20)


def test_who_unplugs_a_guest_for_good_is_let(site: Site, boot: Boot, driver: OvnDriver) -> None:
    sync_all(driver)
    guest = boot(VM1)
    guest.remove()
    site.switch.vsctl("add-br", "nudge", "--", "del-br", "nudge")  # look, keeper
    assert guest.device not in site.switch.plugged()
    eventually(lambda: not links.exists(guest.device))
    assert guest.device not in site.switch.plugged()


@pytest.mark.parametrize("daemon", ["ovn-nb", "ovn-sb"])
def test_a_killed_database_comes_back(
    site: Site, driver: OvnDriver, pair: tuple[Guest, Guest], daemon: str
) -> None:
    before = dump(site)
    pid = site.pid(daemon)
    os.kill(pid, signal.SIGKILL)
    assert pair[0].pings("10.0.0.12")  # packets need no database
    eventually(lambda: restarted(site, daemon, pid))
    eventually(lambda: _synced(driver))
    driver.wait_in_force(20)
    assert dump(site) == before
    assert all_works(*pair)


def restarted(site: Site, daemon: str, pid: int) -> bool:
    alive = site.supervisor.alive().get(daemon)
    return alive is not None and alive.pid != pid


def _synced(driver: OvnDriver) -> bool:
    try:
        sync_all(driver)
    except Unavailable:
        return False
    return True


def test_a_successor_adopts_all_and_nothing_stops(pair: tuple[Guest, Guest], site: Site) -> None:
    pids = {name: alive.pid for name, alive in site.supervisor.alive().items()}
    with pair[1].serving(80), pair[0].connect("10.0.0.12", 80) as connection:
        successor = Site(site.directory)
        successor.fabric.start()
        assert {name: alive.pid for name, alive in successor.supervisor.alive().items()} == pids
        connection.sendall(b"still open")
        assert connection.recv(100) == b"still open"
        successor.fabric.let_go()
        successor.supervisor.let_go()


@pytest.fixture
def fresh() -> Iterator[Site]:
    with running_site() as site:
        yield site


def test_down_leaves_nothing(fresh: Site) -> None:
    bridges = ["br-int", *(net.bridge for net in PHYSICAL)]
    assert all(links.exists(bridge) for bridge in bridges)
    pids = [alive.pid for alive in fresh.supervisor.alive().values()]
    fresh.fabric.stop()
    assert fresh.supervisor.alive() == {}
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    fresh.fabric.stop()
    fresh.fabric.start()
    assert links.addresses("br-ex") == {"203.0.113.1/24"}


def test_down_after_a_crash_leaves_nothing(fresh: Site) -> None:
    fresh.supervisor.let_go()
    for alive in fresh.supervisor.alive().values():
        os.kill(alive.pid, signal.SIGKILL)
    successor = Site(fresh.directory)
    successor.fabric.stop()
    successor.supervisor.let_go()
    assert [name for _, name in socket.if_nameindex()] == ["lo"]


def test_up_after_a_crash_finds_all_again(fresh: Site) -> None:
    fresh.supervisor.let_go()
    for alive in fresh.supervisor.alive().values():
        os.kill(alive.pid, signal.SIGKILL)
    eventually(lambda: not fresh.supervisor.alive())
    successor = Site(fresh.directory)
    successor.fabric.start()
    assert links.addresses("br-ex") == {"203.0.113.1/24"}
    assert len(successor.supervisor.alive()) == 6
    successor.fabric.stop()
    successor.supervisor.let_go()


def test_a_link_of_somebody_else_is_not_taken(fresh: Site) -> None:
    fresh.fabric.stop()
    links.change(["link add br-ex type veth peer name br-ex-peer"])
    with pytest.raises(HostError, match="br-ex"):
        fresh.fabric.start()
    fresh.fabric.stop()
    assert links.exists("br-ex")


def test_only_root_and_the_owner_reach_the_databases() -> None:
    nobody, stranger = 65534, 65533
    with running_site(owner=nobody) as site:
        north, switch = site.north, site.fabric.switch.remote
        assert can_reach("ovn-nbctl", north, nobody)
        assert can_reach("ovn-nbctl", north, 0)
        assert not can_reach("ovn-nbctl", north, stranger)
        assert not can_reach("ovs-vsctl", switch, nobody)
        for daemon in ("ovn-nb", "ovn-sb", "ovn-northd"):
            assert os.stat(f"/proc/{site.pid(daemon)}").st_uid == nobody


def can_reach(program: str, database: str, user: int) -> bool:
    command = [program, f"--db={database}", "--timeout=2", "show"]
    done = subprocess.run(command, user=user, extra_groups=[], capture_output=True, check=False)
    return done.returncode == 0
