"""Live moves that are under way: called back, or hurried."""

from typing import Literal, TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.compute import moves, servers
from cumulo.services.compute.moves import Migration
from cumulo.services.compute.servers import Server
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import migrations as store

Verb: TypeAlias = Literal["abort", "force_complete"]
CANCELLED = "cancelled"
_ACTIONS: dict[Verb, str] = {
    "abort": "live_migration_cancel",
    "force_complete": "live_migration_force_complete",
}
_WORDS: dict[Verb, str] = {"abort": "abort live migration", "force_complete": "force complete"}
_NOT_SENT = ("queued", "preparing")


class Steered(msgspec.Struct, frozen=True, kw_only=True):
    """A move that is to end in some way, and the action that tells of it."""

    migration: Migration
    action: int


def steer(
    tx: Tx, ctx: Context, server_id: str, number: str, verb: Verb, *, queued_too: bool = False
) -> Steered:
    """Check that a live move can still be steered, and record that it is.

    One that is called back is marked; whatever step of it comes next finds that and undoes it.
    """
    server = servers.server_visible(tx, ctx, server_id)
    servers.check_unlocked(ctx, server)
    if server.task_state != "migrating":
        raise Conflict(
            f"Cannot '{_WORDS[verb]}' instance {server_id} while it is in task_state "
            f"{server.task_state}",
            server_id=server_id,
        )
    migration = _move(tx, server, number, verb)
    possible = ("running", *(_NOT_SENT if queued_too else ()))
    if migration.status not in possible:
        raise Invalid(
            f"Migration {number} state of instance {server_id} is {migration.status}. Cannot "
            f"{_WORDS[verb]} while the migration is in this state.",
            migration_id=number,
        )
    if verb == "abort":
        store.migration_update(tx, migration.uuid, status=CANCELLED)
    action = actions.action_insert(tx, server.id, _ACTIONS[verb], servers.doer(ctx))
    servers.record(tx, ctx, server, _ACTIONS[verb])
    return Steered(migration=migration, action=action)


def _move(tx: Tx, server: Server, number: str, verb: Verb) -> Migration:
    for one in moves.moves_of(tx, server.id):
        if str(one.id) == number:
            return one
    kind = NotFound if verb == "abort" else Invalid
    raise kind(f"Migration {number} not found for instance {server.id}", migration_id=number)


def check_wanted(tx: Tx, uuid: str) -> None:
    """Refuse to carry on a move that was called back."""
    if store.migration_get(tx, uuid).status == CANCELLED:
        raise Conflict(f"Migration {uuid} was aborted.", migration_id=uuid)
