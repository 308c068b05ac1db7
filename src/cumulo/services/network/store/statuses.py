"""What the backend said of the units it was told of, kept where clients see it."""

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables

TABLES = {
    "network": tables.network,
    "router": tables.router,
    "port": tables.port,
    "floatingip": tables.floatingip,
}


class Status(msgspec.Struct, frozen=True):
    """What of a resource is not its owner's to say but the backend's."""

    id: str
    project_id: str
    status: str


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_STALE = {
    name: sa.select(table.c.id, table.c.project_id, table.c.status)
    .where(table.c.id.in_(_IDS), table.c.status != sa.bindparam("news", type_=table.c.status.type))
    .order_by(table.c.id)
    for name, table in TABLES.items()
}
_CHANGE = {name: sa.update(table).where(table.c.id.in_(_IDS)) for name, table in TABLES.items()}


def status_set(
    tx: Tx, resource: str, ids: Collection[str], status: str, *where: sa.ColumnElement[bool]
) -> list[Status]:
    """Record the status of some of the resources; return what it was where that is news."""
    if not ids:
        return []
    stale, change = _STALE[resource], _CHANGE[resource]
    if where:
        stale, change = stale.where(*where), change.where(*where)
    found = [Status(*row) for row in tx.execute(stale, {"ids": list(ids), "news": status})]
    if found:
        tx.execute(change, {"ids": [one.id for one in found], "status": status})
    return found


def floating_status_set(tx: Tx, router_id: str, ids: Collection[str], status: str) -> list[Status]:
    """Record the status of floating IPs, if the router still carries them; return the news."""
    return status_set(tx, "floatingip", ids, status, tables.floatingip.c.router_id == router_id)
