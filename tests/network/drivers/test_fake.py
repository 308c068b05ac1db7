"""The fake network does as it is told."""

import pytest

from cumulo.kit.clock import CLOCK
from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import BackendError
from cumulo.services.network.drivers.fake import FakeDriver, Script
from tests.network.drivers.plans import network, port, subnet, uid

NET = network("red", subnet("red4", "10.0.0.0/24"))
GUEST = port("vm1", NET, "10.0.0.11", host="localhost")


def test_a_call_fails_as_often_as_scripted() -> None:
    driver = FakeDriver()
    driver.script(Script(call="sync_port", error="unavailable", times=2))
    driver.sync_network(NET)
    for _ in range(2):
        with pytest.raises(Unavailable):
            driver.sync_port(GUEST)
        assert driver.present().ports == set()
    driver.sync_port(GUEST)
    assert driver.present().ports == {GUEST.id}


def test_only_the_named_unit_fails() -> None:
    driver = FakeDriver()
    driver.script(Script(call="*", unit_id=GUEST.id, error="backend"))
    driver.sync_network(NET)
    with pytest.raises(BackendError):
        driver.sync_port(GUEST)
    with pytest.raises(BackendError):
        driver.remove("port", GUEST.id)
    driver.script()
    driver.remove("port", GUEST.id)


def test_a_call_takes_as_long_as_scripted() -> None:
    slept: list[float] = []
    driver = FakeDriver(sleep=slept.append)
    driver.script(Script(call="*", latency_s=0.5), Script(call="wait_in_force", latency_s=10))
    driver.sync_network(NET)
    with pytest.raises(Unavailable):
        driver.wait_in_force(5)
    assert slept == [0.5, 10.5]


def test_a_misspelt_call_is_refused() -> None:
    with pytest.raises(ValueError, match="sync_prot"):
        FakeDriver().script(Script(call="sync_prot"))


def test_a_port_needs_its_time_to_come_up() -> None:
    driver = FakeDriver()
    driver.port_up_after_s = 3
    with CLOCK.held() as held:
        driver.sync_network(NET)
        driver.sync_port(GUEST)
        assert not driver.port_status({GUEST.id})[GUEST.id].up
        held.move(3)
        assert driver.port_status({GUEST.id})[GUEST.id].up


def test_a_dead_host_takes_its_ports_and_agents_down() -> None:
    driver = FakeDriver(hosts=["localhost", "other"])
    driver.sync_network(NET)
    driver.sync_port(GUEST)
    driver.dead_hosts.add("localhost")
    assert not driver.port_status({GUEST.id})[GUEST.id].up
    assert {(a.host, a.alive) for a in driver.agents()} == {("localhost", False), ("other", True)}


def test_a_port_that_moves_is_plugged_anew() -> None:
    driver = FakeDriver()
    driver.port_up_after_s = 3
    there = port("vm1", NET, "10.0.0.11", host="other")
    with CLOCK.held() as held:
        driver.sync_network(NET)
        driver.sync_port(GUEST)
        held.move(5)
        driver.sync_port(there)
        assert not driver.port_status({uid("vm1")})[uid("vm1")].up
        held.move(5)
        assert driver.port_status({uid("vm1")})[uid("vm1")].host == "other"
