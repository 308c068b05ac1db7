"""What every network driver promises, held against each of them."""

from typing import get_args

import pytest

from cumulo.services.network.drivers.base import AgentReport, PortPlan, Unit
from tests.network.drivers.backends import Backend
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
)
from tests.waiting import eventually

NET = network("red", subnet("red4", "10.0.0.0/24", metadata_ip="10.0.0.2"))
EXT = network(
    "out",
    subnet("out4", "203.0.113.0/24", enable_dhcp=False),
    network_type="flat",
    physical_network="physnet1",
    external=True,
    mtu=1500,
)
WEB = group("web", *EGRESS, rule("ingress", "tcp", port_range_min=80, port_range_max=80))


def guest(backend: Backend) -> PortPlan:
    return port("vm1", NET, "10.0.0.11", host=backend.host, security_group_ids=[WEB.id])


def test_what_is_synced_is_present(backend: Backend) -> None:
    driver, plan = backend.driver, guest(backend)
    leg_port = port("leg", NET, "10.0.0.1", device_owner="network:router_interface")
    for _ in range(2):
        driver.sync_network(NET)
        driver.sync_security_group(WEB)
        driver.sync_port(plan)
        driver.sync_router(router("r1", leg(leg_port, "10.0.0.1/24")))
    present = driver.present()
    assert present.networks == {NET.id}
    assert present.ports == {plan.id}
    assert present.routers == {router("r1").id}
    assert present.security_groups == {WEB.id}


@pytest.mark.parametrize("unit", get_args(Unit))
def test_removing_may_be_repeated(backend: Backend, unit: Unit) -> None:
    driver, plan = backend.driver, guest(backend)
    driver.remove(unit, plan.id)
    driver.sync_network(NET)
    driver.sync_security_group(WEB)
    driver.sync_port(plan)
    driver.sync_router(router("r1"))
    ids = {
        "network": NET.id,
        "port": plan.id,
        "router": router("r1").id,
        "security_group": WEB.id,
    }
    for _ in range(2):
        driver.remove(unit, ids[unit])
        assert ids[unit] not in getattr(driver.present(), f"{unit}s")


def test_a_network_takes_its_ports_with_it(backend: Backend) -> None:
    driver, plan = backend.driver, guest(backend)
    driver.sync_network(NET)
    driver.sync_port(plan)
    driver.remove("network", NET.id)
    assert driver.present().ports == set()
    assert driver.port_status({plan.id}) == {}


def test_a_port_is_up_once_it_is_plugged_in(backend: Backend) -> None:
    driver, plan = backend.driver, guest(backend)
    driver.sync_network(NET)
    driver.sync_port(port("vm1", NET, "10.0.0.11"))
    assert not driver.port_status({plan.id})[plan.id].up
    driver.sync_port(plan)
    backend.plug(plan)
    eventually(lambda: driver.port_status({plan.id})[plan.id].up)
    assert driver.port_status({plan.id})[plan.id].host == backend.host


def test_units_may_come_in_any_order(backend: Backend) -> None:
    driver, plan = backend.driver, guest(backend)
    backend.plug(plan)
    driver.sync_port(plan)
    driver.sync_security_group(WEB)
    driver.sync_network(NET)
    eventually(lambda: driver.port_status({plan.id})[plan.id].up)


def test_a_port_that_is_down_is_not_up(backend: Backend) -> None:
    driver = backend.driver
    plan = port("vm1", NET, "10.0.0.11", host=backend.host, admin_state_up=False)
    driver.sync_network(NET)
    driver.sync_port(plan)
    backend.plug(plan)
    driver.wait_in_force(10)
    assert not driver.port_status({plan.id})[plan.id].up


def test_a_router_has_its_ports_up(backend: Backend) -> None:
    driver = backend.driver
    plan = router("r1")
    inner = port("leg", NET, "10.0.0.1", device_owner="network:router_interface", router_id=plan.id)
    outer = port("gw", EXT, "203.0.113.5", device_owner="network:router_gateway", router_id=plan.id)
    target = guest(backend)
    for net in (NET, EXT):
        driver.sync_network(net)
    for each in (inner, outer, target):
        driver.sync_port(each)
    driver.sync_router(
        router(
            "r1",
            leg(inner, "10.0.0.1/24"),
            gateway=gateway(outer, "203.0.113.5/24", "203.0.113.1"),
            floating_ips=[floating_ip("203.0.113.10", target)],
        )
    )
    ids = {inner.id, outer.id}
    eventually(lambda: all(status.up for status in driver.port_status(ids).values()))
    assert set(driver.port_status(ids)) == ids


def test_unknown_ports_are_left_out(backend: Backend) -> None:
    assert backend.driver.port_status({guest(backend).id}) == {}
    assert backend.driver.port_status(set()) == {}


def test_it_says_when_all_is_in_force(backend: Backend) -> None:
    backend.driver.sync_network(NET)
    backend.driver.wait_in_force(10)


def test_its_parts_are_reported(backend: Backend) -> None:
    reports: list[AgentReport] = []

    def has_reported() -> bool:
        reports[:] = [each for each in backend.driver.agents() if each.host == backend.host]
        return bool(reports)

    eventually(has_reported)  # a host that starts needs a moment
    assert all(report.alive for report in reports)
    assert {report.binary for report in reports} == {
        "ovn-controller",
        "neutron-ovn-metadata-agent",
    }
    assert len({report.id for report in reports}) == len(reports)
