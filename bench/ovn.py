"""`python -m bench.ovn`: how fast a real OVN is told things, as root, in namespaces of its own.

First by the driver alone, then through the API of a cloud, until every host has what was made.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from bench.http import Cloud, tell, timed, together
from cumulo.services.network.drivers.base import PortPlan, SecurityGroupPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.conformance.__main__ import real_cloud
from tests.fabric import HOST, running_site
from tests.guests import Guest
from tests.network.drivers import plans
from tests.waiting import eventually

MANY, RULES, MEMBERS, CLIENTS = 300, 100, 50, 8
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
    through_the_api()


def through_the_api() -> None:
    """Make networks, ports and rules by HTTP, and wait until they are in force."""
    with (
        tempfile.TemporaryDirectory(prefix="cumulo-", dir="/var/tmp") as short,
        real_cloud(Path(short) / "s") as real,
    ):
        os.environ |= real.environment("admin")
        cloud = Cloud(os.environ["OS_AUTH_URL"])
        cloud.log_in()
        own = cloud.json("GET", "identity", "/auth/tokens", **{"X-Subject-Token": cloud.token})
        limits = dict.fromkeys(("network", "subnet", "port", "security_group_rule"), -1)
        path = f"/v2.0/quotas/{own['token']['project']['id']}"
        cloud.json("PUT", "network", path, {"quota": limits})
        remotes = (f"unix:{real.state}/ovn/{part}.sock" for part in ("nb", "sb"))
        with closing(OvnDriver(*remotes)) as driver:
            _made_by_http(cloud, driver)


def _made_by_http(cloud: Cloud, driver: OvnDriver) -> None:
    def make(noun: str, **facts: object) -> str:
        made = cloud.json("POST", "network", f"/v2.0/{noun.replace('_', '-')}s", {noun: facts})
        return str(made[noun]["id"])

    def rate(name: str, unit: str, work: Callable[[], object]) -> None:
        before = len(getattr(driver.present(), unit))
        began = time.perf_counter()
        accepted = together([work] * MANY, CLIENTS)
        eventually(lambda: len(getattr(driver.present(), unit)) >= before + MANY, 120)
        driver.wait_in_force(60)
        seconds = time.perf_counter() - began
        tell(name, "1/s", MANY / seconds, clients=CLIENTS, accepted=round(MANY / accepted, 1))

    rate("networks made by HTTP, in force", "networks", partial(make, "network", name="bench"))
    home = make("network", name="home")
    make("subnet", network_id=home, cidr="10.0.0.0/16", ip_version=4)
    strict = make("security_group", name="strict")
    rate("ports made by HTTP, in force", "ports", partial(make, "port", network_id=home))
    for _ in range(MEMBERS):
        make("port", network_id=home, security_groups=[strict])
    _rules_by_http(cloud, driver, strict)


def _rules_by_http(cloud: Cloud, driver: OvnDriver, group_id: str) -> None:
    """Give a group of 50 ports 100 rules in one request."""

    def rule(number: int) -> dict[str, object]:
        ports = dict.fromkeys(("port_range_min", "port_range_max"), 1000 + number)
        way = {"direction": "ingress", "protocol": "tcp"}
        return {"security_group_id": group_id, **way, **ports}

    def acls() -> int:
        found = driver._north.read(lambda north: north.rows("ACL"))
        return sum(
            f"security_group {group_id}" in str(row["external_ids"]) for row in found.values()
        )

    eventually(lambda: acls() > 0, 60)
    driver.wait_in_force(60)
    before, began = acls(), time.perf_counter()
    body = {"security_group_rules": [rule(number) for number in range(RULES)]}
    cloud.json("POST", "network", "/v2.0/security-group-rules", body)
    eventually(lambda: acls() == before + RULES, 60)
    driver.wait_in_force(60)
    milliseconds = (time.perf_counter() - began) * 1000
    tell(f"{RULES} rules on {MEMBERS} ports made by HTTP, in force", "ms", milliseconds)


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
