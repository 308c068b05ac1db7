"""Address scopes and subnet pools as they are stored."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import of_some


class AddressScope(msgspec.Struct, frozen=True, gc=False):
    """Addresses that mean one thing wherever they are routed."""

    id: str
    project_id: str
    name: str
    ip_version: int


class SubnetPool(msgspec.Struct, frozen=True, gc=False):
    """Ranges of addresses that subnets are cut from."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    ip_version: int
    prefixes: list[str]
    default_prefixlen: int
    min_prefixlen: int
    max_prefixlen: int
    default_quota: int | None
    is_default: bool
    address_scope_id: str | None


_SCOPES = (
    sa.select(
        tables.subnet.c.network_id,
        tables.subnet.c.ip_version,
        tables.subnetpool.c.address_scope_id,
    )
    .join(tables.subnetpool, tables.subnetpool.c.id == tables.subnet.c.subnetpool_id)
    .where(tables.subnetpool.c.address_scope_id.is_not(None))
    .distinct()
)


def cidrs_of(tx: Tx, pool_id: str, project_id: str | None = None) -> list[str]:
    """Return what subnets, of one project or of all, took of the pool."""
    s = tables.subnet.c
    where = [s.subnetpool_id == pool_id]
    if project_id is not None:
        where.append(s.project_id == project_id)
    return list(tx.scalars(sa.select(s.cidr).where(*where)))


def scope_of_pool(tx: Tx, pool_id: str) -> str | None:
    """Return the address scope that a pool is in, if it is in one."""
    p = tables.subnetpool.c
    return tx.scalar(sa.select(p.address_scope_id).where(p.id == pool_id))


def scopes_of_networks(tx: Tx, network_ids: Collection[str]) -> list[tuple[str, int, str]]:
    """Return (network, IP version, address scope) for networks with subnets in scopes."""
    found = of_some(tx, _SCOPES, tables.subnet.c.network_id, network_ids)
    return [(row[0], row[1], row[2]) for row in found]


def scopes_of_subnets(tx: Tx, subnet_ids: Collection[str]) -> dict[str, str]:
    """Return the address scope of those of the subnets that are in one."""
    s, p = tables.subnet.c, tables.subnetpool.c
    select = (
        sa.select(s.id, p.address_scope_id)
        .join(tables.subnetpool, p.id == s.subnetpool_id)
        .where(s.id.in_(subnet_ids), p.address_scope_id.is_not(None))
    )
    return {row[0]: row[1] for row in tx.execute(select)}


def scope_users(tx: Tx, scope_id: str) -> set[str]:
    """Return the projects that have pools in the scope."""
    p = tables.subnetpool.c
    return set(tx.scalars(sa.select(p.project_id).where(p.address_scope_id == scope_id)))


def pool_users(tx: Tx, pool_id: str) -> set[str]:
    """Return the projects that have subnets of the pool."""
    s = tables.subnet.c
    return set(tx.scalars(sa.select(s.project_id).where(s.subnetpool_id == pool_id)))
