"""Volumes of another type, in another back end, and made into images."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.clock import iso_bare
from cumulo.kit.errors import Invalid
from cumulo.services.volume import volumes
from cumulo.services.volume.api.fields import Name, Uuid
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.begin_move import migrate_volume as migrate
from cumulo.services.volume.workflows.begin_move import retype_volume as retype
from cumulo.services.volume.workflows.upload_volume import NewImage
from cumulo.services.volume.workflows.upload_volume import upload_volume as upload
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_PATH = "/v3/volumes/{volume_id}/action"


class Retype(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Of which type, and whether the volume may be copied for that."""

    new_type: Annotated[str, Meta(min_length=1, max_length=255)]
    migration_policy: Literal["on-demand", "never"] | None = "never"


class Migrate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """To which back end; every move is a copy here, whether that is forced or not."""

    host: Annotated[str, Meta(min_length=1, max_length=255)]
    force_host_copy: LooseBool = False
    lock_volume: LooseBool = False


class MigrationEnd(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which volume was made elsewhere, and whether that failed."""

    new_volume: Uuid
    error: LooseBool = False


class ExtensionEnd(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether it failed."""

    error: LooseBool


class Upload(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The image wanted."""

    image_name: Annotated[str, Meta(min_length=1, max_length=255)]
    force: LooseBool = False
    disk_format: Literal["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx"] = "raw"
    container_format: Name = "bare"
    visibility: Annotated[Literal["community", "public", "private", "shared"], since("3.1")] = (
        "private"
    )
    protected: Annotated[LooseBool, since("3.1")] = False


class TypeName(msgspec.Struct):
    """The type of a volume."""

    name: str


class UploadView(msgspec.Struct, kw_only=True):
    """An image that is being made of a volume."""

    id: str
    updated_at: str
    status: str
    display_description: str | None
    size: int
    volume_type: TypeName
    image_id: str
    container_format: str
    disk_format: str
    image_name: str
    visibility: Annotated[str, since("3.1")]
    protected: Annotated[bool, since("3.1")]


class UploadBody(msgspec.Struct):
    """An image that is being made of a volume."""

    upload: UploadView = msgspec.field(name="os-volume_upload_image")


@routes.post(_PATH, policy="volume:retype", status=202, action="os-retype")
def retype_volume(call: Call, volume_id: str, body: Retype) -> None:
    """Let a volume be of another type."""
    may_copy = body.migration_policy == "on-demand"
    call.db.write(retype, call.ctx, call.tools, volume_id, body.new_type, may_copy=may_copy)


@routes.post(
    _PATH,
    policy="volume_extension:volume_admin_actions:migrate_volume",
    status=202,
    action="os-migrate_volume",
)
def migrate_volume(call: Call, volume_id: str, body: Migrate) -> None:
    """Move a volume to another back end."""
    call.db.write(migrate, call.ctx, volume_id, body.host, lock=body.lock_volume)


@routes.post(
    _PATH,
    policy="volume_extension:volume_admin_actions:migrate_volume_completion",
    action="os-migrate_volume_completion",
)
def complete_migration(call: Call, volume_id: str, body: MigrationEnd) -> None:
    """Say that somebody else copied a volume: refused, volumes are moved here by no one else."""
    for one in (volume_id, body.new_volume):
        call.db.read(volumes.volume_visible, call.ctx, one)
    raise Invalid(
        "Invalid volume: Source volume not mid-migration: volumes are moved by this cloud alone."
    )


@routes.post(
    _PATH,
    policy="volume_extension:volume_admin_actions:extend_volume_completion",
    status=202,
    action="os-extend_volume_completion",
    since="3.71",
)
def complete_extension(call: Call, volume_id: str, body: ExtensionEnd) -> None:
    """Say that a host made a volume larger: refused, back ends do that here."""
    found = call.db.read(volumes.volume_visible, call.ctx, volume_id)
    raise Invalid(
        f"Invalid volume: Unable to complete the extension of volume {found.id}: no host makes "
        "volumes larger here."
    )


@routes.post(
    _PATH,
    policy="volume_extension:volume_actions:upload_image",
    status=202,
    action="os-volume_upload_image",
)
def upload_volume(call: Call, volume_id: str, body: Upload) -> UploadBody:
    """Make an image of what a volume holds."""
    if body.visibility == "public":
        call.ctx.require("volume_extension:volume_actions:upload_public")
    wanted = NewImage(
        name=body.image_name,
        disk_format=body.disk_format,
        container_format=body.container_format,
        visibility=body.visibility,
        protected=body.protected,
        force=body.force,
    )
    volume, image_id = call.db.write(upload, call.ctx, call.tools, volume_id, wanted)
    kind = call.db.read(volumes.type_name_of, volume)
    return UploadBody(
        UploadView(
            id=volume.id,
            updated_at=iso_bare(volume.updated_at or volume.created_at),
            status=volume.status,
            display_description=volume.description,
            size=volume.size_gib,
            volume_type=TypeName(kind),
            image_id=image_id,
            container_format=body.container_format,
            disk_format=body.disk_format,
            image_name=body.image_name,
            visibility=body.visibility,
            protected=body.protected,
        )
    )
