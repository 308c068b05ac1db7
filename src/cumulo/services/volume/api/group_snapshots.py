"""Snapshots of groups: each of their volumes at once."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.clock import iso_bare
from cumulo.services.volume import groups
from cumulo.services.volume.api.fields import Name, Uuid, stripped
from cumulo.services.volume.api.groups import ResetStatus
from cumulo.services.volume.api.links import Link, next_links
from cumulo.services.volume.api.queries import Lists, wanted_of
from cumulo.services.volume.groups import GroupSnapshot
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows import group_work
from cumulo.web import Call as _Call
from cumulo.web import Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/group_snapshots", "/v3/group_snapshots/{snapshot_id}"

LISTS = Lists(
    filters={"id": "id", "name": "name", "status": "status", "group_id": "group_id"},
    sort_keys={"id": "id", "name": "name", "status": "status", "created_at": "created_at"},
)


class GroupSnapshotSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The snapshot wanted."""

    group_id: Uuid
    name: Name | None = None
    description: Name | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The snapshot wanted."""

    group_snapshot: GroupSnapshotSpec


class GroupSnapshotSummary(msgspec.Struct, kw_only=True):
    """A snapshot of a group in a list, or just begun."""

    id: str
    name: str | None
    group_type_id: str | UnsetType = UNSET


class GroupSnapshotView(msgspec.Struct, kw_only=True):
    """A snapshot of a group."""

    id: str
    group_id: str
    group_type_id: str
    status: str
    created_at: str
    name: str | None
    description: str | None
    project_id: Annotated[str | UnsetType, since("3.58")] = UNSET


class SummaryBody(msgspec.Struct):
    """A snapshot of a group that was just begun."""

    group_snapshot: GroupSnapshotSummary


class GroupSnapshotBody(msgspec.Struct):
    """A snapshot of a group."""

    group_snapshot: GroupSnapshotView


class SummariesBody(msgspec.Struct, kw_only=True):
    """A page of snapshots of groups."""

    group_snapshots: list[GroupSnapshotSummary]
    group_snapshot_links: list[Link] | UnsetType = UNSET


class GroupSnapshotsBody(msgspec.Struct, kw_only=True):
    """A page of snapshots of groups with their details."""

    group_snapshots: list[GroupSnapshotView]
    group_snapshot_links: list[Link] | UnsetType = UNSET


@routes.get(_ALL, policy="group:get_all_group_snapshots", since="3.14")
def list_group_snapshots(call: Call) -> SummariesBody:
    """List snapshots of groups."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(groups.list_group_snapshots, wanted)
    return SummariesBody(
        group_snapshots=[GroupSnapshotSummary(id=one.id, name=one.name) for one in found],
        group_snapshot_links=next_links(call, "group_snapshots", found, wanted.limit),
    )


@routes.get(f"{_ALL}/detail", policy="group:get_all_group_snapshots", since="3.14")
def list_group_snapshots_with_details(call: Call) -> GroupSnapshotsBody:
    """List snapshots of groups with their details."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(groups.list_group_snapshots, wanted)
    return GroupSnapshotsBody(
        group_snapshots=[_show(call, one) for one in found],
        group_snapshot_links=next_links(call, "group_snapshots/detail", found, wanted.limit),
    )


@routes.post(_ALL, policy="group:create_group_snapshot", status=202, since="3.14")
def create_group_snapshot(call: Call, body: CreateBody) -> SummaryBody:
    """Take a snapshot of each volume of a group."""
    spec, create = body.group_snapshot, group_work.create_group_snapshot
    name, description = stripped(spec.name), stripped(spec.description)
    made = call.db.write(create, call.ctx, call.tools, spec.group_id, name, description)
    return SummaryBody(
        GroupSnapshotSummary(id=made.id, name=made.name, group_type_id=made.group_type_id)
    )


@routes.get(_ONE, policy="group:get_group_snapshot", since="3.14")
def show_group_snapshot(call: Call, snapshot_id: str) -> GroupSnapshotBody:
    """Show a snapshot of a group."""
    found = call.db.read(groups.group_snapshot_visible, call.ctx, snapshot_id)
    return GroupSnapshotBody(_show(call, found))


@routes.delete(_ONE, policy="group:delete_group_snapshot", status=202, since="3.14")
def delete_group_snapshot(call: Call, snapshot_id: str) -> None:
    """Delete a snapshot of a group."""
    call.db.write(group_work.delete_group_snapshot, call.ctx, snapshot_id)


@routes.post(
    f"{_ONE}/action",
    policy="group:reset_group_snapshot_status",
    status=202,
    since="3.19",
    action="reset_status",
)
def reset_group_snapshot_status(call: Call, snapshot_id: str, body: ResetStatus) -> None:
    """Say what the status of a snapshot of a group is, whatever it was."""
    call.db.write(groups.reset_snapshot_status, call.ctx, snapshot_id, body.status)


def _show(call: Call, one: GroupSnapshot) -> GroupSnapshotView:
    shows_project = call.ctx.may("group:group_snapshot_project_attribute")
    return GroupSnapshotView(
        id=one.id,
        group_id=one.group_id,
        group_type_id=one.group_type_id,
        status=one.status,
        created_at=iso_bare(one.created_at),
        name=one.name,
        description=one.description,
        project_id=one.project_id if shows_project else UNSET,
    )
