"""Floating IPs as they are stored."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.network.store import tables


class FloatingIp(msgspec.Struct, frozen=True, gc=False):
    """An address outside that leads to a port inside."""

    id: str
    project_id: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    floating_network_id: str
    floating_ip_address: str
    floating_port_id: str
    port_id: str | None
    fixed_ip_address: str | None
    router_id: str | None
    dns_name: str
    dns_domain: str
    status: str
    qos_policy_id: str | None = None


def floatingip_find(
    tx: Tx, floatingip_id: str, seen: sa.ColumnElement[bool] | None = None
) -> FloatingIp | None:
    """Return a floating IP that fulfils `seen`, or None."""
    where = [tables.floatingip.c.id == floatingip_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(tables.floatingip).where(*where)).one_or_none()
    return FloatingIp(*row) if row else None


def floatingips_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[FloatingIp]:
    """Return the floating IPs that fulfil every condition."""
    f = tables.floatingip.c
    select = sa.select(tables.floatingip).where(*where).order_by(f.created_at, f.id)
    return [FloatingIp(*row) for row in tx.execute(select)]


def floatingips_by_id(tx: Tx, floatingip_ids: Collection[str]) -> list[FloatingIp]:
    """Return those of the floating IPs that there are."""
    return floatingips_where(tx, tables.floatingip.c.id.in_(floatingip_ids))


def floatingips_of_routers(tx: Tx, router_ids: Collection[str]) -> list[FloatingIp]:
    """Return the floating IPs that the routers carry."""
    return floatingips_where(tx, tables.floatingip.c.router_id.in_(router_ids))


def floatingips_of_ports(tx: Tx, port_ids: Collection[str]) -> list[FloatingIp]:
    """Return the floating IPs that lead to the ports."""
    return floatingips_where(tx, tables.floatingip.c.port_id.in_(port_ids))


def floatingips_unused(tx: Tx, network_id: str) -> list[FloatingIp]:
    """Return the network's floating IPs that lead nowhere."""
    f = tables.floatingip.c
    idle = (f.port_id.is_(None), f.router_id.is_(None))
    return floatingips_where(tx, f.floating_network_id == network_id, *idle)


def floatingip_insert(tx: Tx, floatingip: FloatingIp) -> None:
    """Record a new floating IP."""
    tx.execute(sa.insert(tables.floatingip), msgspec.structs.asdict(floatingip))


def disassociate(tx: Tx, floatingips: Collection[FloatingIp]) -> list[str]:
    """Let the floating IPs lead nowhere; return the routers that carried them."""
    f = tables.floatingip.c
    change = sa.update(tables.floatingip).where(f.id.in_([one.id for one in floatingips]))
    if floatingips:
        tx.execute(
            change.values(
                port_id=None,
                fixed_ip_address=None,
                router_id=None,
                status="DOWN",
                revision_number=f.revision_number + 1,
                updated_at=clock.now(),
            )
        )
    return sorted({one.router_id for one in floatingips if one.router_id})
