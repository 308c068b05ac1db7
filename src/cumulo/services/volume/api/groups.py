"""Groups of volumes."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_bare
from cumulo.kit.errors import Invalid
from cumulo.services.volume import groups
from cumulo.services.volume.api.fields import Name, Uuid, stripped
from cumulo.services.volume.api.links import Link, next_links
from cumulo.services.volume.api.queries import Lists, flag, wanted_of
from cumulo.services.volume.groups import Group, NewGroup
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.group_work import create_group_from, delete_group
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/groups", "/v3/groups/{group_id}"

LISTS = Lists(
    filters={"id": "id", "name": "name", "status": "status", "group_type": "group_type_id"},
    sort_keys={
        "id": "id",
        "name": "name",
        "status": "status",
        "created_at": "created_at",
        "group_type": "group_type_id",
        "availability_zone": "availability_zone",
    },
)


class GroupSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The group wanted."""

    group_type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    volume_types: Annotated[list[Name], msgspec.Meta(min_length=1)]
    name: Name | None = None
    description: Name | None = None
    availability_zone: Name | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The group wanted."""

    group: GroupSpec


class GroupChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of a group."""

    name: Name | None = None
    description: Name | None = None
    add_volumes: str | None = None  # ids with commas between
    remove_volumes: str | None = None


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed."""

    group: GroupChange


class SourceSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A group made from another, or from a snapshot of one."""

    name: Name | None = None
    description: Name | None = None
    group_snapshot_id: Uuid | None = None
    source_group_id: Uuid | None = None


class DeleteSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether the volumes go too."""

    delete_volumes: LooseBool = msgspec.field(name="delete-volumes", default=False)


class ResetStatus(msgspec.Struct, forbid_unknown_fields=True):
    """What the status is."""

    status: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class GroupSummary(msgspec.Struct, kw_only=True):
    """A group in a list, or just made."""

    id: str
    name: str | None


class GroupView(msgspec.Struct, kw_only=True):
    """A group."""

    id: str
    status: str
    availability_zone: str
    created_at: str
    name: str | None
    description: str | None
    group_type: str
    volume_types: list[str]
    group_snapshot_id: Annotated[str | None, since("3.14")] = None
    source_group_id: Annotated[str | None, since("3.14")] = None
    volumes: Annotated[list[str] | UnsetType, since("3.25")] = UNSET
    replication_status: Annotated[str, since("3.38")] = "disabled"
    project_id: Annotated[str | UnsetType, since("3.58")] = UNSET


class SummaryBody(msgspec.Struct):
    """A group that was just begun."""

    group: GroupSummary


class GroupBody(msgspec.Struct):
    """A group."""

    group: GroupView


class SummariesBody(msgspec.Struct, kw_only=True):
    """A page of groups."""

    groups: list[GroupSummary]
    group_links: list[Link] | UnsetType = UNSET


class GroupsBody(msgspec.Struct, kw_only=True):
    """A page of groups with their details."""

    groups: list[GroupView]
    group_links: list[Link] | UnsetType = UNSET


class VolumesQuery(msgspec.Struct):
    """Whether the volumes are listed too."""

    list_volume: Annotated[str, since("3.25")] = "false"


@routes.get(_ALL, policy="group:get_all", since="3.13")
def list_groups(call: Call) -> SummariesBody:
    """List groups."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(groups.list_groups, wanted)
    return SummariesBody(
        groups=[GroupSummary(id=one.id, name=one.name) for one in found],
        group_links=next_links(call, "groups", found, wanted.limit),
    )


