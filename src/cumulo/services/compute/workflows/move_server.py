"""To another host without a stop: where hosts share their guests' disks and memory."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute import guests, moves, networking, servers
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import plug_in, reached, remove_guest
from cumulo.services.compute.workflows.leave_host import LEAVE_HOST, LeaveHost
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
    migration = migrations.migration_get(tx, params.migration)
    host = moves.place(tx, migration, params.host, tools.settings, tools.health)
    actions.event_start(tx, params.action, _EVENT, migration.source_host)
    migrations.migration_update(tx, migration.uuid, status="running")
    return Placed(migration.source_host or "", host)


def unplace(run: Run) -> None:
    """Give the room back."""

    def undo(tx: Tx) -> None:
        moves.unplace(tx, migrations.migration_get(tx, run.params.migration))

    run.db.write(undo)


def arrive(run: Run) -> None:
    """Let the guest be there too, as it is here."""
    params = run.params
    spec = run.db.read(guests.spec_of, params.server_id, run.tools)
    server = run.db.read(store.server_get, params.server_id)
    with reached(run, run.result_of(place).dest) as node:
        node.ensure_guest(spec)
        node.ensure_power(spec.id, "paused" if server.vm_state == "paused" else "running")


def vanish(run: Run) -> None:
    """Remove it there."""
    placed = run.find_result_of(place)
    if placed is not None:
        remove_guest(run, placed.dest, run.params.server_id)


def plug(run: Run) -> None:
    """Bind the ports there."""
    plug_in(run, run.params.server_id, run.result_of(place).dest)


def unplug(run: Run) -> None:
    """Bind the ports where the guest was."""
    placed = run.find_result_of(place)
    if placed is not None:
        run.db.write(networking.bind_ports, run.params.server_id, placed.source)


def settle(run: Run) -> None:
    """Say where the server is now, and have what is left of it removed."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params, migration = run.params, migrations.migration_get(tx, run.params.migration)
    placement.release(tx, migration.uuid)
    moves.finish(tx, migration, "completed", kept=migration.new_flavor)
    store.server_update(tx, params.server_id, host=migration.dest_host, task_state=None)
    actions.event_finish(tx, params.action, _EVENT)
    left = LeaveHost(server_id=params.server_id, host=migration.source_host or "")
    start(tx, LEAVE_HOST, left, subject=params.server_id, ctx=run)
    server = store.server_get(tx, params.server_id)
    servers.record(tx, run, server, "moved", host=server.host)


def give_up(run: Run) -> None:
    """Leave the server where it was and keep the reason with the action."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    told = run.error.message if run.error else "interrupted"
    migration = migrations.migration_get(tx, run.params.migration)
    try:
        moves.finish(tx, migration, "error", kept=migration.old_flavor)
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
        Step(arrive, undo=vanish),
        Step(plug, undo=unplug),
        Step(settle),
    ],
    failed=give_up,
)
