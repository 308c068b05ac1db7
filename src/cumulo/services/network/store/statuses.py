"""What the backend said of the units it was told of, kept where clients see it."""

from collections.abc import Collection

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables

TABLES = {
    "network": tables.network,
    "router": tables.router,
    "port": tables.port,
    "floatingip": tables.floatingip,
}


def status_set(tx: Tx, resource: str, ids: Collection[str], status: str) -> None:
    """Record the status of some networks, routers, ports or floating IPs."""
    table = TABLES[resource]
    if ids:
        where = (table.c.id.in_(ids), table.c.status != status)
        tx.execute(sa.update(table).where(*where).values(status=status))


def floating_status_set(tx: Tx, router_id: str, ids: Collection[str], status: str) -> None:
    """Record the status of floating IPs, if the router still carries them."""
    f = tables.floatingip.c
    if ids:
        where = (f.id.in_(ids), f.router_id == router_id, f.status != status)
        tx.execute(sa.update(tables.floatingip).where(*where).values(status=status))