@routes.get(f"{_ALL}/detail", policy="group:get_all", since="3.13")
def list_groups_with_details(call: Call, query: VolumesQuery) -> GroupsBody:
    """List groups with their details."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(groups.list_groups, wanted)
    return GroupsBody(
        groups=call.db.read(_shown, call, found, query),
        group_links=next_links(call, "groups/detail", found, wanted.limit),
    )


@routes.post(_ALL, policy="group:create", status=202, since="3.13")
def create_group(call: Call, body: CreateBody) -> SummaryBody:
    """Create a group, as yet without volumes."""
    spec = body.group
    wanted = NewGroup(
        group_type=spec.group_type,
        volume_types=spec.volume_types,
        name=stripped(spec.name),
        description=stripped(spec.description),
        availability_zone=spec.availability_zone,
    )
    made = call.db.write(groups.new_group, call.ctx, call.tools.settings, wanted)
    return SummaryBody(GroupSummary(id=made.id, name=made.name))


@routes.post(
    f"{_ALL}/action", policy="group:create", status=202, since="3.14", action="create-from-src"
)
def create_group_from_source(call: Call, body: SourceSpec) -> SummaryBody:
    """Create a group from another, or from a snapshot of one."""
    if (body.group_snapshot_id is None) == (body.source_group_id is None):
        raise Invalid("Name either group_snapshot_id or source_group_id to create a group from.")
    wanted = NewGroup(
        group_type="",
        volume_types=[],
        name=stripped(body.name),
        description=stripped(body.description),
        group_snapshot_id=body.group_snapshot_id,
        source_group_id=body.source_group_id,
    )
    made = call.db.write(create_group_from, call.ctx, call.tools, wanted)
    return SummaryBody(GroupSummary(id=made.id, name=made.name))


@routes.get(_ONE, policy="group:get", since="3.13")
def show_group(call: Call, group_id: str, query: VolumesQuery) -> GroupBody:
    """Show a group."""
    found = call.db.read(groups.group_visible, call.ctx, group_id)
    return GroupBody(call.db.read(_shown, call, [found], query)[0])


@routes.put(_ONE, policy="group:update", status=202, since="3.13")
def update_group(call: Call, group_id: str, body: UpdateBody) -> None:
    """Change a group's name, description or volumes."""
    change = body.group
    changes: dict[str, object] = {}
    if change.name is not None:
        changes["name"] = change.name
    if change.description is not None:
        changes["description"] = change.description
    add, remove = _ids(change.add_volumes), _ids(change.remove_volumes)
    if not (changes or add or remove):
        raise Invalid("Name, description, add_volumes, and remove_volumes can not be all empty.")
    if both := set(add) & set(remove):
        raise Invalid(f"UUIDs {', '.join(sorted(both))} are in both add and remove volume list.")
    call.db.write(groups.update_group, call.ctx, group_id, changes, add=add, remove=remove)


@routes.post(f"{_ONE}/action", policy="group:delete", status=202, since="3.13", action="delete")
def delete_a_group(call: Call, group_id: str, body: DeleteSpec) -> None:
    """Delete a group, and its volumes if that is said."""
    call.db.write(delete_group, call.ctx, group_id, with_volumes=body.delete_volumes)


@routes.post(
    f"{_ONE}/action", policy="group:reset_status", status=202, since="3.20", action="reset_status"
)
def reset_group_status(call: Call, group_id: str, body: ResetStatus) -> None:
    """Say what a group's status is, whatever it was."""
    call.db.write(groups.reset_status, call.ctx, group_id, body.status)


def _ids(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def _shown(tx: Tx, call: Call, found: list[Group], query: VolumesQuery) -> list[GroupView]:
    shows_project = call.ctx.may("group:group_project_attribute")
    with_volumes = flag("list_volume", query.list_volume)
    return [
        GroupView(
            id=one.id,
            status=one.status,
            availability_zone=one.availability_zone,
            created_at=iso_bare(one.created_at),
            name=one.name,
            description=one.description,
            group_type=one.group_type_id,
            volume_types=one.volume_types,
            group_snapshot_id=one.group_snapshot_id,
            source_group_id=one.source_group_id,
            volumes=[x.id for x in groups.volumes_of(tx, one.id)] if with_volumes else UNSET,
            project_id=one.project_id if shows_project else UNSET,
        )
        for one in found
    ]
