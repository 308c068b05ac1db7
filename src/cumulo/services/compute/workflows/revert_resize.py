"""The change was not right: the server is again what and where it was."""

from typing import TypeAlias

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.node.api import GuestSpec, Power
from cumulo.services.compute import consoles, guests, moves, servers, states, volumes
from cumulo.services.compute.moves import Migration
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.end_resize import EndResize
from cumulo.services.compute.workflows.end_resize import give_up as give_up
from cumulo.services.compute.workflows.hosts import plug_in, reached, remove_guest
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_revert_resize"

Run: TypeAlias = _Run[EndResize, Tools]


def leave(run: Run) -> None:
    """Stop the guest where and as it is, and bind its ports where it was."""
    migration = run.db.write(_begin, run.params)
    server_id = run.params.server_id
    if migration.source_host != migration.dest_host:
        with reached(run, migration.dest_host or "") as node:
            node.ensure_power(server_id, "stopped", 0)
        plug_in(run, server_id, migration.source_host or "")


def _begin(tx: Tx, params: EndResize) -> Migration:
    migration = migrations.migration_get(tx, params.migration)
    migrations.migration_update(tx, migration.uuid, status="reverting")
    actions.event_start(tx, params.action, _EVENT, migration.dest_host)
    return migration


def come_back(run: Run) -> None:
    """Let the guest be what it was, and run if it did."""
    migration, spec = run.db.read(_as_it_was, run.params, run.tools)
    power: Power = "running" if migration.old_vm_state == "active" else "stopped"
    with reached(run, migration.source_host or "") as node:
        node.restore_disks(spec)
        node.ensure_power(spec.id, power, 0)
    if migration.source_host != migration.dest_host:
        remove_guest(run, migration.dest_host or "", spec.id)


def _as_it_was(tx: Tx, params: EndResize, tools: Tools) -> tuple[Migration, GuestSpec]:
    migration = migrations.migration_get(tx, params.migration)
    server = store.server_get(tx, params.server_id)
    return migration, guests.spec_for(tx, moves.unmoved(server, migration), tools)


def settle(run: Run) -> None:
    """Say that the server is what it was."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    migration = migrations.migration_get(tx, run.params.migration)
    placement.move(tx, migration.uuid, migration.server_id)
    moves.finish(tx, migration, "reverted", kept=migration.old_flavor)
    running = migration.old_vm_state == "active"
    store.server_move(
        tx,
        migration.server_id,
        expected=["resized"],
        **moves.sized(migration.old_flavor),
        host=migration.source_host,
        vm_state="active" if running else "stopped",
        power_state=states.RUNNING if running else states.SHUTDOWN,
        task_state=None,
        launched_at=clock.now(),
    )
    consoles.close(tx, migration.server_id)
    actions.event_finish(tx, run.params.action, _EVENT)
    volumes.has_moved(tx, cloud_of(run), migration.server_id, migration.source_host or "")
    server = store.server_get(tx, migration.server_id)
    servers.record(tx, run, server, "resize reverted")


REVERT_RESIZE = Workflow(
    "compute.revert_resize",
    EndResize,
    [Step(leave), Step(come_back), Step(settle)],
    failed=give_up,
)
