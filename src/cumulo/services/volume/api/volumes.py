"""Volumes."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.volume import volumes
from cumulo.services.volume.api.fields import Metadata, Name, Size, Uuid, changes_of, stripped
from cumulo.services.volume.api.links import Link, next_links
from cumulo.services.volume.api.queries import Lists, flag, wanted_of, wants_count
from cumulo.services.volume.api.volume_views import (
    Viewer,
    VolumeBody,
    VolumeSummary,
    VolumeView,
    summary_of,
)
from cumulo.services.volume.new_volumes import NewVolume, from_snapshot_of_image
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volumes import Whole
from cumulo.services.volume.workflows.create_volume import create_volume as create
from cumulo.services.volume.workflows.delete_volume import delete_volume as delete
from cumulo.services.volume.workflows.restore_backup import restore_backup as restore
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()

LISTS = Lists(
    filters={
        "name": "name",
        "display_name": "name",
        "description": "description",
        "status": "status",
        "bootable": "is_bootable",
        "availability_zone": "availability_zone",
        "migration_status": "migration_status",
        "multiattach": "is_multiattach",
        "group_id": "group_id",
        "snapshot_id": "snapshot_id",
        "source_volid": "source_volume_id",
        "host": "host",
        "user_id": "user_id",
        "id": "id",
        "size": "size_gib",
        "volume_type_id": "type_id",
        "consumes_quota": "consumes_quota",
    },
    flags=("bootable", "multiattach", "consumes_quota"),
    noted={"metadata": "metadata", "glance_metadata": "image"},
    times=("created_at", "updated_at"),
    sort_keys={
        "id": "id",
        "name": "name",
        "display_name": "name",
        "size": "size_gib",
        "status": "status",
        "availability_zone": "availability_zone",
        "bootable": "is_bootable",
        "created_at": "created_at",
        "updated_at": "updated_at",
        "host": "host",
        "launched_at": "launched_at",
        "project_id": "project_id",
        "user_id": "user_id",
    },
)


class VolumeSpec(msgspec.Struct, kw_only=True):
    """What a client says about the volume it wants."""

    size: Size | None = None
    name: Name | None = None
    display_name: Name | None = None
    description: Name | None = None
    display_description: Name | None = None
    volume_type: Name | None = None
    metadata: Metadata | None = None
    snapshot_id: Uuid | None = None
    source_volid: Uuid | None = None
    image_ref: Name | None = msgspec.field(name="imageRef", default=None)
    image_id: Name | None = None
    availability_zone: Name | None = None
    multiattach: LooseBool | None = None
    consistencygroup_id: Uuid | None = None
    group_id: Annotated[Uuid | None, since("3.13")] = None
    backup_id: Annotated[Uuid | None, since("3.47")] = None


class StrictVolumeSpec(VolumeSpec, kw_only=True, forbid_unknown_fields=True):
    """The same, and nothing else."""


class CreateBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The volume wanted, and where it should go."""

    volume: VolumeSpec
    hints: dict[str, Any] | None = msgspec.field(name="OS-SCH-HNT:scheduler_hints", default=None)


class StrictCreateBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The volume wanted, and where it should go."""

    volume: StrictVolumeSpec
    hints: dict[str, Any] | None = msgspec.field(name="OS-SCH-HNT:scheduler_hints", default=None)


class VolumeChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be changed of a volume."""

    name: Name | UnsetType | None = UNSET
    display_name: Name | UnsetType | None = UNSET
    description: Name | UnsetType | None = UNSET
    display_description: Name | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed."""

    volume: VolumeChange


class SummariesBody(msgspec.Struct, kw_only=True):
    """A page of volumes."""

    volumes: list[VolumeSummary]
    volumes_links: list[Link] | UnsetType = UNSET
    count: Annotated[int | UnsetType, since("3.45")] = UNSET


class VolumesBody(msgspec.Struct, kw_only=True):
    """A page of volumes with their details."""

    volumes: list[VolumeView]
    volumes_links: list[Link] | UnsetType = UNSET
    count: Annotated[int | UnsetType, since("3.45")] = UNSET


class Summary(msgspec.Struct):
    """How many volumes there are, and how large they are together."""

    total_count: int
    total_size: int
    metadata: Annotated[dict[str, list[str]], since("3.36")] = {}


class SummaryBody(msgspec.Struct):
    """A summary of volumes."""

    summary: Summary = msgspec.field(name="volume-summary")


class DeleteQuery(msgspec.Struct):
    """How far a deletion goes."""

    cascade: str = "false"
    force: Annotated[str, since("3.23")] = "false"


@routes.get("/v3/volumes", policy="volume:get_all")
def list_volumes(call: Call) -> SummariesBody:
    """List volumes."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(volumes.list_volumes, wanted)
    return SummariesBody(
        volumes=[summary_of(call, one) for one in found],
        volumes_links=next_links(call, "volumes", found, wanted.limit),
        count=call.db.read(volumes.count_volumes, wanted) if wants_count(call) else UNSET,
    )


