"""Snapshots."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_bare
from cumulo.kit.errors import Invalid
from cumulo.services.volume import snapshots
from cumulo.services.volume.api.fields import Metadata, Name, changes_of, stripped
from cumulo.services.volume.api.links import Link, next_links
from cumulo.services.volume.api.queries import Lists, wanted_of, wants_count
from cumulo.services.volume.snapshots import NewSnapshot, Snapshot, Whole
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.create_snapshot import create_snapshot as create
from cumulo.services.volume.workflows.delete_snapshot import delete_snapshot as delete
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ONE = "/v3/snapshots/{snapshot_id}"
_ADMINS = "volume_extension:snapshot_admin_actions"

LISTS = Lists(
    filters={
        "name": "name",
        "display_name": "name",
        "description": "description",
        "status": "status",
        "volume_id": "volume_id",
        "id": "id",
        "user_id": "user_id",
        "group_snapshot_id": "group_snapshot_id",
        "consumes_quota": "consumes_quota",
    },
    flags=("consumes_quota",),
    noted={"metadata": "metadata"},
    sort_keys={
        "id": "id",
        "name": "name",
        "display_name": "name",
        "status": "status",
        "volume_id": "volume_id",
        "created_at": "created_at",
        "updated_at": "updated_at",
        "size": "size_gib",
    },
)


class SnapshotSpec(msgspec.Struct, kw_only=True):
    """What a client says about the snapshot it wants."""

    volume_id: str | None
    name: Name | None = None
    display_name: Name | None = None
    description: Name | None = None
    display_description: Name | None = None
    force: LooseBool | None = None
    metadata: Metadata | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The snapshot wanted."""

    snapshot: SnapshotSpec


class SnapshotChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be changed of a snapshot."""

    name: Name | UnsetType | None = UNSET
    display_name: Name | UnsetType | None = UNSET
    description: Name | UnsetType | None = UNSET
    display_description: Name | UnsetType | None = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed."""

    snapshot: SnapshotChange


class SnapshotSummary(msgspec.Struct, kw_only=True, gc=False):
    """A snapshot in a list."""

    id: str
    created_at: str
    updated_at: str | None
    name: str | None
    description: str | None
    volume_id: str
    status: str
    size: int
    metadata: dict[str, str]
    user_id: Annotated[str, since("3.41")]
    consumes_quota: Annotated[bool, since("3.65")] = True


class SnapshotView(SnapshotSummary, kw_only=True, gc=False):
    """A snapshot."""

    group_snapshot_id: Annotated[str | None, since("3.14")] = None
    progress: str | UnsetType = msgspec.field(
        name="os-extended-snapshot-attributes:progress", default=UNSET
    )
    project_id: str | UnsetType = msgspec.field(
        name="os-extended-snapshot-attributes:project_id", default=UNSET
    )


class SnapshotBody(msgspec.Struct):
    """A snapshot."""

    snapshot: SnapshotView


class SummaryBody(msgspec.Struct):
    """A snapshot that was just begun or changed."""

    snapshot: SnapshotSummary


class SummariesBody(msgspec.Struct, kw_only=True):
    """A page of snapshots."""

    snapshots: list[SnapshotSummary]
    snapshots_links: list[Link] | UnsetType = UNSET
    count: Annotated[int | UnsetType, since("3.45")] = UNSET


class SnapshotsBody(msgspec.Struct, kw_only=True):
    """A page of snapshots with their details."""

    snapshots: list[SnapshotView]
    snapshots_links: list[Link] | UnsetType = UNSET
    count: Annotated[int | UnsetType, since("3.45")] = UNSET


class ResetStatus(msgspec.Struct):
    """What the status is."""

    status: Name


class ReportStatus(msgspec.Struct, forbid_unknown_fields=True):
    """How far whoever takes the snapshot is."""

    status: Name
    progress: Annotated[str, msgspec.Meta(pattern=r"^\d{1,3}%$")] | None = None


@routes.get("/v3/snapshots", policy="volume:get_all_snapshots")
def list_snapshots(call: Call) -> SummariesBody:
    """List snapshots."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(snapshots.list_snapshots, wanted)
    return SummariesBody(
        snapshots=[SnapshotSummary(**_facts(one, found)) for one in found.snapshots],
        snapshots_links=next_links(call, "snapshots", found.snapshots, wanted.limit),
        count=call.db.read(snapshots.count_snapshots, wanted) if wants_count(call) else UNSET,
    )


@routes.get("/v3/snapshots/detail", policy="volume:get_all_snapshots")
def list_snapshots_with_details(call: Call) -> SnapshotsBody:
    """List snapshots with their details."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(snapshots.list_snapshots, wanted)
    return SnapshotsBody(
        snapshots=[_show(call, one, found) for one in found.snapshots],
        snapshots_links=next_links(call, "snapshots/detail", found.snapshots, wanted.limit),
        count=call.db.read(snapshots.count_snapshots, wanted) if wants_count(call) else UNSET,
    )


