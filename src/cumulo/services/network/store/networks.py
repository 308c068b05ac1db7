"""Networks as they are stored, and the segments they hold."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
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


class Segment(msgspec.Struct, frozen=True):
    """How a network's frames are told apart from others'."""

    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None


_s = tables.segment.c
_SEGMENTS = sa.select(
    _s.network_id, _s.network_type, _s.physical_network, _s.segmentation_id
).order_by(_s.network_id, _s.position)
_TAKEN = sa.select(_s.segmentation_id).where(
    _s.network_type == sa.bindparam("network_type"),
    _s.physical_network == sa.bindparam("physical_network"),
    _s.segmentation_id.in_(sa.bindparam("numbers", expanding=True)),
)
_HOLDER = sa.select(_s.network_id).where(
    _s.network_type == sa.bindparam("network_type"),
    _s.physical_network == sa.bindparam("physical_network"),
    _s.segmentation_id == sa.bindparam("segmentation_id"),
)
_IDS = tables.network.c.id.in_(sa.bindparam("ids", expanding=True))
_BY_ID = sa.select(tables.network).where(tables.network.c.id == sa.bindparam("of_id"))
_AMONG = sa.select(tables.network).where(_IDS)
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
    rows = tx.execute(_AMONG, {"ids": list(network_ids)}) if network_ids else ()
    return {row[0]: Network(*row) for row in rows}


def network_insert(tx: Tx, network: Network) -> None:
    """Record a new network."""
    tx.execute(sa.insert(tables.network), msgspec.structs.asdict(network))


def segment_insert(tx: Tx, network_id: str, segment: Segment, position: int = 0) -> bool:
    """Give the segment to the network, unless another has it."""
    row = {
        "network_type": segment.network_type,
        "physical_network": segment.physical_network or "",
        "segmentation_id": segment.segmentation_id or 0,
        "network_id": network_id,
        "position": position,
    }
    if insert_absent(tx, tables.segment, **row):
        return True
    key = {name: row[name] for name in ("network_type", "physical_network", "segmentation_id")}
    return tx.scalar(_HOLDER, key) == network_id


def segments_taken(
    tx: Tx, network_type: str, physical_network: str | None, span: tuple[int, int]
) -> set[int]:
    """Return the segmentation ids within `span` that some network has."""
    s = tables.segment.c
    select = sa.select(s.segmentation_id).where(
        s.network_type == network_type,
        s.physical_network == (physical_network or ""),
        s.segmentation_id.between(*span),
    )
    return set(tx.scalars(select))


def segments_among(
    tx: Tx, network_type: str, physical_network: str | None, numbers: Collection[int]
) -> set[int]:
    """Return those of the segmentation ids that some network has."""
    facts = {"network_type": network_type, "physical_network": physical_network or ""}
    return set(tx.scalars(_TAKEN, {**facts, "numbers": list(numbers)}))


def segments_map(tx: Tx, network_ids: Collection[str]) -> dict[str, list[Segment]]:
    """Return the segments of each network, in order."""
    found: defaultdict[str, list[Segment]] = defaultdict(list)
    for network_id, kind, physical, number in of_some(tx, _SEGMENTS, _s.network_id, network_ids):
        found[network_id].append(Segment(kind, physical or None, number or None))
    return found


def segment_delete(tx: Tx, network_id: str) -> None:
    """Free what the network held."""
    tx.execute(sa.delete(tables.segment).where(tables.segment.c.network_id == network_id))


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
