"""What the backend said of the units it was told of, kept where clients see it."""

from collections.abc import Collection

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


def status_set(
    tx: Tx, resource: str, ids: Collection[str], status: str, *where: sa.ColumnElement[bool]
) -> list[Status]:
    """Record the status of some of the resources; return what it was where that is news."""
    table = TABLES[resource]
    if not ids:
        return []
    c = table.c
    select = sa.select(c.id, c.project_id, c.status)
    stale = select.where(c.id.in_(ids), c.status != status, *where).order_by(c.id)
    found = [Status(*row) for row in tx.execute(stale)]
    if found:
        changed = c.id.in_([one.id for one in found])
        tx.execute(sa.update(table).where(changed, *where).values(status=status))
    return found


def floating_status_set(tx: Tx, router_id: str, ids: Collection[str], status: str) -> list[Status]:
    """Record the status of floating IPs, if the router still carries them; return the news."""
    return status_set(tx, "floatingip", ids, status, tables.floatingip.c.router_id == router_id)
