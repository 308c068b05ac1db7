"""Networks as they are stored."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import of_some
from cumulo.services.network.store.sharing import Viewer, networks_seen


class Network(msgspec.Struct, frozen=True, gc=False):
    """A broadcast domain."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    admin_state_up: bool
    status: str
    external: bool
    mtu: int
    port_security_enabled: bool
    network_type: str
    physical_network: str | None
    segmentation_id: int | None
    availability_zone_hints: list[str]
    dns_domain: str
    qos_policy_id: str | None = None
    vlan_transparent: bool | None = None
    is_default: bool = False


_IDS = tables.network.c.id.in_(sa.bindparam("ids", expanding=True))
_BY_ID = sa.select(tables.network).where(tables.network.c.id == sa.bindparam("of_id"))
_NETWORKS = sa.select(tables.network)
_OWNERS = sa.select(tables.network.c.id, tables.network.c.project_id).where(_IDS)


def network_find(tx: Tx, network_id: str, viewer: Viewer | None = None) -> Network | None:
    """Return a network that the viewer, if one is named, knows of, or None."""
    select = _BY_ID if viewer is None else _seen_by(viewer)
    row = tx.execute(select, {"of_id": network_id}).one_or_none()
    return Network(*row) if row else None


@lru_cache(maxsize=1024)
def _seen_by(viewer: Viewer) -> sa.Select[Any]:
    """Return the statement that finds one network as a viewer; it is made once for each."""
    return _BY_ID.where(networks_seen(viewer))


def networks_by_id(tx: Tx, network_ids: Collection[str]) -> dict[str, Network]:
    """Return those of the networks that there are."""
    rows = of_some(tx, _NETWORKS, tables.network.c.id, network_ids)
    return {row[0]: Network(*row) for row in rows}


def network_insert(tx: Tx, network: Network) -> None:
    """Record a new network."""
    tx.execute(sa.insert(tables.network), msgspec.structs.asdict(network))


def networks_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[Network]:
    """Return the networks that fulfil every condition, oldest first."""
    n = tables.network.c
    select = sa.select(tables.network).where(*where).order_by(n.created_at, n.id)
    return [Network(*row) for row in tx.execute(select)]


def owners_of(tx: Tx, network_ids: Collection[str]) -> dict[str, str]:
    """Return the project of each network."""
    rows = tx.execute(_OWNERS, {"ids": list(network_ids)}) if network_ids else ()
    return {row[0]: row[1] for row in rows}


def among(network_ids: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    """Return the condition for these networks; for None, all."""
    return [] if network_ids is None else [tables.network.c.id.in_(network_ids)]
