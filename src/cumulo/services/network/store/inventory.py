"""All there is, by id."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.values import Unit

_TABLES: dict[Unit, sa.Table] = {
    "network": tables.network,
    "port": tables.port,
    "router": tables.router,
    "security_group": tables.security_group,
}


def ids(tx: Tx, unit: Unit) -> set[str]:
    """Return the id of every unit of a kind."""
    return set(tx.scalars(sa.select(_TABLES[unit].c.id)))


def ports_owned_by(tx: Tx, device_owner: str) -> set[str]:
    """Return the ports of one kind of owner."""
    p = tables.port.c
    return set(tx.scalars(sa.select(p.id).where(p.device_owner == device_owner)))


def plugged_ports(tx: Tx) -> dict[str, str]:
    """Return the status of each port that is on a host or a leg of a router."""
    p, legs = tables.port.c, tables.router_port.c
    select = sa.select(p.id, p.status).where(
        sa.or_(p.host != "", p.id.in_(sa.select(legs.port_id)))
    )
    return {row[0]: row[1] for row in tx.execute(select)}
