"""Segments over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import segments
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun
from cumulo.services.network.api.requests import within
from cumulo.services.network.refusals import segment_not_found
from cumulo.services.network.segments import SegmentChange, SegmentRow, SegmentSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One segment, or many at once."""

    segment: SegmentSpec | UnsetType = UNSET
    segments: Annotated[list[SegmentSpec], within("segment")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    segment: SegmentChange


class SegmentView(msgspec.Struct, kw_only=True):
    """A segment as clients see it."""

    id: str | UnsetType
    network_id: str | UnsetType
    network_type: str | UnsetType
    physical_network: str | UnsetType | None
    segmentation_id: int | UnsetType | None
    name: str | UnsetType | None
    description: str | UnsetType | None
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/segments", policy="regular_user")
def list_segments(call: Call[Tools]) -> Answer:
    """List the segments of all networks."""
    return SEGMENT.listed(call, segments.list_segments)


@routes.post("/v2.0/segments", policy="create_segment", status=201)
def create_segment(call: Call[Tools], body: CreateBody) -> Answer:
    """Give a network one segment more, or several."""
    return SEGMENT.created(call, body, _create)


@routes.get("/v2.0/segments/{segment_id}", policy="regular_user")
def show_segment(call: Call[Tools], segment_id: str) -> Answer:
    """Show a segment."""
    return SEGMENT.shown(call, _details, segment_id)


@routes.put("/v2.0/segments/{segment_id}", policy="regular_user")
def update_segment(call: Call[Tools], segment_id: str, body: UpdateBody) -> Answer:
    """Change how a segment is called."""
    return SEGMENT.changed(call, call.db.write(_update, call, segment_id, body.segment))


@routes.delete("/v2.0/segments/{segment_id}", policy="regular_user", status=204)
def delete_segment(call: Call[Tools], segment_id: str) -> None:
    """Take a segment that nothing needs from its network."""
    call.db.write(_delete, call, segment_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[SegmentSpec]) -> list[SegmentRow]:
    made = []
    for spec in specs:
        SEGMENT.check_create(call, spec)
        made.append(segments.create_segment(tx, call.ctx, call.tools.settings, spec))
    return made


def _details(tx: Tx, call: Call[Tools], segment_id: str) -> SegmentRow:
    return segments.segment_get(tx, segment_id)


def _update(tx: Tx, call: Call[Tools], segment_id: str, wanted: SegmentChange) -> SegmentRow:
    before = segments.segment_get(tx, segment_id)
    revision = SEGMENT.check_update(call, before, wanted)
    return segments.update_segment(tx, call.ctx, before, wanted, revision)


def _delete(tx: Tx, call: Call[Tools], segment_id: str) -> None:
    found = segments.segment_get(tx, segment_id)
    SEGMENT.check_delete(call, found)
    segments.delete_segment(tx, call.ctx, found)


def _view(call: Call[Tools], found: SegmentRow) -> SegmentView:
    return SegmentView(
        id=found.id,
        network_id=found.network_id,
        network_type=found.network_type,
        physical_network=found.physical_network,
        segmentation_id=found.segmentation_id,
        name=found.name,
        description=found.description,
        created_at=iso_z(found.created_at),
        updated_at=iso_z(found.updated_at),
        revision_number=found.revision_number,
    )


SEGMENT: Noun[SegmentRow] = Noun(
    "segment", "segments", lambda found: found, _view, segment_not_found, hides=True
)
