"""The change was right: what was kept of how the server was goes."""

from typing import TypeAlias

from cumulo.db import Tx
from cumulo.services.compute import moves, servers, states
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.end_resize import EndResize
from cumulo.services.compute.workflows.end_resize import give_up as give_up
from cumulo.services.compute.workflows.hosts import reached, remove_guest
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_confirm_resize"

Run: TypeAlias = _Run[EndResize, Tools]


def clean(run: Run) -> None:
    """Remove the guest that was left, or the disks that were kept."""
    migration = run.db.write(_begin, run.params)
    source = migration.source_host or ""
    if source == migration.dest_host:
        with reached(run, source) as node:
            node.drop_disks(run.params.server_id)
    else:
        remove_guest(run, source, run.params.server_id)


def _begin(tx: Tx, params: EndResize) -> moves.Migration:
    migration = migrations.migration_get(tx, params.migration)
    migrations.migration_update(tx, migration.uuid, status="confirming")
    actions.event_start(tx, params.action, _EVENT, migration.source_host)
    return migration


def settle(run: Run) -> None:
    """Say that the server is what it is now."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    migration = migrations.migration_get(tx, run.params.migration)
    placement.release(tx, migration.uuid)
    moves.finish(tx, migration, "confirmed", kept=migration.new_flavor)
    server = store.server_get(tx, migration.server_id)
    stopped = server.power_state == states.SHUTDOWN
    store.server_move(
        tx,
        server.id,
        expected=["resized"],
        vm_state="stopped" if stopped else "active",
        task_state=None,
    )
    actions.event_finish(tx, run.params.action, _EVENT)
    servers.record(tx, run, server, "resize confirmed")


CONFIRM_RESIZE = Workflow(
    "compute.confirm_resize", EndResize, [Step(clean), Step(settle)], failed=give_up
)
