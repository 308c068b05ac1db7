"""Port forwardings as they are stored."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import standard, tables


class PortForwarding(msgspec.Struct, frozen=True, gc=False):
    """A port of a floating IP that leads to a port of a guest."""

    id: str
    project_id: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    floatingip_id: str
    internal_port_id: str
    internal_ip_address: str
    protocol: str
    external_port: int
    internal_port: int


def forwardings_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[PortForwarding]:
    """Return the port forwardings that fulfil every condition."""
    return standard.where(tx, tables.port_forwarding, PortForwarding, *where)


def forwardings_of(tx: Tx, floatingip_ids: Collection[str]) -> dict[str, list[PortForwarding]]:
    """Return the port forwardings of each floating IP."""
    found: defaultdict[str, list[PortForwarding]] = defaultdict(list)
    if floatingip_ids:
        of_them = tables.port_forwarding.c.floatingip_id.in_(floatingip_ids)
        for one in forwardings_where(tx, of_them):
            found[one.floatingip_id].append(one)
    return dict(found)


def forwardings_to(tx: Tx, port_id: str) -> list[PortForwarding]:
    """Return the port forwardings that lead to a port."""
    return forwardings_where(tx, tables.port_forwarding.c.internal_port_id == port_id)
