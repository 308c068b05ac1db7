"""Routers as they are stored, and their legs."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import of_some
from cumulo.services.network.store.values import Route

INTERFACE, GATEWAY = "interface", "gateway"


class Router(msgspec.Struct, frozen=True, gc=False):
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
    ha: bool = True
    distributed: bool = True
    enable_default_route_ecmp: bool = False
    enable_default_route_bfd: bool = False


class Leg(msgspec.Struct, frozen=True):
    """A port that a router owns."""

    router_id: str
    port_id: str
    kind: str
    position: int = 0

    @property
    def is_gateway(self) -> bool:
        """Say whether it is the way out."""
        return self.kind == GATEWAY


_l = tables.router_port.c
_ROUTERS = sa.select(tables.router)
_LEGS = sa.select(_l.router_id, _l.port_id, _l.kind, _l.position)
_ON_NETWORK = (
    sa.select(_l.router_id)
    .join(tables.port, tables.port.c.id == _l.port_id)
    .where(tables.port.c.network_id == sa.bindparam("of_network"))
)


def router_find(
    tx: Tx, router_id: str, seen: sa.ColumnElement[bool] | None = None
) -> Router | None:
    """Return a router that fulfils `seen`, or None."""
    where = [tables.router.c.id == router_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(tables.router).where(*where)).one_or_none()
    return Router(*row) if row else None


def routers_by_id(tx: Tx, router_ids: Collection[str]) -> dict[str, Router]:
    """Return those of the routers that there are."""
    rows = of_some(tx, _ROUTERS, tables.router.c.id, router_ids)
    return {row[0]: Router(*row) for row in rows}


def routers_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[Router]:
    """Return the routers that fulfil every condition, oldest first."""
    r = tables.router.c
    select = _ROUTERS.where(*where).order_by(r.created_at, r.id)
    return [Router(*row) for row in tx.execute(select)]


def router_insert(tx: Tx, router: Router) -> None:
    """Record a new router."""
    tx.execute(sa.insert(tables.router), msgspec.structs.asdict(router))


def legs_of(tx: Tx, router_ids: Collection[str]) -> list[Leg]:
    """Return the legs of the routers."""
    legs = tables.router_port.c
    select = sa.select(legs.router_id, legs.port_id, legs.kind, legs.position).where(
        legs.router_id.in_(router_ids)
    )
    order = (legs.router_id, legs.position, legs.port_id)
    return [Leg(*row) for row in tx.execute(select.order_by(*order))]


def leg_of_port(tx: Tx, port_id: str) -> Leg | None:
    """Return what the port is to which router, if to any."""
    legs = tables.router_port.c
    row = tx.execute(
        sa.select(legs.router_id, legs.port_id, legs.kind, legs.position).where(
            legs.port_id == port_id
        )
    ).first()
    return Leg(*row) if row else None


def leg_insert(tx: Tx, leg: Leg) -> None:
    """Make the port a leg of the router."""
    tx.execute(sa.insert(tables.router_port), msgspec.structs.asdict(leg))


def leg_delete(tx: Tx, port_id: str) -> None:
    """Make the port a leg of no router."""
    for table in (tables.router_subnet, tables.router_port):
        tx.execute(sa.delete(table).where(table.c.port_id == port_id))


def routers_on_network(tx: Tx, network_id: str) -> list[str]:
    """Return the routers with a leg in the network."""
    return sorted(set(tx.scalars(_ON_NETWORK, {"of_network": network_id})))


def gateway_projects(tx: Tx, network_id: str) -> set[str]:
    """Return the projects whose routers' way out is the network."""
    r = tables.router.c
    select = sa.select(r.project_id).where(r.id.in_(gateways_on(tx, network_id)))
    return set(tx.scalars(select))


def gateways_on(tx: Tx, network_id: str) -> list[str]:
    """Return the routers whose way out is the network."""
    legs, p = tables.router_port.c, tables.port.c
    select = sa.select(legs.router_id).join(tables.port, p.id == legs.port_id)
    where = (p.network_id == network_id, legs.kind == GATEWAY)
    return sorted(set(tx.scalars(select.where(*where))))


def legs_of_ports(tx: Tx, port_ids: Collection[str]) -> dict[str, Leg]:
    """Return what each of the ports is to which router, if to any."""
    rows = of_some(tx, _LEGS, tables.router_port.c.port_id, port_ids)
    return {row[1]: Leg(*row) for row in rows}


def subnets_of_router(tx: Tx, router_id: str) -> set[str]:
    """Return the subnets that the router's legs inside stand in."""
    s = tables.router_subnet.c
    return set(tx.scalars(sa.select(s.subnet_id).where(s.router_id == router_id)))


def subnets_of_leg(tx: Tx, port_id: str) -> set[str]:
    """Return the subnets that one leg stands in."""
    s = tables.router_subnet.c
    return set(tx.scalars(sa.select(s.subnet_id).where(s.port_id == port_id)))


def router_subnets_insert(tx: Tx, leg: Leg, subnet_ids: Collection[str]) -> None:
    """Record in which subnets a leg stands; no other of the router may."""
    rows = [
        {"router_id": leg.router_id, "subnet_id": subnet_id, "port_id": leg.port_id}
        for subnet_id in subnet_ids
    ]
    tx.execute(sa.insert(tables.router_subnet), rows)


def router_subnet_delete(tx: Tx, router_id: str, subnet_id: str) -> None:
    """Record that no leg of the router stands in the subnet any more."""
    s = tables.router_subnet.c
    where = (s.router_id == router_id, s.subnet_id == subnet_id)
    tx.execute(sa.delete(tables.router_subnet).where(*where))


def leg_in_subnet(tx: Tx, router_id: str, subnet_id: str) -> str | None:
    """Return the router's port in the subnet, if it has one."""
    s = tables.router_subnet.c
    where = (s.router_id == router_id, s.subnet_id == subnet_id)
    found: str | None = tx.scalar(sa.select(s.port_id).where(*where))
    return found


def networks_of_legs(tx: Tx, port_ids: Collection[str]) -> set[str]:
    """Return the networks that the ports are in."""
    p = tables.port.c
    return set(tx.scalars(sa.select(p.network_id).where(p.id.in_(port_ids))))


def routers_between(tx: Tx, subnet_id: str, external_network_id: str) -> list[tuple[str, str]]:
    """Return (router, its port inside) for routers from the subnet out to the network."""
    s, legs, p = tables.router_subnet.c, tables.router_port.c, tables.port.c
    select = (
        sa.select(s.router_id, s.port_id)
        .join(tables.router_port, legs.router_id == s.router_id)
        .join(tables.port, p.id == legs.port_id)
        .where(s.subnet_id == subnet_id, legs.kind == GATEWAY, p.network_id == external_network_id)
        .order_by(s.router_id)
    )
    return [(row[0], row[1]) for row in tx.execute(select)]
