"""Away from a host that is dead: the guest is made anew on another, from its image.

What is left of it on the dead host goes when that comes back.
"""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute import (
    consoles,
    guests,
    moves,
    networking,
    servers,
    states,
    volumes,
)
from cumulo.services.compute.scheduler.schedule import NoValidHost
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import plug_in, reached, remove_guest
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_rebuild_instance"


class EvacuateServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, on which move, to which host if one was named, and how it is left there."""

    server_id: str
    action: int
    migration: str
    host: str | None = None
    admin_pass: str | None = None  # only where a config drive carries it
    stopped: bool = False


class Placed(msgspec.Struct, frozen=True):
    """Whence and where to."""

    source: str
    dest: str


Run: TypeAlias = _Run[EvacuateServer, Tools]


def place(run: Run) -> Placed:
    """Choose a host and take the room there."""
    return run.db.write(_place, run.params, run.tools)


def _place(tx: Tx, params: EvacuateServer, tools: Tools) -> Placed:
    migration = migrations.migration_get(tx, params.migration)
    host = moves.place(tx, migration, params.host, tools)
    actions.event_start(tx, params.action, _EVENT, host)
    return Placed(migration.source_host or "", host)


def unplace(run: Run) -> None:
    """Give the room back."""

    def undo(tx: Tx) -> None:
        moves.unplace(tx, migrations.migration_get(tx, run.params.migration))

    run.db.write(undo)


def plug(run: Run) -> None:
    """Bind the ports there."""
    plug_in(run, run.params.server_id, run.result_of(place).dest)


def unplug(run: Run) -> None:
    """Bind the ports to the dead host again; nobody there needs to be told."""
    placed = run.find_result_of(place)
    if placed is not None:
        run.db.write(networking.bind_ports, run.params.server_id, placed.source)


def spawn(run: Run) -> None:
    """Make the guest, and leave it stopped if it is to be."""
    params = run.params
    run.db.write(_move_on, params.server_id)
    spec = run.db.read(guests.spec_of, params.server_id, run.tools, params.admin_pass)
    with reached(run, run.result_of(place).dest) as node:
        node.ensure_guest(guests.with_image(run.tools, spec))
        if params.stopped:
            node.ensure_power(spec.id, "stopped", 0)


def _move_on(tx: Tx, server_id: str) -> None:
    store.server_update(tx, server_id, task_state="rebuild_spawning")


def destroy(run: Run) -> None:
    """Remove it."""
    placed = run.find_result_of(place)
    if placed is not None:
        remove_guest(run, placed.dest, run.params.server_id)


def settle(run: Run) -> None:
    """Say where the server is now."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params, migration = run.params, migrations.migration_get(tx, run.params.migration)
    placement.release(tx, migration.uuid)
    moves.finish(tx, migration, "done", kept=migration.new_flavor)
    store.server_update(
        tx,
        params.server_id,
        host=migration.dest_host,
        vm_state="stopped" if params.stopped else "active",
        power_state=states.SHUTDOWN if params.stopped else states.RUNNING,
        task_state=None,
        launched_at=clock.now(),
    )
    consoles.close(tx, params.server_id)
    actions.event_finish(tx, params.action, _EVENT)
    volumes.has_moved(tx, cloud_of(run), params.server_id, migration.dest_host or "")
    server = store.server_get(tx, params.server_id)
    servers.record(tx, run, server, "evacuated", host=server.host)


def give_up(run: Run) -> None:
    """Leave the server where it was and keep the reason with the action."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    told = run.error.message if run.error else "interrupted"
    migration = migrations.migration_get(tx, run.params.migration)
    if run.error and run.error.kind == NoValidHost.__name__ and migration.is_open:
        tools = run.tools
        moves.keep_refusal(tx, migration, run.params.host, tools.settings, tools.health)
    try:
        moves.finish(tx, migration, "error", kept=migration.old_flavor)
        server = store.server_get(tx, migration.server_id)
    except NotFound:
        return
    servers.fail(tx, server, told, told)
    actions.events_fail(tx, run.params.action, told)
    servers.record(tx, run, server, "evacuation failed", reason=told)


EVACUATE_SERVER = Workflow(
    "compute.evacuate_server",
    EvacuateServer,
    [
        Step(place, undo=unplace),
        Step(plug, undo=unplug),
        Step(spawn, undo=destroy),
        Step(settle),
    ],
    failed=give_up,
)
