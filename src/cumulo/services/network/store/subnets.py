"""Subnets as they are stored."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import of_some
from cumulo.services.network.store.values import Pool, Route


class Subnet(msgspec.Struct, frozen=True, gc=False):
    """A range of addresses in a network."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    allocation_pools: list[Pool]
    dns_nameservers: list[str]
    host_routes: list[Route]
    subnetpool_id: str | None
    service_types: list[str]
    segment_id: str | None = None


_s = tables.subnet.c
_SUBNETS = sa.select(tables.subnet)
_OF_NETWORKS = _SUBNETS.order_by(_s.created_at, _s.id)
_IDS_OF_NETWORKS = sa.select(_s.network_id, _s.id).order_by(_s.created_at, _s.id)


def subnet_find(
    tx: Tx, subnet_id: str, seen: sa.ColumnElement[bool] | None = None
) -> Subnet | None:
    """Return a subnet that fulfils `seen`, or None."""
    where = [tables.subnet.c.id == subnet_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(tables.subnet).where(*where)).one_or_none()
    return Subnet(*row) if row else None


def subnets_of(tx: Tx, network_ids: Collection[str]) -> list[Subnet]:
    """Return the subnets of the networks, oldest first."""
    rows = of_some(tx, _OF_NETWORKS, _s.network_id, network_ids)
    return [Subnet(*row) for row in rows]


def subnets_by_id(tx: Tx, subnet_ids: Collection[str]) -> dict[str, Subnet]:
    """Return those of the subnets that there are."""
    rows = of_some(tx, _SUBNETS, _s.id, subnet_ids)
    return {row[0]: Subnet(*row) for row in rows}


def subnet_ids_of(tx: Tx, network_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return (network, subnet) for each subnet of the networks, oldest first."""
    rows = of_some(tx, _IDS_OF_NETWORKS, _s.network_id, network_ids)
    return [(row[0], row[1]) for row in rows]


_TIED = sa.select(_s.id).where(_s.segment_id.is_not(None)).limit(1)


def are_tied(tx: Tx) -> bool:
    """Say whether any subnet is tied to a segment; cheap, since every binding asks."""
    return tx.scalar(_TIED) is not None


def subnets_of_segment(tx: Tx, segment_id: str) -> list[str]:
    """Return the subnets that are tied to the segment."""
    return sorted(tx.scalars(sa.select(_s.id).where(_s.segment_id == segment_id)))


def subnet_insert(tx: Tx, subnet: Subnet) -> None:
    """Record a new subnet."""
    tx.execute(sa.insert(tables.subnet), msgspec.structs.asdict(subnet))


def subnet_delete(tx: Tx, subnet_id: str) -> bool:
    """Forget a subnet; say whether there was one."""
    return bool(
        tx.execute(sa.delete(tables.subnet).where(tables.subnet.c.id == subnet_id)).rowcount
    )
