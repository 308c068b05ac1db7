"""The walks on a real cloud: guests boot, packets flow, and all of it survives a kill."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.node import processes
from cumulo.walks import private, provider, reach
from cumulo.walks.client import Client, Refused
from cumulo.walks.walk import Walk
from tests.browser import LIT, browser
from tests.chaos.inside import inside
from tests.waiting import eventually
from tests.walks import power, projects
from tests.walks.clouds import CommandCloud

# The addresses that the other project has too, but those that its guests got.
OWN = (
    "--subnet-range",
    "192.168.10.0/24",
    "--allocation-pool",
    "start=192.168.10.200,end=192.168.10.220",
)
pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def walk(real: CommandCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    client = real.client()
    yield Walk(client, tmp_path_factory.mktemp("walk"), tell=print)
    client.close()


@pytest.fixture(scope="module")
def direct(walk: Walk, guest_image: Path) -> str:
    """The address of a guest on the provider network."""
    provider.identity(walk)
    provider.flavor_and_image(walk, guest_image)
    provider.flat_network(walk)
    provider.access(walk)
    address = provider.boot(walk)
    provider.log_in(walk, address)
    return address


@pytest.fixture(scope="module")
def floating(walk: Walk, direct: str) -> str:
    """The floating IP of a guest on a private network."""
    private.networks(walk)
    private.guest(walk)
    address = private.floating_ip(walk)
    private.log_in(walk, address)
    return address


def test_a_guest_on_the_provider_network_is_reached(walk: Walk, direct: str) -> None:
    assert re.fullmatch(r"192\.168\.56\.1\d\d", direct)
    assert walk.await_login(direct) == "demo-instance"
    log = provider.console_log(walk)
    assert f"GUEST-READY hostname=demo-instance eth0={direct}/24" in log
    assert "GUEST-DATASOURCE openstack" in log


def test_the_lists_that_are_looked_at_first(walk: Walk, direct: str) -> None:
    def names(column: str, *words: str) -> set[str]:
        return {str(row[column]) for row in walk.client.rows(*words)}

    kinds = {"identity", "image", "compute", "network", "placement", "volumev3", "object-store"}
    assert names("Type", "catalog", "list") == names("Type", "service", "list") >= kinds
    assert names("Service Type", "endpoint", "list") >= kinds
    assert names("Name", "user", "list") >= {"admin", "demo"}
    assert names("State", "hypervisor", "list") == {"up"}
    assert names("State", "compute", "service", "list") == {"up"}
    assert names("State", "volume", "service", "list") == {"up"}
    assert names("Alive", "network", "agent", "list") == {"True"}


def test_a_browser_shows_the_screen(
    real: CommandCloud, walk: Walk, direct: str, tmp_path: Path
) -> None:
    def lit() -> int:
        return int(page.evaluate(LIT))

    with inside(real.net), browser(tmp_path) as page:
        page.go(walk.client.value("url", "console", "url", "show", provider.SERVER))
        said = "document.getElementById('status').textContent"
        eventually(lambda: lit() > 500, 120, lambda: page.evaluate(said), every_s=0.2)


def test_projects_and_users(real: CommandCloud, walk: Walk, direct: str) -> None:
    projects.walk(real, walk.client)


def test_a_guest_behind_a_router_is_reached(walk: Walk, floating: str) -> None:
    assert floating.startswith("203.0.113.")
    assert walk.await_login(floating) == "vm1"


def test_guests_of_one_project_talk_and_those_of_two_do_not(
    real: CommandCloud, walk: Walk, floating: str
) -> None:
    def boot(openstack: Client, name: str, network: str) -> str:
        options = ["--flavor", "m1.nano", "--image", "cirros", "--network", network]
        openstack.run("server", "create", "--wait", *options, name)
        return str(openstack.show("server", "show", name)["addresses"][network][0])

    def reaches(address: str) -> bool:
        said = walk.await_login(floating, f"ping -c1 -W2 {address}; true")
        return "1 packets received" in said

    demo = real.client("demo")
    try:
        demo.run("network", "create", "own-net")
        demo.run("subnet", "create", "--network", "own-net", *OWN, "own-subnet")
        beside, strange = boot(walk.client, "vm2", "private-net"), boot(demo, "vm3", "own-net")
        reach.until("vm1 to reach vm2", lambda: reaches(beside), within_s=300)
        log = ("console", "log", "show", "vm3")
        reach.until("vm3 to run", lambda: "GUEST-READY" in demo.run(*log), within_s=300)
        assert f"eth0={strange}/24" in demo.run(*log)
        assert not reaches(strange)
        walk.client.run("server", "delete", "--wait", "vm2")
        demo.run("server", "delete", "--wait", "vm3")
        demo.run("network", "delete", "own-net")
    finally:
        demo.close()


def test_power(walk: Walk, direct: str) -> None:
    openstack = walk.client
    for action, status in power.ACTIONS:
        openstack.run("server", action, provider.SERVER)
        walk.await_status(provider.SERVER, status)
        answers = reach.ping(direct, openstack.prefix)
        assert not (answers and status != "ACTIVE"), f"it answers in {status}"
    walk.await_ping(direct)
    run = walk.await_login(direct, "cat /proc/sys/kernel/random/boot_id")
    openstack.run("server", "reboot", "--hard", provider.SERVER)
    reach.until("another boot", lambda: _boot(walk, direct) not in (run, None), within_s=120)
    walk.await_status(provider.SERVER)


def test_everything_survives_a_kill(
    real: CommandCloud, walk: Walk, direct: str, floating: str
) -> None:
    runs = {address: _boot(walk, address) for address in (direct, floating)}
    _kill_all(real)
    assert real.cumulo("status").returncode == 3
    real.up()
    assert real.cumulo("status").returncode == 0
    assert {address: _boot(walk, address) for address in runs} == runs
    for name in (provider.SERVER, private.SERVER):
        walk.await_status(name)
    walk.client.run("server", "delete", "--wait", private.SERVER)
    reach.until("the guest to be gone", lambda: not reach.ping(floating, real.prefix), 30)


def test_down_leaves_the_machine_as_it_was(real: CommandCloud, direct: str) -> None:
    _kill_all(real)
    assert _links(real) != ["lo"]
    namespaces = {f"ovnmeta-{path.stem}" for path in (real.state / "metadata").glob("*.json")}
    assert namespaces <= _namespaces()
    real.down()
    assert _links(real) == ["lo"]
    assert str(real.state) not in Path("/proc/mounts").read_text()
    assert not _processes_with(str(real.state))
    assert not namespaces & _namespaces()
    assert not list((real.state / "run").iterdir())


def test_what_was_there_is_there_again(real: CommandCloud, walk: Walk, direct: str) -> None:
    real.up()
    walk.await_status(provider.SERVER, "SHUTOFF")
    walk.client.run("server", "start", provider.SERVER)
    walk.await_status(provider.SERVER)
    assert walk.await_login(direct) == "demo-instance"
    walk.client.run("server", "delete", "--wait", provider.SERVER)
    with pytest.raises(Refused, match="No Server found"):
        walk.client.show("server", "show", provider.SERVER)


def _boot(walk: Walk, address: str) -> str | None:
    """Return what names this run of the guest's kernel."""
    return reach.ssh(
        address,
        walk.key,
        "cat /proc/sys/kernel/random/boot_id",
        prefix=walk.client.prefix,
    )


def _kill_all(cloud: CommandCloud) -> None:
    """Kill the program, its part without rights and every daemon of theirs."""
    program = processes.notes(cloud.state)["cumulo"].process()
    daemons = processes.marked(cloud.state / "run")
    assert program is not None
    assert len(daemons) >= 6
    for process in (program, *daemons):
        process.end(9, grace_s=10)


def _links(cloud: CommandCloud) -> list[str]:
    command = [*cloud.prefix, "ip", "-brief", "link"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in told.splitlines()]


def _namespaces() -> set[str]:
    told = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in told.splitlines()}


def _processes_with(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found += [command] if text in command else []
    return found
