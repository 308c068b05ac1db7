"""A live move is called back or hurried: its host is told, and the move itself finds out."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.services.compute import moves
from cumulo.services.compute.live_moves import Verb
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import reached_to_move
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENTS: dict[Verb, str] = {
    "abort": "compute_live_migration_abort",
    "force_complete": "compute_live_migration_force_complete",
}


class SteerMove(msgspec.Struct, frozen=True, kw_only=True):
    """Which move is to end, and how."""

    migration: str
    action: int
    verb: Verb


Run: TypeAlias = _Run[SteerMove, Tools]


def tell(run: Run) -> None:
    """Tell the host that sends the guest, if one does."""
    params = run.params
    source, server_id = run.db.write(_begin, params)
    if source is not None:
        with reached_to_move(run, source) as node:
            if params.verb == "abort":
                node.call_back_guest(server_id)
            else:
                node.hurry_guest(server_id)
    run.db.write(actions.event_finish, params.action, _EVENTS[params.verb])


def _begin(tx: Tx, params: SteerMove) -> tuple[str | None, str]:
    """Return the host that sends the guest; None when the move is over or nothing is sent."""
    migration = migrations.migration_get(tx, params.migration)
    source, dest = migration.source_host, migration.dest_host
    actions.event_start(tx, params.action, _EVENTS[params.verb], source)
    if not migration.is_open or source is None or dest is None:
        return None, migration.server_id
    sends = moves.ways(tx, source, dest) is not None
    return source if sends else None, migration.server_id


def give_up(run: Run) -> None:
    """Leave the move to itself and keep the reason with the action."""

    def note(tx: Tx) -> None:
        told = run.error.message if run.error else "interrupted"
        actions.events_fail(tx, run.params.action, told)

    run.db.write(note)


STEER_MOVE = Workflow("compute.steer_move", SteerMove, [Step(tell)], failed=give_up)
