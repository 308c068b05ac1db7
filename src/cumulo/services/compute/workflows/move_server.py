"""To another host without a stop: hosts share their guests, or one sends the other its own."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.node.api import HostError
from cumulo.node.moving import Arrival
from cumulo.services.compute import (
    consoles,
    guests,
    live_moves,
    moves,
    networking,
    servers,
    volumes,
)
from cumulo.services.compute.scheduler.schedule import NoValidHost
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import (
    LOG,
    plug_in,
    reached,
    reached_to_move,
    remove_guest,
    tried,
)
from cumulo.services.compute.workflows.leave_host import LEAVE_HOST, LeaveHost
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, start

_EVENT = "compute_live_migration"


class MoveServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, on which move, and to which host if one was named."""

    server_id: str
    action: int
    migration: str
    host: str | None = None


class Placed(msgspec.Struct, frozen=True):
    """Whence and where to."""

    source: str
    dest: str


Run: TypeAlias = _Run[MoveServer, Tools]


def place(run: Run) -> Placed:
    """Choose a host and take the room there."""
    return run.db.write(_place, run.params, run.tools)


def _place(tx: Tx, params: MoveServer, tools: Tools) -> Placed:
    live_moves.check_wanted(tx, params.migration)
    migration = migrations.migration_get(tx, params.migration)
    host = moves.place(tx, migration, params.host, tools)
    actions.event_start(tx, params.action, _EVENT, migration.source_host)
    migrations.migration_update(tx, migration.uuid, status="running")
    return Placed(migration.source_host or "", host)


def unplace(run: Run) -> None:
    """Give the room back."""
    if _has_left(run):
        return

    def undo(tx: Tx) -> None:
        moves.unplace(tx, migrations.migration_get(tx, run.params.migration))

    run.db.write(undo)


def expect(run: Run) -> Arrival | None:
    """Have the host there make ready, unless it shares guests with this one."""
    placed, params = run.result_of(place), run.params
    ways = run.db.read(moves.ways, placed.source, placed.dest)
    if ways is None:
        return None
    run.db.read(live_moves.check_wanted, params.migration)
    spec = run.db.read(guests.spec_of, params.server_id, run.tools)
    with reached_to_move(run, placed.source) as node:
        node.offer_guest(params.server_id, placed.dest)
    with reached_to_move(run, placed.dest) as node:
        return node.expect_guest(guests.with_secrets(run.tools, spec), ways[0])


def arrive(run: Run) -> None:
    """Let the guest be there, as it is here."""
    params, placed = run.params, run.result_of(place)
    ways = run.db.read(moves.ways, placed.source, placed.dest)
    arrival = run.result_of(expect)
    if not _has_left(run):
        run.db.read(live_moves.check_wanted, params.migration)
    if ways is not None and arrival is not None:
        with reached_to_move(run, placed.source) as node:
            node.send_guest(params.server_id, ways[1], arrival)
        return
    spec = run.db.read(guests.spec_of, params.server_id, run.tools)
    server = run.db.read(store.server_get, params.server_id)
    with reached(run, placed.dest) as node:
        node.ensure_guest(guests.with_image(run.tools, spec))
        node.ensure_power(spec.id, "paused" if server.vm_state == "paused" else "running")


def vanish(run: Run) -> None:
    """Remove it there, unless it is there only."""
    placed = run.find_result_of(place)
    if placed is not None and not _has_left(run):
        remove_guest(run, placed.dest, run.params.server_id)


def _has_left(run: Run) -> bool:
    """Say whether a guest that was sent is gone from where it was: then there is no way back."""
    placed, server_id = run.find_result_of(place), run.params.server_id
    if placed is None or run.find_result_of(expect) is None or run.cancelled():
        return False
    for host, present in ((placed.dest, True), (placed.source, False)):
        with tried(run, host) as node:
            found = node.guests().get(server_id)
            if (found is not None and found.power in ("running", "paused")) != present:
                return False
    return True


def plug(run: Run) -> None:
    """Bind the ports there, and take the guest that was sent for one of that host."""
    dest = run.result_of(place).dest
    try:
        plug_in(run, run.params.server_id, dest)
        if run.result_of(expect) is not None:
            with reached_to_move(run, dest) as node:
                node.settle_guest(run.params.server_id)
    except HostError as error:
        if run.result_of(expect) is None:
            raise
        # It has left for good; that its host died since is not this move's to mend.
        LOG.warning("host of a guest that was sent is down", host=dest, reason=error.message)


def unplug(run: Run) -> None:
    """Bind the ports where the guest was."""
    placed = run.find_result_of(place)
    if placed is not None and not _has_left(run):
        run.db.write(networking.bind_ports, run.params.server_id, placed.source)


def settle(run: Run) -> None:
    """Say where the server is now, and have what is left of it removed."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params, migration = run.params, migrations.migration_get(tx, run.params.migration)
    placement.release(tx, migration.uuid)
    moves.finish(tx, migration, "completed", kept=migration.new_flavor)
    store.server_update(tx, params.server_id, host=migration.dest_host, task_state=None)
    consoles.close(tx, params.server_id)
    actions.event_finish(tx, params.action, _EVENT)
    left = LeaveHost(server_id=params.server_id, host=migration.source_host or "")
    start(tx, LEAVE_HOST, left, subject=params.server_id, ctx=run)
    volumes.has_moved(tx, cloud_of(run), params.server_id, migration.dest_host or "")
    server = store.server_get(tx, params.server_id)
    servers.record(tx, run, server, "moved", host=server.host)


def give_up(run: Run) -> None:
    """Leave the server where it was and keep the reason with the action.

    One whose guest was sent before is where that is: it cannot be called back.
    """
    if _has_left(run):
        plug(run)
        settle(run)
    else:
        run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    told = run.error.message if run.error else "interrupted"
    migration = migrations.migration_get(tx, run.params.migration)
    if run.error and run.error.kind == NoValidHost.__name__ and migration.is_open:
        tools = run.tools
        moves.keep_refusal(tx, migration, run.params.host, tools.settings, tools.health)
    try:
        status = migration.status if migration.status == live_moves.CANCELLED else "error"
        moves.finish(tx, migration, status, kept=migration.old_flavor)
        server = store.server_get(tx, migration.server_id)
    except NotFound:
        return
    servers.note_fault(tx, server, told)
    store.server_move(tx, server.id, expected=["active", "paused"], task_state=None)
    actions.events_fail(tx, run.params.action, told)
    servers.record(tx, run, server, "move failed", reason=told)


MOVE_SERVER = Workflow(
    "compute.move_server",
    MoveServer,
    [
        Step(place, undo=unplace),
        Step(expect, undo=vanish),
        Step(arrive, undo=vanish),
        Step(plug, undo=unplug),
        Step(settle),
    ],
    failed=give_up,
)
