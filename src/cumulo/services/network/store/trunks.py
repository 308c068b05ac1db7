"""Trunks and their subports as they are stored."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import Ids, of_some


class Trunk(msgspec.Struct, frozen=True, gc=False):
    """A port that carries other ports' frames, each with a tag."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    admin_state_up: bool
    port_id: str


class Subport(msgspec.Struct, frozen=True, gc=False):
    """A port that a trunk carries."""

    port_id: str
    trunk_id: str
    segmentation_type: str
    segmentation_id: int


class Carried(msgspec.Struct, frozen=True, gc=False):
    """Through which port, and with which tag, a subport's frames come."""

    port_id: str
    parent_id: str
    tag: int


def trunk_of_port(tx: Tx, port_id: str) -> Trunk | None:
    """Return the trunk that the port is, if it is one."""
    row = tx.execute(_OF_PORT, {"of_port": port_id}).one_or_none()
    return Trunk(*row) if row else None


_OF_PORT = sa.select(tables.trunk).where(tables.trunk.c.port_id == sa.bindparam("of_port"))
_OF_PORTS = sa.select(tables.trunk.c.port_id, tables.trunk.c.id)


def trunks_of_ports(tx: Tx, port_ids: Ids) -> dict[str, str]:
    """Return the trunk of each of the ports that is one."""
    found = of_some(tx, _OF_PORTS, tables.trunk.c.port_id, port_ids)
    return {row[0]: row[1] for row in found}


def subport_find(tx: Tx, port_id: str) -> Subport | None:
    """Return how a trunk carries the port, if one does."""
    select = sa.select(tables.subport).where(tables.subport.c.port_id == port_id)
    row = tx.execute(select).one_or_none()
    return Subport(*row) if row else None


def subports_of(tx: Tx, trunk_ids: Collection[str]) -> dict[str, list[Subport]]:
    """Return the subports of each trunk, in the order of their tags."""
    found: defaultdict[str, list[Subport]] = defaultdict(list)
    s = tables.subport.c
    select = sa.select(tables.subport).where(s.trunk_id.in_(trunk_ids))
    for row in tx.execute(select.order_by(s.trunk_id, s.segmentation_id)) if trunk_ids else ():
        found[row.trunk_id].append(Subport(*row))
    return dict(found)


_CARRIED = sa.select(
    tables.subport.c.port_id, tables.trunk.c.port_id, tables.subport.c.segmentation_id
).join(tables.trunk, tables.trunk.c.id == tables.subport.c.trunk_id)


def carried(tx: Tx, port_ids: Collection[str]) -> dict[str, Carried]:
    """Return through which ports those of the ports come that trunks carry."""
    found = of_some(tx, _CARRIED, tables.subport.c.port_id, port_ids)
    return {row[0]: Carried(*row) for row in found}


def subport_delete(tx: Tx, port_id: str) -> None:
    """Have no trunk carry the port."""
    tx.execute(sa.delete(tables.subport).where(tables.subport.c.port_id == port_id))
