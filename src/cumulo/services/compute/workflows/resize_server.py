"""From one size or host to another, up to where its owner decides whether it was right.

On the same host the guest's disks are kept as they were; on another the guest is left stopped on
the first.  Either way everything can be put back until the change is confirmed.
"""

from typing import TypeAlias, cast

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.node.api import GuestSpec, HostError, Power
from cumulo.node.moving import MovingNode
from cumulo.services.compute import (
    consoles,
    guests,
    local_disks,
    moves,
    networking,
    servers,
    states,
    volumes,
)
from cumulo.services.compute.moves import Migration
from cumulo.services.compute.scheduler.schedule import NoValidHost
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import (
    plug_in,
    reached,
    reached_to_move,
    remove_guest,
    tried,
)
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_PREPARE, _LEAVE, _FINISH = (
    "compute_prep_resize",
    "compute_resize_instance",
    "compute_finish_resize",
)


class ResizeServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, on which move, and to which host if one was named."""

    server_id: str
    action: int
    migration: str
    host: str | None = None


class Placed(msgspec.Struct, frozen=True):
    """Whence and where to."""

    source: str
    dest: str

    @property
    def stays(self) -> bool:
        """Say whether the host remains the same."""
        return self.source == self.dest


Run: TypeAlias = _Run[ResizeServer, Tools]


def place(run: Run) -> Placed:
    """Choose a host and take the room there."""
    return run.db.write(_place, run.params, run.tools)


def _place(tx: Tx, params: ResizeServer, tools: Tools) -> Placed:
    migration = migrations.migration_get(tx, params.migration)
    server = store.server_get(tx, migration.server_id)
    new, old = migration.new_flavor, migration.old_flavor
    is_root_smaller = server.image_id is not None and new["root_gib"] < old["root_gib"]
    has = local_disks.ephemeral_gib(local_disks.disks_of(tx, server))
    if is_root_smaller or new["ephemeral_gib"] < has:
        raise HostError("Resize error: Unable to resize disk down.")
    host = moves.place(tx, migration, params.host, tools)
    actions.event_start(tx, params.action, _PREPARE, host)
    actions.event_finish(tx, params.action, _PREPARE)
    return Placed(migration.source_host or "", host)


def unplace(run: Run) -> None:
    """Give the room back."""

    def undo(tx: Tx) -> None:
        moves.unplace(tx, migrations.migration_get(tx, run.params.migration))

    run.db.write(undo)


def leave(run: Run) -> None:
    """Stop the guest, and keep its disks as they are where it stays."""
    placed, server_id = run.result_of(place), run.params.server_id
    run.db.write(_show, run.params, "resize_migrating", "migrating", (_LEAVE, placed.source))
    with reached(run, placed.source) as node:
        node.ensure_power(server_id, "stopped", run.tools.settings.shutdown_timeout)
        if placed.stays:
            node.keep_disks(server_id)
    run.db.write(_finished, run.params, _LEAVE)


def come_back(run: Run) -> None:
    """Let the guest be there again as it was."""
    placed = run.find_result_of(place)
    if placed is None:
        return
    spec, power = run.db.read(_as_it_was, run.params, run.tools)
    with tried(run, placed.source) as node:
        node.restore_disks(spec)
        node.ensure_power(spec.id, power, 0)


def plug(run: Run) -> None:
    """Bind the ports where the guest goes."""
    placed = run.result_of(place)
    if not placed.stays:
        plug_in(run, run.params.server_id, placed.dest)


def unplug(run: Run) -> None:
    """Bind the ports where the guest was."""
    placed = run.find_result_of(place)
    if placed is not None and not placed.stays:
        run.db.write(networking.bind_ports, run.params.server_id, placed.source)


def finish(run: Run) -> None:
    """Make the guest what it is to be, and start it if it ran."""
    placed = run.result_of(place)
    run.db.write(_show, run.params, "resize_finish", "post-migrating", (_FINISH, placed.dest))
    spec, power = run.db.read(_as_it_will_be, run.params, run.tools)
    ways = run.db.read(moves.ways, placed.source, placed.dest)
    if ways is not None:
        with reached_to_move(run, placed.source) as node:
            node.offer_guest(spec.id, placed.dest)
    with reached(run, placed.dest) as node:
        if placed.stays:
            node.ensure_shape(spec)
        elif ways is None:
            node.ensure_guest(guests.with_image(run.tools, spec))
        else:
            whole = guests.with_secrets(run.tools, spec)
            cast(MovingNode, node).fetch_guest(whole, ways[0])
            node.ensure_shape(spec)
        node.ensure_power(spec.id, power, 0)


def destroy(run: Run) -> None:
    """Remove the guest from where it was going; where it stays `come_back` does it all."""
    placed = run.find_result_of(place)
    if placed is not None and not placed.stays:
        remove_guest(run, placed.dest, run.params.server_id)


def settle(run: Run) -> None:
    """Say that its owner may look at it now."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    migration = migrations.migration_get(tx, run.params.migration)
    running = migration.old_vm_state == "active"
    store.server_update(
        tx,
        migration.server_id,
        **moves.sized(migration.new_flavor),
        host=migration.dest_host,
        vm_state="resized",
        task_state=None,
        power_state=states.RUNNING if running else states.SHUTDOWN,
        launched_at=clock.now(),
    )
    consoles.close(tx, migration.server_id)
    migrations.migration_update(tx, migration.uuid, status="finished")
    actions.event_finish(tx, run.params.action, _FINISH)
    volumes.has_moved(tx, cloud_of(run), migration.server_id, migration.dest_host or "")
    server = store.server_get(tx, migration.server_id)
    servers.record(tx, run, server, "resized", host=server.host, flavor=server.flavor["name"])


