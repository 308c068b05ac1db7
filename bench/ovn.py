"""`python -m bench.ovn`: how fast a real OVN is told things, as root, in namespaces of its own."""

import time
from collections.abc import Callable

import msgspec

from bench.http import tell, timed
from cumulo.services.network.drivers.base import PortPlan, SecurityGroupPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, running_site
from tests.guests import Guest
from tests.network.drivers import plans
from tests.waiting import eventually

MANY, RULES, MEMBERS = 300, 100, 50
OPEN = plans.group("open", *plans.EGRESS, plans.rule("ingress"))
HOME = plans.network("home", plans.subnet("home4", "10.0.0.0/16"))


def main() -> None:
    """Measure networks, ports, and how soon rules are in force."""
    with running_site() as site:
        driver = OvnDriver(site.north, site.south)
        driver.sync_security_group(OPEN)
        networks(driver)
        ports(driver)
        rules(driver)
        guest = Guest(site, _port("p0", 0, "strict"))
        eventually(lambda: driver.port_status({guest.plan.id})[guest.plan.id].up)
        driver.wait_in_force(60)
        rules(driver, "with a guest on the host")
        guest.remove()
        driver.close()


def networks(driver: OvnDriver) -> None:
    """Make networks with a subnet each."""
    made = [
        plans.network(f"n{number}", plans.subnet(f"s{number}", "10.9.0.0/24"))
        for number in range(MANY)
    ]
    _rate("networks told to OVN", [lambda plan=plan: driver.sync_network(plan) for plan in made])
    for plan in made:
        driver.remove("network", plan.id)


def ports(driver: OvnDriver) -> None:
    """Make ports in one network and one security group."""
    driver.sync_network(HOME)
    made = [_port(f"p{number}", number) for number in range(MANY)]
    _rate("ports told to OVN", [lambda plan=plan: driver.sync_port(plan) for plan in made])
    driver.wait_in_force(60)


def rules(driver: OvnDriver, where: str = "on an idle host") -> None:
    """Give a group of 50 ports 100 rules, and wait until all of them hold."""
    for number in range(MEMBERS):
        driver.sync_port(_port(f"p{number}", number, "strict"))
    driver.sync_security_group(_strict(0))
    driver.wait_in_force(60)

    def change(count: int) -> None:
        driver.sync_security_group(_strict(count))
        driver.wait_in_force(60)

    [milliseconds] = timed(lambda: change(RULES), 1)
    tell(f"{RULES} rules on {MEMBERS} ports in force, {where}", "ms", milliseconds)
    [one] = timed(lambda: change(RULES + 1), 1)
    tell(f"one rule more in force, {where}", "ms", one)


def _strict(count: int) -> SecurityGroupPlan:
    some = [
        plans.rule("ingress", "tcp", port_range_min=1000 + number, port_range_max=1000 + number)
        for number in range(count)
    ]
    return plans.group("strict", *plans.EGRESS, *some)


def _port(name: str, number: int, *more: str) -> PortPlan:
    address = f"10.0.{1 + number // 250}.{1 + number % 250}"
    groups = [OPEN.id, *(plans.uid(each) for each in more)]
    plan = plans.port(name, HOME, address, host=HOST, security_group_ids=groups)
    return msgspec.structs.replace(plan, hostname=name)


def _rate(name: str, works: list[Callable[[], None]]) -> None:
    began, used = time.perf_counter(), time.process_time()
    for work in works:
        work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    tell(name, "1/s", len(works) / seconds, cpu_ms=round(cpu / len(works) * 1000, 2))


if __name__ == "__main__":
    main()
