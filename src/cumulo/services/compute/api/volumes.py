"""/os-volumes and /os-snapshots, for clients that do not ask block storage."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, OverQuota
from cumulo.services.compute.api.queries import MOST, Limit
from cumulo.services.compute.api.server_bodies import Metadata
from cumulo.services.compute.tools import Tools
from cumulo.services.volume import public as volume
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, LooseInt, Reply, Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_VOLUMES, _VOLUME = "/v2.1/os-volumes", "/v2.1/os-volumes/{volume_id}"
_SNAPSHOTS, _SNAPSHOT = "/v2.1/os-snapshots", "/v2.1/os-snapshots/{snapshot_id}"
_RULE, _RULE_OF_SNAPSHOTS = "os_compute_api:os-volumes", "os_compute_api:os-volumes:snapshots"
_LAST = "2.35"
Words: TypeAlias = Annotated[str, Meta(max_length=255)]


class VolumeView(msgspec.Struct, kw_only=True, rename="camel"):
    """A volume in the words of an older API."""

    id: str
    status: str
    size: int
    availability_zone: str
    created_at: str
    attachments: list[dict[str, str]]
    display_name: str | None
    display_description: str | None
    volume_type: str
    snapshot_id: str | None
    metadata: dict[str, str]


class SnapshotView(msgspec.Struct, kw_only=True, rename="camel"):
    """A snapshot in the same."""

    id: str
    volume_id: str
    status: str
    size: int
    created_at: str
    display_name: str | None
    display_description: str | None


class VolumeBody(msgspec.Struct):
    """One volume."""

    volume: VolumeView


class VolumesBody(msgspec.Struct):
    """Volumes."""

    volumes: list[VolumeView]


class SnapshotBody(msgspec.Struct):
    """One snapshot."""

    snapshot: SnapshotView


class SnapshotsBody(msgspec.Struct):
    """Snapshots."""

    snapshots: list[SnapshotView]


class VolumeSpec(msgspec.Struct, kw_only=True):
    """What a client says about the volume it wants."""

    size: Annotated[LooseInt, Meta(ge=1)]
    display_name: Words | None = None
    display_description: str | None = None
    volume_type: str | None = None
    metadata: Metadata | None = None
    snapshot_id: str | None = None
    availability_zone: str | None = None


class SnapshotSpec(msgspec.Struct, kw_only=True):
    """What a client says about the snapshot it wants."""

    volume_id: str
    display_name: Words | None = None
    display_description: str | None = None
    force: LooseBool | UnsetType = UNSET


class CreateVolume(msgspec.Struct):
    """The body of a request for a volume."""

    volume: VolumeSpec


class CreateSnapshot(msgspec.Struct):
    """The body of a request for a snapshot."""

    snapshot: SnapshotSpec


class PageQuery(msgspec.Struct, kw_only=True):
    """Which page of a list."""

    limit: Limit = MOST
    offset: Annotated[LooseInt, Meta(ge=0)] = 0


@routes.get(_VOLUMES, policy=f"{_RULE}:list", until=_LAST)
def list_volumes(call: Call, query: PageQuery) -> VolumesBody:
    """List volumes."""
    found = call.db.read(volume.list_whole, _wanted(call, query))
    return VolumesBody([_view(one, found) for one in found.volumes])


@routes.get(f"{_VOLUMES}/detail", policy=f"{_RULE}:detail", until=_LAST)
def list_volumes_with_details(call: Call, query: PageQuery) -> VolumesBody:
    """List volumes, with no more details than without."""
    return list_volumes(call, query)


@routes.get(_VOLUME, policy=f"{_RULE}:show", until=_LAST)
def show_volume(call: Call, volume_id: str) -> VolumeBody:
    """Show a volume."""
    found = call.db.read(volume.show, call.ctx, volume_id)
    return VolumeBody(_view(found.volumes[0], found))


@routes.post(_VOLUMES, policy=f"{_RULE}:create", until=_LAST)
def create_volume(call: Call, body: CreateVolume) -> Reply:
    """Make a volume."""
    try:
        found = call.db.write(_create, call, body.volume)
    except OverQuota as error:
        raise Forbidden(error.message) from error
    view = _view(found.volumes[0], found)
    return Reply(VolumeBody(view), headers={"Location": f"{call.url}/{view.id}"})


def _create(tx: Tx, call: Call, spec: VolumeSpec) -> volume.Whole:
    wanted = volume.NewVolume(
        size_gib=spec.size,
        name=spec.display_name,
        description=spec.display_description,
        type=spec.volume_type,
        metadata=spec.metadata or {},
        snapshot_id=spec.snapshot_id,
        availability_zone=spec.availability_zone,
    )
    made = volume.create_volume(tx, call.ctx, call.tools.volume, wanted)
    return volume.show(tx, call.ctx, made.id)


@routes.delete(_VOLUME, policy=f"{_RULE}:delete", status=202, until=_LAST)
def delete_volume(call: Call, volume_id: str) -> None:
    """Delete a volume."""
    call.db.write(volume.delete_volume, call.ctx, volume_id)


@routes.get(_SNAPSHOTS, policy=f"{_RULE_OF_SNAPSHOTS}:list", until=_LAST)
def list_snapshots(call: Call, query: PageQuery) -> SnapshotsBody:
    """List snapshots of volumes."""
    found = call.db.read(volume.list_snapshots, _wanted(call, query)).snapshots
    return SnapshotsBody([_snapshot(one) for one in found])


@routes.get(f"{_SNAPSHOTS}/detail", policy=f"{_RULE_OF_SNAPSHOTS}:detail", until=_LAST)
def list_snapshots_with_details(call: Call, query: PageQuery) -> SnapshotsBody:
    """List snapshots of volumes, with no more details than without."""
    return list_snapshots(call, query)


@routes.get(_SNAPSHOT, policy=f"{_RULE_OF_SNAPSHOTS}:show", until=_LAST)
def show_snapshot(call: Call, snapshot_id: str) -> SnapshotBody:
    """Show a snapshot."""
    return SnapshotBody(_snapshot(call.db.read(volume.snapshot_visible, call.ctx, snapshot_id)))


@routes.post(_SNAPSHOTS, policy=f"{_RULE_OF_SNAPSHOTS}:create", until=_LAST)
def create_snapshot(call: Call, body: CreateSnapshot) -> SnapshotBody:
    """Take a snapshot of a volume."""
    try:
        return SnapshotBody(_snapshot(call.db.write(_take, call, body.snapshot)))
    except OverQuota as error:
        raise Forbidden(error.message) from error


def _take(tx: Tx, call: Call, spec: SnapshotSpec) -> volume.Snapshot:
    wanted = volume.NewSnapshot(
        volume_id=spec.volume_id,
        name=spec.display_name,
        description=spec.display_description,
        force=spec.force is True,
    )
    return volume.create_snapshot(tx, call.ctx, call.tools.volume, wanted)


@routes.delete(_SNAPSHOT, policy=f"{_RULE_OF_SNAPSHOTS}:delete", status=202, until=_LAST)
def delete_snapshot(call: Call, snapshot_id: str) -> None:
    """Delete a snapshot."""
    call.db.write(volume.delete_snapshot, call.ctx, snapshot_id)


def _wanted(call: Call, query: PageQuery) -> volume.Wanted:
    project_id = call.ctx.project_id or ""
    return volume.Wanted(project_id=project_id, limit=query.limit, offset=query.offset)


def _view(one: volume.Volume, found: volume.Whole) -> VolumeView:
    return VolumeView(
        id=one.id,
        status=one.status,
        size=one.size_gib,
        availability_zone=one.availability_zone,
        created_at=_moment(one.created_at),
        attachments=_attachments(one, found),
        display_name=one.name,
        display_description=one.description,
        volume_type=found.types[one.type_id],
        snapshot_id=one.snapshot_id,
        metadata=found.items.get((one.id, "metadata"), {}),
    )


def _attachments(one: volume.Volume, found: volume.Whole) -> list[dict[str, str]]:
    """Return the first only; an empty one where there is none."""
    told: dict[str, Any] = {}
    for attachment in found.attachments.get(one.id, ()):
        if one.attach_status == "attached" and attachment.server_id:
            told = {"id": one.id, "volumeId": one.id, "serverId": attachment.server_id}
            told |= {"device": attachment.mountpoint} if attachment.mountpoint else {}
            break
    return [told]


def _snapshot(one: volume.Snapshot) -> SnapshotView:
    return SnapshotView(
        id=one.id,
        volume_id=one.volume_id,
        status=one.status,
        size=one.size_gib,
        created_at=_moment(one.created_at),
        display_name=one.name,
        display_description=one.description,
    )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}"
