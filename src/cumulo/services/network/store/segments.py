"""Segments of networks as they are stored."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit import clock
from cumulo.kit.ids import new_id
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import of_some


class Segment(msgspec.Struct, frozen=True):
    """How a network's frames are told apart from others'."""

    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None


class SegmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of a network, as administrators see it."""

    id: str
    network_id: str
    position: int  # among its network's
    network_type: str
    physical_network: str | None
    segmentation_id: int | None
    name: str | None
    description: str | None
    revision_number: int
    created_at: datetime
    updated_at: datetime

    @property
    def project_id(self) -> str:
        """Say that it is nobody's: administrators make and see segments."""
        return ""


_s = tables.segment.c
_WHOLE = sa.select(tables.segment)
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


def segment_insert(tx: Tx, network_id: str, segment: Segment, position: int = 0) -> bool:
    """Give the segment to the network, unless another has it."""
    now = clock.now()
    row = {
        "id": new_id(),
        "revision_number": 0,
        "created_at": now,
        "updated_at": now,
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


def segment_find(tx: Tx, segment_id: str) -> SegmentRow | None:
    """Return a segment, or None."""
    row = tx.execute(_WHOLE.where(_s.id == segment_id)).one_or_none()
    return segment_of(row) if row else None


def segments_of(tx: Tx, network_id: str) -> list[SegmentRow]:
    """Return the segments of a network, in order."""
    rows = tx.execute(_WHOLE.where(_s.network_id == network_id).order_by(_s.position))
    return [segment_of(row) for row in rows]


def segment_of(row: Any) -> SegmentRow:
    """Return a row of the table as what it stands for."""
    facts = dict(row._mapping)
    physical, number = facts["physical_network"] or None, facts["segmentation_id"] or None
    return SegmentRow(**facts | {"physical_network": physical, "segmentation_id": number})


def segment_describe(tx: Tx, segment_id: str, name: str | None, description: str | None) -> None:
    """Record what is said of a new segment."""
    change = sa.update(tables.segment).where(_s.id == segment_id)
    tx.execute(change.values(name=name, description=description))


def segments_delete(tx: Tx, network_id: str) -> None:
    """Free what the network held."""
    tx.execute(sa.delete(tables.segment).where(tables.segment.c.network_id == network_id))