def unsettle(run: Run) -> None:
    """Say that the server is what and where it was, which the rest of the way back makes true."""
    run.db.write(_unsettle, run)


def _unsettle(tx: Tx, run: Run) -> None:
    migration = migrations.migration_get(tx, run.params.migration)
    if migration.status != "finished":
        return
    server = store.server_get(tx, migration.server_id)
    running = migration.old_vm_state == "active"
    store.server_move(
        tx,
        server.id,
        expected=["resized"],
        **moves.sized(migration.old_flavor),
        host=migration.source_host,
        vm_state=migration.old_vm_state,
        power_state=states.RUNNING if running else states.SHUTDOWN,
    )
    volumes.has_moved(tx, cloud_of(run), server.id, migration.source_host or "")


def give_up(run: Run) -> None:
    """Leave the server as it was and keep the reason with the action."""
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
    servers.note_fault(tx, server, told)
    store.server_move(tx, server.id, expected=[migration.old_vm_state], task_state=None)
    actions.events_fail(tx, run.params.action, told)
    servers.record(tx, run, server, "resize failed", reason=told)


def _show(tx: Tx, params: ResizeServer, task: str, status: str, event: tuple[str, str]) -> None:
    store.server_update(tx, params.server_id, task_state=task)
    migrations.migration_update(tx, params.migration, status=status)
    actions.event_start(tx, params.action, *event)


def _finished(tx: Tx, params: ResizeServer, event: str) -> None:
    actions.event_finish(tx, params.action, event)
    store.server_update(tx, params.server_id, task_state="resize_migrated")


def _as_it_was(tx: Tx, params: ResizeServer, tools: Tools) -> tuple[GuestSpec, Power]:
    server, migration = _both(tx, params)
    return guests.spec_for(tx, moves.unmoved(server, migration), tools), _power(migration)


def _as_it_will_be(tx: Tx, params: ResizeServer, tools: Tools) -> tuple[GuestSpec, Power]:
    server, migration = _both(tx, params)
    return guests.spec_for(tx, moves.moved(server, migration), tools), _power(migration)


def _both(tx: Tx, params: ResizeServer) -> tuple[store.Server, Migration]:
    migration = migrations.migration_get(tx, params.migration)
    return store.server_get(tx, params.server_id), migration


def _power(migration: Migration) -> Power:
    return "running" if migration.old_vm_state == "active" else "stopped"


RESIZE_SERVER = Workflow(
    "compute.resize_server",
    ResizeServer,
    [
        Step(place, undo=unplace),
        Step(leave, undo=come_back),
        Step(plug, undo=unplug),
        Step(finish, undo=destroy),
        Step(settle, undo=unsettle),
    ],
    failed=give_up,
)
