"""Which project was given which topology."""

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import standard, tables


class AutoTopology(msgspec.Struct, frozen=True):
    """A project's network and its router."""

    project_id: str
    network_id: str
    router_id: str


_t = tables.auto_topology.c


def topology_find(tx: Tx, project_id: str) -> AutoTopology | None:
    """Return what the project was given, or None."""
    select = sa.select(tables.auto_topology).where(_t.project_id == project_id)
    row = tx.execute(select).one_or_none()
    return AutoTopology(*row) if row else None


def topology_insert(tx: Tx, topology: AutoTopology) -> None:
    """Record what a project is given; it is given one."""
    standard.insert(tx, tables.auto_topology, topology)


def topology_delete(tx: Tx, project_id: str) -> None:
    """Forget what the project was given."""
    tx.execute(sa.delete(tables.auto_topology).where(_t.project_id == project_id))


def topologies_with(tx: Tx, *, network_id: str = "", router_id: str = "") -> list[str]:
    """Return the projects whose topology the network or the router is."""
    where = sa.or_(_t.network_id == network_id, _t.router_id == router_id)
    return list(tx.scalars(sa.select(_t.project_id).where(where)))


def forget(tx: Tx, *, network_id: str = "", router_id: str = "") -> None:
    """Let a network or a router that goes away be no part of a topology."""
    for project_id in topologies_with(tx, network_id=network_id, router_id=router_id):
        topology_delete(tx, project_id)
