"""Whose something is that may be lent, and which projects use it."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables


def owner_of(tx: Tx, table: sa.Table, object_id: str) -> str | None:
    """Return the project of something, or None when it is not there."""
    return tx.scalar(sa.select(table.c.project_id).where(table.c.id == object_id))


def network_users(tx: Tx, network_id: str) -> set[str]:
    """Return the projects that have ports in the network."""
    p = tables.port.c
    return _found(tx, sa.select(p.project_id).where(p.network_id == network_id))


def security_group_users(tx: Tx, group_id: str) -> set[str]:
    """Return the projects that have ports in the security group."""
    p, m = tables.port.c, tables.port_security_group.c
    select = sa.select(p.project_id).join(tables.port_security_group, m.port_id == p.id)
    return _found(tx, select.where(m.security_group_id == group_id))


def _found(tx: Tx, select: sa.Select[tuple[str]]) -> set[str]:
    found: set[str] = set(tx.scalars(select.distinct()))
    return found - {""}