@routes.post("/v3/snapshots", policy="volume:create_snapshot", status=202)
def create_snapshot(call: Call, body: CreateBody) -> SummaryBody:
    """Take a snapshot of a volume."""
    spec = body.snapshot
    force = bool(spec.force)
    if call.version >= (3, 66):
        if spec.force is False:
            raise Invalid(
                "Invalid value 'False' for force: since 3.66 a snapshot of a volume in use needs "
                "no force, and it cannot be switched off.",
                field="force",
            )
        force = True
    wanted = NewSnapshot(
        volume_id=str(spec.volume_id),
        name=stripped(spec.name or spec.display_name),
        description=stripped(spec.description or spec.display_description),
        metadata=spec.metadata or {},
        force=force,
    )
    return summary_of(call.db.write(_made, call, wanted))


def summary_of(found: Whole) -> SummaryBody:
    """Show a snapshot as its creation answers."""
    return SummaryBody(SnapshotSummary(**_facts(found.snapshots[0], found)))


def _made(tx: Tx, call: Call, wanted: NewSnapshot) -> Whole:
    made = create(tx, call.ctx, call.tools, wanted)
    return snapshots.show(tx, call.ctx, made.id)


@routes.get(_ONE, policy="volume:get_snapshot")
def show_snapshot(call: Call, snapshot_id: str) -> SnapshotBody:
    """Show a snapshot."""
    found = call.db.read(snapshots.show, call.ctx, snapshot_id)
    return SnapshotBody(_show(call, found.snapshots[0], found))


@routes.put(_ONE, policy="volume:update_snapshot")
def update_snapshot(call: Call, snapshot_id: str, body: UpdateBody) -> SummaryBody:
    """Change a snapshot's name or description."""
    changes = changes_of(
        body.snapshot,
        name="name",
        display_name="name",
        description="description",
        display_description="description",
    )
    if not changes:
        raise Invalid("Name one of name and description in snapshot.", field="snapshot")
    found = call.db.write(_updated, call, snapshot_id, changes)
    return SummaryBody(SnapshotSummary(**_facts(found.snapshots[0], found)))


def _updated(tx: Tx, call: Call, snapshot_id: str, changes: dict[str, object]) -> Whole:
    snapshots.update_snapshot(tx, call.ctx, snapshot_id, changes)
    return snapshots.show(tx, call.ctx, snapshot_id)


@routes.delete(_ONE, policy="volume:delete_snapshot", status=202)
def delete_snapshot(call: Call, snapshot_id: str) -> None:
    """Delete a snapshot."""
    call.db.write(delete, call.ctx, snapshot_id)


@routes.post(
    f"{_ONE}/action", policy=f"{_ADMINS}:force_delete", status=202, action="os-force_delete"
)
def force_delete_snapshot(call: Call, snapshot_id: str) -> None:
    """Delete a snapshot in whatever status it is."""
    call.db.write(delete, call.ctx, snapshot_id, force=True)


@routes.post(
    f"{_ONE}/action", policy=f"{_ADMINS}:reset_status", status=202, action="os-reset_status"
)
def reset_snapshot_status(call: Call, snapshot_id: str, body: ResetStatus) -> None:
    """Say what a snapshot's status is, whatever it was."""
    call.db.write(snapshots.reset_status, call.ctx, snapshot_id, body.status)


@routes.post(
    f"{_ONE}/action",
    policy="snapshot_extension:snapshot_actions:update_snapshot_status",
    status=202,
    action="os-update_snapshot_status",
)
def update_snapshot_status(call: Call, snapshot_id: str, body: ReportStatus) -> None:
    """Say how far a snapshot is that is taken elsewhere."""
    report = snapshots.report_status
    call.db.write(report, call.ctx, snapshot_id, body.status, body.progress)


def _facts(one: Snapshot, found: Whole) -> dict[str, Any]:
    return {
        "id": one.id,
        "created_at": iso_bare(one.created_at),
        "updated_at": iso_bare(one.updated_at) if one.updated_at else None,
        "name": one.name,
        "description": one.description,
        "volume_id": one.volume_id,
        "status": one.status,
        "size": one.size_gib,
        "metadata": found.items.get((one.id, "metadata"), {}),
        "user_id": one.user_id,
        "consumes_quota": one.consumes_quota,
    }


def _show(call: Call, one: Snapshot, found: Whole) -> SnapshotView:
    view = SnapshotView(**_facts(one, found), group_snapshot_id=one.group_snapshot_id)
    if call.ctx.may("volume_extension:extended_snapshot_attributes"):
        view.progress, view.project_id = one.progress, one.project_id
    return view
