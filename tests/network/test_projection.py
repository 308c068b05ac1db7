"""The backend is told what the database says: once each, whatever fails, and nothing else."""

import pytest

from cumulo.db import Database, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Unavailable
from cumulo.services.network import public
from cumulo.services.network.drivers.base import BackendError, NetworkPlan, PortPlan
from cumulo.services.network.drivers.fake import FakeDriver, Script
from cumulo.services.network.projection import project
from cumulo.services.network.reconcile import compare, watch
from cumulo.services.network.store import changes
from cumulo.services.network.tools import Tools
from tests.network.conftest import Net


def waiting(db: Database) -> int:
    return db.read(changes.waiting)


def test_every_change_reaches_the_backend(net: Net, driver: FakeDriver, db: Database) -> None:
    network, subnet = net.network(name="private")
    port = net.make("port", network_id=network["id"])
    router = net.make("router")
    net.attach(router["id"], subnet_id=subnet["id"])
    assert driver.networks == {}
    net.project()
    assert waiting(db) == 0
    plan = driver.networks[network["id"]]
    assert (plan.name, plan.network_type, plan.mtu) == ("private", "geneve", 1442)
    assert (plan.subnets[0].cidr, plan.subnets[0].metadata_ip) == ("10.0.0.0/24", "10.0.0.2")
    assert driver.ports[port["id"]].fixed_ips == [(subnet["id"], "10.0.0.3")]
    assert driver.ports[port["id"]].security_group_ids == port["security_groups"]
    (leg,) = driver.routers[router["id"]].ports
    assert (leg.cidrs, leg.mtu) == (["10.0.0.1/24"], 1442)
    assert driver.ports[leg.port_id].router_id == router["id"]
    assert set(driver.security_groups) == set(port["security_groups"])

    net.change("subnet", subnet["id"], dns_nameservers=["9.9.9.9"])
    net.change("network", network["id"], mtu=1400)
    net.attach(router["id"], "remove", subnet_id=subnet["id"])
    net.delete("port", port["id"])
    net.project()
    assert driver.networks[network["id"]].subnets[0].dns_nameservers == ["9.9.9.9"]
    assert driver.routers[router["id"]].ports == []
    assert port["id"] not in driver.ports
    net.delete("router", router["id"])
    net.delete("network", network["id"])
    net.project()
    assert (driver.networks, driver.ports, driver.routers, waiting(db)) == ({}, {}, {}, 0)


def test_a_failure_is_tried_again_later(net: Net, driver: FakeDriver, db: Database) -> None:
    with clock.CLOCK.held():
        driver.script(Script(call="sync_network", error="unavailable", times=2))
        network = net.make("network")
        net.project()
        assert (waiting(db), driver.networks) == (1, {})
        net.project()
        assert driver.networks == {}
        clock.CLOCK.move(1.1)
        net.project()
        clock.CLOCK.move(2.1)
        net.project()
        assert (waiting(db), set(driver.networks)) == (0, {network["id"]})


def test_what_the_backend_refuses_shows(net: Net, driver: FakeDriver) -> None:
    with clock.CLOCK.held():
        driver.script(Script(call="sync_router", error="backend", times=1))
        router, network = net.make("router"), net.make("network")
        net.project()
        assert net.show("router", router["id"])["status"] == "ERROR"
        assert net.show("network", network["id"])["status"] == "ACTIVE"
        clock.CLOCK.move(2)
        net.project()
        assert net.show("router", router["id"])["status"] == "ACTIVE"


