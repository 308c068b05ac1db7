"""Routers as they are stored, and their legs."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.values import Route

INTERFACE, GATEWAY = "interface", "gateway"


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """What forwards packets between subnets."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    admin_state_up: bool
    status: str
    enable_snat: bool
    routes: list[Route]
    availability_zone_hints: list[str]


class Leg(msgspec.Struct, frozen=True):
    """A port that a router owns."""

    router_id: str
    port_id: str
    kind: str


def router_find(
    tx: Tx, router_id: str, seen: sa.ColumnElement[bool] | None = None
) -> Router | None:
    """Return a router that fulfils `seen`, or None."""
    where = [tables.router.c.id == router_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(tables.router).where(*where)).one_or_none()
    return Router(**row._mapping) if row else None


def routers_by_id(tx: Tx, router_ids: Collection[str]) -> dict[str, Router]:
    """Return those of the routers that there are."""
    select = sa.select(tables.router).where(tables.router.c.id.in_(router_ids))
    return {row.id: Router(**row._mapping) for row in tx.execute(select)}


def router_insert(tx: Tx, router: Router) -> None:
    """Record a new router."""
    tx.execute(sa.insert(tables.router).values(msgspec.structs.asdict(router)))


def legs_of(tx: Tx, router_ids: Collection[str]) -> list[Leg]:
    """Return the legs of the routers."""
    legs = tables.router_port.c
    select = sa.select(legs.router_id, legs.port_id, legs.kind).where(
        legs.router_id.in_(router_ids)
    )
    return [Leg(*row) for row in tx.execute(select.order_by(legs.router_id, legs.port_id))]


def leg_of_port(tx: Tx, port_id: str) -> Leg | None:
    """Return what the port is to which router, if to any."""
    legs = tables.router_port.c
    row = tx.execute(
        sa.select(legs.router_id, legs.port_id, legs.kind).where(legs.port_id == port_id)
    ).first()
    return Leg(*row) if row else None


def leg_insert(tx: Tx, leg: Leg) -> None:
    """Make the port a leg of the router."""
    tx.execute(sa.insert(tables.router_port).values(msgspec.structs.asdict(leg)))


def leg_delete(tx: Tx, port_id: str) -> None:
    """Make the port a leg of no router."""
    for table in (tables.router_subnet, tables.router_port):
        tx.execute(sa.delete(table).where(table.c.port_id == port_id))


def routers_on_network(tx: Tx, network_id: str) -> list[str]:
    """Return the routers with a leg in the network."""
    legs, p = tables.router_port.c, tables.port.c
    select = sa.select(legs.router_id).join(tables.port, p.id == legs.port_id)
    return sorted(set(tx.scalars(select.where(p.network_id == network_id))))


def gateways_on(tx: Tx, network_id: str) -> list[str]:
    """Return the routers whose way out is the network."""
    legs, p = tables.router_port.c, tables.port.c
    select = sa.select(legs.router_id).join(tables.port, p.id == legs.port_id)
    where = (p.network_id == network_id, legs.kind == GATEWAY)
    return sorted(set(tx.scalars(select.where(*where))))


def routers_of_ports(tx: Tx, port_ids: Collection[str]) -> dict[str, str]:
    """Return the router of each of the ports that is a leg of one."""
    legs = tables.router_port.c
    select = sa.select(legs.port_id, legs.router_id).where(legs.port_id.in_(port_ids))
    return {row[0]: row[1] for row in tx.execute(select)}