@routes.get("/v3/volumes/detail", policy="volume:get_all")
def list_volumes_with_details(call: Call) -> VolumesBody:
    """List volumes with their details."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(volumes.list_whole, wanted)
    show = Viewer(call, found).show
    return VolumesBody(
        volumes=[show(one) for one in found.volumes],
        volumes_links=next_links(call, "volumes/detail", found.volumes, wanted.limit),
        count=call.db.read(volumes.count_volumes, wanted) if wants_count(call) else UNSET,
    )


@routes.get("/v3/volumes/summary", policy="volume:get_all", since="3.12")
def show_summary(call: Call) -> SummaryBody:
    """Show how many volumes there are, and how large they are together."""
    count, size, values = call.db.read(volumes.summary, wanted_of(call, LISTS))
    return SummaryBody(Summary(count, size, values))


@routes.post("/v3/volumes", policy="volume:create", status=202, until="3.52")
def create_volume(call: Call, body: CreateBody) -> VolumeBody:
    """Create a volume: empty, or from an image, a snapshot or another volume."""
    return _create(call, body.volume, body.hints or {})


@routes.post("/v3/volumes", policy="volume:create", status=202, since="3.53")
def create_volume_strictly(call: Call, body: StrictCreateBody) -> VolumeBody:
    """Create a volume: empty, or from an image, a snapshot or another volume."""
    return _create(call, body.volume, body.hints or {})


def _create(call: Call, spec: VolumeSpec, hints: dict[str, Any]) -> VolumeBody:
    if spec.multiattach:
        raise Invalid(
            "multiattach parameter has been removed. The default behavior is to use multiattach "
            "enabled volume types. Contact your administrator to create a multiattach enabled "
            "volume type and use it to create multiattach volumes.",
            field="multiattach",
        )
    wanted = NewVolume(
        size_gib=spec.size,
        name=stripped(spec.name or spec.display_name),
        description=stripped(spec.description or spec.display_description),
        type=spec.volume_type or None,
        snapshot_id=spec.snapshot_id,
        source_volume_id=spec.source_volid,
        image_id=(spec.image_ref or spec.image_id or "").rpartition("/")[2] or None,
        availability_zone=spec.availability_zone,
        group_id=spec.group_id or spec.consistencygroup_id,
        metadata=spec.metadata or {},
        hints=hints,
    )
    if wanted.image_id is not None:
        call.ctx.require("volume:create_from_image")
    if spec.backup_id is not None:
        call.ctx.require("backup:restore")
        return _bare(call, call.db.write(_restored, call, spec.backup_id, wanted))
    return _bare(call, call.db.write(_made, call, wanted))


def _restored(tx: Tx, call: Call, backup_id: str, wanted: NewVolume) -> Whole:
    return volumes.whole(tx, [restore(tx, call.ctx, call.tools, backup_id, None, wanted)])


def _made(tx: Tx, call: Call, wanted: NewVolume) -> Whole:
    if wanted.image_id is not None and call.version >= (3, 46):
        wanted = from_snapshot_of_image(tx, call.ctx, wanted)
    return volumes.whole_new(tx, create(tx, call.ctx, call.tools, wanted), wanted.metadata)


@routes.get("/v3/volumes/{volume_id}", policy="volume:get")
def show_volume(call: Call, volume_id: str) -> VolumeBody:
    """Show a volume."""
    return _shown(call, call.db.read(volumes.show, call.ctx, volume_id))


@routes.put("/v3/volumes/{volume_id}", policy="volume:update")
def update_volume(call: Call, volume_id: str, body: UpdateBody) -> VolumeBody:
    """Change a volume's name, description or metadata."""
    return _bare(call, call.db.write(_updated, call, volume_id, body.volume))


def _updated(tx: Tx, call: Call, volume_id: str, change: VolumeChange) -> Whole:
    changes = changes_of(
        change,
        name="name",
        display_name="name",
        description="description",
        display_description="description",
    )
    metadata = None if change.metadata is UNSET else change.metadata
    if not changes and metadata is None and call.version >= (3, 53):
        raise Invalid("Name one of name, description and metadata in volume.", field="volume")
    volumes.update_volume(tx, call.ctx, volume_id, changes, metadata)
    return volumes.show(tx, call.ctx, volume_id)


@routes.delete("/v3/volumes/{volume_id}", policy="volume:delete", status=202)
def delete_volume(call: Call, volume_id: str, query: DeleteQuery) -> None:
    """Delete a volume, and with `cascade` its snapshots."""
    cascade, force = flag("cascade", query.cascade), flag("force", query.force)
    if force:
        call.ctx.require("volume:force_delete")
    call.db.write(delete, call.ctx, volume_id, cascade=cascade, force=force)


def _shown(call: Call, found: Whole) -> VolumeBody:
    return VolumeBody(Viewer(call, found).show(found.volumes[0]))


def _bare(call: Call, found: Whole) -> VolumeBody:
    return VolumeBody(Viewer(call, found).bare(found.volumes[0]))