class Interrupted(FakeDriver):
    """A backend that lets a test change something while it is being told something else."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[object] = []

    def sync_network(self, plan: NetworkPlan) -> None:
        while self.meanwhile:
            act = self.meanwhile.pop()
            assert callable(act)
            act()
        super().sync_network(plan)


def test_a_change_made_while_the_backend_is_told_is_not_lost(net: Net, db: Database) -> None:
    driver = Interrupted()
    tools = Tools(db, driver, net.tools.settings)
    network = net.make("network", name="old")

    def rename() -> None:
        net.change("network", network["id"], name="new")

    driver.meanwhile.append(rename)
    project(tools)
    assert (driver.networks[network["id"]].name, waiting(db)) == ("new", 0)


def test_whoever_spoke_last_spoke_the_truth(net: Net, db: Database) -> None:
    """Another worker tells the newer state first; the older one, told late, is corrected."""
    driver = Interrupted()
    tools = Tools(db, driver, net.tools.settings)
    network = net.make("network", name="old")

    def other_worker() -> None:
        net.change("network", network["id"], name="new")
        project(tools)
        assert driver.networks[network["id"]].name == "new"

    driver.meanwhile.append(other_worker)
    project(tools)
    assert (driver.networks[network["id"]].name, waiting(db)) == ("new", 0)


def test_a_worker_that_dies_leaves_its_changes_to_others(
    net: Net, driver: FakeDriver, db: Database
) -> None:
    with clock.CLOCK.held():
        network = net.make("network")
        claimed = db.write(changes.claim, "dead", clock.timestamp() + 60, 100)
        assert len(claimed) == 1
        net.project()
        assert driver.networks == {}
        clock.CLOCK.move(61)
        net.project()
        assert set(driver.networks) == {network["id"]}


def test_the_backend_is_rebuilt_from_nothing_and_rid_of_what_nobody_owns(
    net: Net, tools: Tools, driver: FakeDriver
) -> None:
    network, subnet = net.network()
    net.make("port", network_id=network["id"])
    router = net.make("router")
    net.attach(router["id"], subnet_id=subnet["id"])
    net.project()
    before = (driver.networks, driver.ports, driver.routers, driver.security_groups)
    driver.networks, driver.ports, driver.routers, driver.security_groups = {}, {}, {}, {}
    stray = before[0][network["id"]].id.replace(network["id"][:8], "00000000")
    driver.networks[stray] = before[0][network["id"]]
    compare(tools)
    assert (driver.networks, driver.ports, driver.routers, driver.security_groups) == before


def test_ports_are_watched(net: Net, tools: Tools, driver: FakeDriver) -> None:
    network, _ = net.network()
    port = net.make("port", network_id=network["id"])
    net.admin.change("port", port["id"], **{"binding:host_id": "node-1"})
    net.project()
    assert net.show("port", port["id"])["status"] == "ACTIVE"
    driver.dead_hosts.add("node-1")
    watch(tools)
    assert net.show("port", port["id"])["status"] == "DOWN"
    driver.dead_hosts.clear()
    watch(tools)
    assert net.show("port", port["id"])["status"] == "ACTIVE"


def test_a_server_waits_until_its_ports_are_in_force(
    net: Net, tools: Tools, driver: FakeDriver, db: Database
) -> None:
    network, _ = net.network()
    port = net.make("port", network_id=network["id"], device_id="s", device_owner="compute:nova")
    db.write(public.bind_ports, "s", "node-1")
    driver.script(Script(call="sync_port", unit_id=port["id"], error="unavailable", times=1))
    with pytest.raises(Unavailable):
        public.put_in_force(tools, "s")
    driver.script(Script(call="sync_port", unit_id=port["id"], error="backend", times=1))
    with pytest.raises(BackendError):
        public.put_in_force(tools, "s")
    driver.script(Script(call="wait_in_force", latency_s=0.0, error="unavailable", times=1))
    with pytest.raises(Unavailable):
        public.put_in_force(tools, "s")
    public.put_in_force(tools, "s")
    driver.port_up_after_s = 5
    with clock.CLOCK.held():
        db.write(public.bind_ports, "s", "node-2")
        public.put_in_force(tools, "s")
        assert not public.ports_up(tools, "s")
        clock.CLOCK.move(6)
        assert public.ports_up(tools, "s")
    assert net.show("port", port["id"])["status"] == "ACTIVE"


def test_what_a_client_writes_as_owner_makes_no_part_of_the_network(
    net: Net, driver: FakeDriver
) -> None:
    network, _ = net.network()
    facts = {"device_owner": "network:router_interface", "device_id": "r"}
    port = net.make("port", network_id=network["id"], **facts)
    net.project()
    plan: PortPlan = driver.ports[port["id"]]
    assert (plan.device_owner, plan.router_id, plan.port_security) == ("", None, True)


def test_units_that_are_no_more_are_no_trouble(tools: Tools, db: Database) -> None:
    def mark(tx: Tx) -> None:
        for unit in ("network", "port", "router", "security_group"):
            changes.mark(tx, unit, ["gone"])

    db.write(mark)
    assert project(tools) == 4
    assert waiting(db) == 0
