"""Killed at every step of making and of deleting servers, a cloud ends what was begun.

All moments are tried at once: a server for each stands still there, then everything is killed.
"""

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from cumulo.node import processes
from cumulo.services.compute.workflows.create_server import CREATE_SERVER
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER
from cumulo.work import Workflow
from tests.chaos.inside import Speaker
from tests.chaos.machine import Look, at_rest, disagreements_of, kill_apis, look, more
from tests.waiting import eventually as _eventually
from tests.walks.clouds import CommandCloud

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
DISK = b"a disk that no firmware would start from".ljust(1 << 20, b"\0")
PATIENCE_S = 400.0
# A look at a cloud costs it some time.
eventually = functools.partial(_eventually, every_s=0.3)
soon = functools.partial(_eventually, every_s=0.005, within_s=PATIENCE_S)


class Site:
    """What servers are made of in one cloud, and what is there without any."""

    def __init__(self, cloud: CommandCloud, speak: Speaker) -> None:
        self.cloud, self.speak = cloud, speak
        image = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
        self.image = speak.make("image", "/v2/images", image)["id"]
        kind = {"Content-Type": "application/octet-stream"}
        sent = speak("PUT", "image", f"/v2/images/{self.image}/file", body=DISK, headers=kind)
        assert sent.status == 204, sent.text
        flavor = {"name": "tiny", "ram": 64, "vcpus": 1, "disk": 1}
        self.flavor = speak.make("compute", "/v2.1/flavors", {"flavor": flavor})["id"]
        network = {"network": {"name": "private"}}
        self.network = speak.make("network", "/v2.0/networks", network)["id"]
        cloud.networks.add(self.network)
        subnet = {"network_id": self.network, "cidr": "10.9.0.0/24", "ip_version": 4}
        speak.make("network", "/v2.0/subnets", {"subnet": subnet})
        quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        project = speak.project()
        assert speak("PUT", "compute", f"/v2.1/os-quota-sets/{project}", quota).status == 200
        self.volumes = f"/v3/{project}/volumes"
        quota = {"quota_set": {"volumes": -1, "gigabytes": -1, "snapshots": -1}}
        limits = f"/v3/{project}/os-quota-sets/{project}"
        assert speak("PUT", "volume", limits, quota).status == 200

    def boot(self, name: str, **more: Any) -> str:
        spec: dict[str, Any] = {"name": name, "flavorRef": self.flavor, "imageRef": self.image}
        spec |= {"networks": [{"uuid": self.network}], "config_drive": True} | more
        return str(self.speak.make("compute", "/v2.1/servers", {"server": spec})["id"])

    def delete(self, server_id: str) -> None:
        self.speak.delete("compute", f"/v2.1/servers/{server_id}")

    def servers(self) -> dict[str, dict[str, Any]]:
        """Return the servers that are not at rest in any way, and those that are, by name."""
        answer = self.speak("GET", "compute", "/v2.1/servers/detail")
        assert answer.status == 200, answer.text
        return {server["name"]: server for server in answer.json()["servers"]}

    def parked(self) -> set[str]:
        directory = self.cloud.state / "control" / "parked"
        return {path.name for path in directory.iterdir()} if directory.exists() else set()

    def is_at_rest(self) -> bool:
        servers = self.servers().values()
        return not any(server["OS-EXT-STS:task_state"] for server in servers) and not any(
            server["status"] == "BUILD" for server in servers
        )

    def disagreements(self) -> list[str]:
        return disagreements_of(self.cloud)


@pytest.fixture(scope="module")
def site(real: CommandCloud, speak: Speaker) -> Site:
    return Site(real, speak)


@pytest.fixture(scope="module")
def empty(site: Site) -> Look:
    """The cloud when it has no servers, and had one."""
    first = site.boot("first")
    eventually(lambda: site.servers()["first"]["status"] == "ACTIVE", PATIENCE_S)
    site.delete(first)
    eventually(lambda: not site.servers(), PATIENCE_S)
    eventually(lambda: not site.disagreements(), PATIENCE_S)
    return look(site.cloud)


def moments(*workflows: Workflow[Any, Any]) -> Iterator[str]:
    for workflow in workflows:
        for step in workflow.steps:
            for when in ("before", "after"):
                yield f"{workflow.name}:{step.name}:{when}"


def kill_all(cloud: CommandCloud) -> None:
    """Kill the program, its part without rights and every daemon of theirs."""
    program = processes.notes(cloud.state)["cumulo"].process()
    assert program is not None
    program.end(9, grace_s=10)  # first, so that it starts nothing again
    for process in processes.marked(cloud.state / "run"):
        process.end(9, grace_s=10)


def nothing_left(site: Site, empty: Look) -> None:
    def left() -> dict[str, list[str]]:
        return more(empty, look(site.cloud))

    eventually(lambda: not site.servers(), PATIENCE_S, tell=site.servers)
    eventually(lambda: not left(), PATIENCE_S, tell=left)
    eventually(lambda: not site.disagreements(), PATIENCE_S, tell=site.disagreements)


def test_everything_is_killed_at_every_step(site: Site, empty: Look) -> None:
    dying = {name: site.boot(name) for name in moments(DELETE_SERVER)}
    eventually(site.is_at_rest, PATIENCE_S)
    for server_id in dying.values():
        site.delete(server_id)
    for name in moments(CREATE_SERVER):
        site.boot(name)
    every = {*moments(CREATE_SERVER, DELETE_SERVER)}
    eventually(lambda: site.parked() == every, PATIENCE_S, tell=lambda: every - site.parked())

    kill_all(site.cloud)
    site.cloud.up()
    eventually(site.is_at_rest, PATIENCE_S, tell=site.servers)
    for server in site.servers().values():
        failed = server["status"] == "ERROR" and server["fault"]["message"]
        assert server["status"] == "ACTIVE" or failed, server
    assert not dying.keys() & site.servers().keys()
    eventually(lambda: not site.disagreements(), PATIENCE_S, tell=site.disagreements)
    for server in site.servers().values():
        site.delete(server["id"])
    nothing_left(site, empty)


def test_what_is_deleted_at_any_step_of_its_making_is_gone(site: Site, empty: Look) -> None:
    for path in (site.cloud.state / "control" / "parked").glob("*"):
        path.unlink()
    begun = {name: site.boot(name) for name in moments(CREATE_SERVER)}
    eventually(lambda: site.parked() == begun.keys(), PATIENCE_S)
    for server_id in begun.values():
        site.delete(server_id)
    kill_apis(site.cloud)
    eventually(site.speak.is_answered, PATIENCE_S)
    nothing_left(site, empty)


def test_a_start_is_killed_as_each_daemon_comes_up(real: CommandCloud) -> None:
    run = real.state / "run"
    before = at_rest(real)["processes"]
    names = sorted(processes.notes(run))
    assert len(names) >= 6

    def is_up(name: str) -> bool:
        note = processes.notes(run).get(name)
        return note is not None and note.process() is not None

    kill_all(real)
    for name in names:
        with real.begin("up", "--detach") as starting:
            soon(functools.partial(is_up, name))
            kill_all(real)
            assert starting.wait(60) == 1, name
    real.up()
    assert real.cumulo("status").returncode == 0
    assert at_rest(real)["processes"] == before
