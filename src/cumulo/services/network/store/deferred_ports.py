"""Ports that get their addresses once it is known which segment their host reaches."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store.tables import deferred_port


def deferred_add(tx: Tx, port_id: str) -> None:
    """Record that the port is to get addresses later."""
    tx.execute(sa.insert(deferred_port), {"port_id": port_id})


def is_deferred(tx: Tx, port_id: str) -> bool:
    """Say whether the port is to get addresses later."""
    waits = sa.select(deferred_port.c.port_id).where(deferred_port.c.port_id == port_id)
    return tx.scalar(waits) is not None


def deferred_take(tx: Tx, port_id: str) -> bool:
    """Record that it waits no longer; say whether it did."""
    waits = sa.delete(deferred_port).where(deferred_port.c.port_id == port_id)
    return bool(tx.execute(waits).rowcount)
