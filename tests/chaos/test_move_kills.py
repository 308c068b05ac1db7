"""Killed at every step of what takes servers from host to host, two machines end it.

All moments are tried at once: a server for each stands still there, then everything is killed.
Afterwards each server is on one host, and all that knows of it agrees on which.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.node import processes
from cumulo.services.compute.workflows.confirm_resize import CONFIRM_RESIZE
from cumulo.services.compute.workflows.evacuate_server import EVACUATE_SERVER
from cumulo.services.compute.workflows.leave_host import LEAVE_HOST
from cumulo.services.compute.workflows.move_server import MOVE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
from cumulo.services.compute.workflows.revert_resize import REVERT_RESIZE
from cumulo.services.compute.workflows.steer_move import STEER_MOVE
from cumulo.work import Workflow
from tests.chaos.conftest import PARKING, SETTINGS
from tests.chaos.inside import Speaker
from tests.chaos.machine import Look, hosts_of, look
from tests.chaos.test_deed_kills import await_all, doctor, larger
from tests.chaos.test_kills import PATIENCE_S, Site, eventually, kill_all, nothing_left
from tests.walks.racks import Machine, bytes_sent, rack, slowed

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
HERE, THERE = "rack1", "rack2"
LIVE, RESIZED = (MOVE_SERVER, LEAVE_HOST), (RESIZE_SERVER, CONFIRM_RESIZE, REVERT_RESIZE)
SENT, STEERED = f"{MOVE_SERVER.name}:expect:after", f"{STEER_MOVE.name}:tell:after"
# Deleted where it stands still, called back, and hurried.
DELETED, ABORTED, HURRIED = "+deleted", f"{SENT}+{STEERED}+abort", f"{SENT}+{STEERED}+hurry"
VERSION = {"X-OpenStack-Nova-API-Version": "2.30"}


class Pair(Site):
    """Two machines of one cloud; the first has the cloud."""

    def __init__(self, machines: list[Machine], speak: Speaker) -> None:
        super().__init__(machines[0], speak)
        self.machines = machines

    def boot_on(self, host: str, names: Iterable[str]) -> dict[str, str]:
        """Boot servers, each named after its moment, on a host; return their ids."""
        names = [*names]
        ids = {name: self.boot(name, availability_zone=f"nova:{host}") for name in names}
        await_all(self, {**dict.fromkeys(self.servers(), "ACTIVE")})
        return ids

    def act(self, server_id: str, name: str, body: Any = None) -> None:
        place = f"/v2.1/servers/{server_id}/action"
        answer = self.speak("POST", "compute", place, {name: body}, headers=VERSION)
        assert answer.status in (200, 202, 204), (name, answer.text)

    def change(self, host: str, change: str, **more: Any) -> None:
        """Change the compute service of a host."""
        body = {"host": host, "binary": "nova-compute"} | more
        place = f"/v2.1/os-services/{change}"
        answer = self.speak("PUT", "compute", place, body, headers=VERSION)
        assert answer.status == 200, answer.text

    def steer(self, server_id: str, *, abort: bool) -> None:
        """Call the move of a server back, or hurry it."""
        place = f"/v2.1/servers/{server_id}/migrations"
        [move] = self.speak("GET", "compute", place, headers=VERSION).json()["migrations"]
        one, body = f"{place}/{move['id']}", None if abort else {"force_complete": None}
        method, path = ("DELETE", one) if abort else ("POST", f"{one}/action")
        answer = self.speak(method, "compute", path, body, headers=VERSION)
        assert answer.status == 202, answer.text

    def await_parked(self, wanted: Iterable[str]) -> None:
        every = {*wanted}
        eventually(lambda: self.parked() >= every, PATIENCE_S, tell=lambda: every - self.parked())

    def die(self) -> None:
        """Kill both programs and all daemons, and start both again."""
        kill_node(self.machines[1])
        kill_all(self.machines[0])
        self.machines[0].up()
        self.machines[1].start()

    def guests(self) -> dict[str, set[str]]:
        """Return on which machines each guest is."""
        found: dict[str, set[str]] = {}
        with hosts_of(self.cloud) as (_, nodes):
            for name in nodes.names():
                for guest in nodes.on(name).guests():
                    found.setdefault(guest, set()).add(name)
        return found

    def misplaced(self) -> list[str]:
        """Return which guests are not just where their servers are."""
        told, guests = [], self.guests()
        for server in self.servers().values():
            found = guests.pop(server["id"], set())
            host = server["OS-EXT-SRV-ATTR:host"]
            may = {HERE, THERE} if server["status"] == "VERIFY_RESIZE" else {host}
            if host not in found or not found <= may:
                told.append(f"{server['name']} is {server['status']} on {host}: {found}")
        return told + [f"{guest} has no server: {where}" for guest, where in guests.items()]

    def left_with(self, names: Iterable[str]) -> None:
        """Wait until nothing goes on and just these servers are there; others were to go."""
        wanted = {*names}

        def is_so() -> bool:
            return self.is_at_rest() and self.servers().keys() == wanted

        eventually(is_so, PATIENCE_S, tell=self.servers)

    def settled(self) -> None:
        """Wait until nothing goes on, and find every server whole and in its place."""
        eventually(self.is_at_rest, PATIENCE_S, tell=self.servers)
        for server in self.servers().values():
            assert server["status"] in ("ACTIVE", "SHUTOFF", "VERIFY_RESIZE"), server
        eventually(lambda: not self.misplaced(), PATIENCE_S, tell=self.misplaced)
        eventually(lambda: doctor(self) == [], PATIENCE_S, tell=lambda: doctor(self))

    def clear(self, empty: Look) -> None:
        """Delete everything, and find nothing left of it."""
        for server in self.servers().values():
            self.delete(server["id"])
        nothing_left(self, empty)
        assert not self.guests()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        tempfile.TemporaryDirectory(prefix="cu-") as short,
        rack(Path(short), 2, SETTINGS, PARKING) as machines,
    ):
        machines[0].up()
        done = machines[1].join(machines[0].token())
        assert done.returncode == 0, done.stdout + done.stderr
        pair = Pair(machines, Speaker(machines[0]))

        def hosts() -> set[str]:
            told = pair.speak("GET", "compute", "/v2.1/os-hypervisors").json()
            return {one["hypervisor_hostname"] for one in told["hypervisors"]}

        eventually(lambda: hosts() == {HERE, THERE}, PATIENCE_S, tell=hosts)
        yield pair


@pytest.fixture(scope="module")
def empty(pair: Pair) -> Look:
    """The cloud when it has no servers, and had one on each machine."""
    larger(pair.speak)
    for host in (HERE, THERE):
        for server_id in pair.boot_on(host, [host]).values():
            pair.delete(server_id)
        eventually(lambda: not pair.servers(), PATIENCE_S)
    eventually(lambda: not pair.disagreements(), PATIENCE_S)
    return look(pair.cloud)


def kill_node(machine: Machine) -> None:
    """Kill the program of a machine that joined, and every daemon of it."""
    program = processes.notes(machine.state)["cumulo"].process()
    assert program is not None
    program.end(9, grace_s=10)
    for process in processes.marked(machine.state / "run"):
        process.end(9, grace_s=10)


def moments(*workflows: Workflow[Any, Any]) -> list[str]:
    return [f"{one.name}:{step.name}:after" for one in workflows for step in one.steps]


def and_deleted(workflow: Workflow[Any, Any]) -> list[str]:
    return [f"{moment}{DELETED}" for moment in moments(workflow)]


def marks(names: Iterable[str]) -> set[str]:
    """Return what is left by servers that stand still at the first of their moments."""
    return {"@".join(dict.fromkeys((name, name.split("+")[0]))) for name in names}


def test_moves_are_killed_at_every_step(pair: Pair, empty: Look) -> None:
    ids = pair.boot_on(
        HERE, [*moments(*LIVE), *and_deleted(MOVE_SERVER), ABORTED, HURRIED, "stays"]
    )
    live = {*ids} - {"stays"}
    ids |= pair.boot_on(THERE, [*moments(*RESIZED), *and_deleted(RESIZE_SERVER)])
    for name in live:
        pair.act(ids[name], "os-migrateLive", {"host": THERE, "block_migration": "auto"})
    pair.await_parked(marks(live))
    resized(pair, {name: one for name, one in ids.items() if name not in live | {"stays"}})
    pair.steer(ids[ABORTED], abort=True)
    pair.steer(ids[HURRIED], abort=False)
    for name in [*ids]:
        if name.endswith(DELETED):
            pair.delete(ids.pop(name))
    pair.await_parked([f"{ABORTED}@{STEERED}", f"{HURRIED}@{STEERED}"])

    pair.die()
    pair.left_with(ids)
    pair.settled()
    servers = pair.servers()
    for name in live & ids.keys():
        ends = HERE if name == ABORTED else THERE
        assert servers[name]["OS-EXT-SRV-ATTR:host"] == ends, name
    tried = [one for one in servers.values() if one["status"] == "VERIFY_RESIZE"]
    for number, server in enumerate(tried):
        pair.act(server["id"], ("confirmResize", "revertResize")[number % 2])
    pair.settled()
    eventually(lambda: not pair.disagreements(), PATIENCE_S, tell=pair.disagreements)
    pair.clear(empty)


def resized(pair: Pair, ids: dict[str, str]) -> None:
    """Bring every server to its moment on the way to the other host."""
    pair.change(THERE, "disable")
    for server_id in ids.values():
        pair.act(server_id, "resize", {"flavorRef": "larger"})
    ending = {name for name in ids if not name.startswith(RESIZE_SERVER.name)}

    def waiting() -> list[str]:
        servers = pair.servers()
        return [name for name in ending if servers[name]["status"] != "VERIFY_RESIZE"]

    eventually(lambda: not waiting(), PATIENCE_S, tell=waiting)
    for name in ending:
        confirms = name.startswith(CONFIRM_RESIZE.name)
        pair.act(ids[name], "confirmResize" if confirms else "revertResize")
    pair.await_parked(marks(ids))
    pair.change(THERE, "enable")


@pytest.mark.parametrize("dying", [(HERE,), (THERE,), (HERE, THERE)], ids=" ".join)
def test_a_transfer_is_killed_on_its_way(pair: Pair, empty: Look, dying: tuple[str, ...]) -> None:
    [server_id] = pair.boot_on(HERE, ["sent"]).values()
    here, there = pair.machines
    with slowed(here, "1mbit"):
        pair.act(server_id, "os-migrateLive", {"host": THERE, "block_migration": "auto"})
        eventually(lambda: is_expected(there, server_id), PATIENCE_S)
        before = bytes_sent(here)
        eventually(lambda: bytes_sent(here) > before + 300_000, PATIENCE_S)
        assert pair.servers()["sent"]["status"] == "MIGRATING"
        if THERE in dying:
            kill_node(there)
        if HERE in dying:
            kill_all(here)

    if HERE in dying:
        here.up()
    if THERE in dying:
        there.start()
    pair.settled()
    eventually(lambda: not pair.disagreements(), PATIENCE_S, tell=pair.disagreements)
    pair.clear(empty)


def is_expected(machine: Machine, server_id: str) -> bool:
    """Say whether QEMU waits on a machine for a guest."""
    disks = f"{machine.state}/guests/{server_id}/"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_text(errors="replace")
            if "-incoming" in command and disks in command:
                return True
    return False


def test_evacuations_are_killed_at_every_step(pair: Pair, empty: Look) -> None:
    ids = pair.boot_on(THERE, [*moments(EVACUATE_SERVER), *and_deleted(EVACUATE_SERVER)])
    pair.machines[1].kill()
    pair.change(THERE, "force-down", forced_down=True)
    for server_id in ids.values():
        pair.act(server_id, "evacuate", {})
    pair.await_parked(marks(ids))
    for name in [*ids]:
        if name.endswith(DELETED):
            pair.delete(ids.pop(name))

    kill_all(pair.cloud)
    pair.machines[0].up()
    pair.left_with(ids)
    assert {name: one["OS-EXT-SRV-ATTR:host"] for name, one in pair.servers().items()} == (
        dict.fromkeys(ids, HERE)
    )
    pair.machines[1].start()
    pair.change(THERE, "force-down", forced_down=False)
    pair.settled()
    eventually(lambda: not pair.disagreements(), PATIENCE_S, tell=pair.disagreements)
    pair.clear(empty)
