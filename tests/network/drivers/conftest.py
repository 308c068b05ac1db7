"""Each backend, empty, for a test."""

from collections.abc import Iterator

import pytest

from cumulo.node import links
from cumulo.node.ovs import Plug
from cumulo.services.network.drivers.base import PortPlan
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, Site, running_site
from tests.guests import Guest
from tests.network.drivers.backends import Backend, Boot
from tests.waiting import eventually


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Return a running fabric."""
    with running_site() as site:
        yield site


@pytest.fixture
def driver(site: Site) -> Iterator[OvnDriver]:
    """Return a driver of the fabric, which holds no network."""
    driver = OvnDriver(site.north, site.south)
    yield driver
    empty(driver)
    driver.close()


def empty(driver: OvnDriver) -> None:
    """Remove every unit."""
    present = driver.present()
    for router_id in present.routers:
        driver.remove("router", router_id)
    for network_id in present.networks:
        driver.remove("network", network_id)
    for group_id in present.security_groups:
        driver.remove("security_group", group_id)


@pytest.fixture(params=["fake", pytest.param("ovn", marks=pytest.mark.real)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Return a driver whose backend is empty."""
    if request.param == "fake":
        yield Backend(FakeDriver(hosts=[HOST]), HOST, lambda plan: None)
        return
    site: Site = request.getfixturevalue("site")
    devices: list[str] = []

    def plug(plan: PortPlan) -> None:
        device = f"t{plan.id[:11]}"
        links.change([f"link add {device} type veth peer name {device}p", f"link set {device} up"])
        devices.append(device)
        site.fabric.switch.plug(Plug(device=device, port_id=plan.id, mac=plan.mac))

    yield Backend(request.getfixturevalue("driver"), HOST, plug)
    for device in devices:
        site.fabric.switch.unplug(device)
        links.remove(device)


@pytest.fixture
def boot(site: Site, driver: OvnDriver) -> Iterator[Boot]:
    """Return a function that syncs a guest's port, plugs the guest in and waits until it is up."""
    guests: list[Guest] = []

    def start(plan: PortPlan) -> Guest:
        driver.sync_port(plan)
        guest = Guest(site, plan)
        guests.append(guest)
        eventually(lambda: driver.port_status({plan.id})[plan.id].up)
        driver.wait_in_force(10)
        return guest

    yield start
    for guest in guests:
        guest.remove()
