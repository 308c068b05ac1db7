"""What confirming and reverting a resize have in common."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.services.compute import moves, servers
from cumulo.services.compute.store import actions, migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run


class EndResize(msgspec.Struct, frozen=True, kw_only=True):
    """Which server's move to end."""

    server_id: str
    action: int
    migration: str


Run: TypeAlias = _Run[EndResize, Tools]


def give_up(run: Run) -> None:
    """Put the server in error where it is; what else was held is given back."""

    is_cancelled = run.cancelled()

    def tell(tx: Tx) -> None:
        told = run.error.message if run.error else "interrupted"
        server = store.server_find(tx, run.params.server_id)
        if server is None or server.is_deleted:
            return
        migration = migrations.migration_get(tx, run.params.migration)
        placement.release(tx, migration.uuid)
        moves.finish(tx, migration, "error", kept=server.flavor)
        if not is_cancelled:
            servers.fail(tx, server, told, told)
        actions.events_fail(tx, run.params.action, told)

    run.db.write(tell)
