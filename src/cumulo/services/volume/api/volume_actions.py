"""What can be done with a volume besides changing and deleting it."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.services.volume import attachments, volumes
from cumulo.services.volume.api.fields import Metadata, Name, Size, Uuid
from cumulo.services.volume.attachments import NewAttachment
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volumes import Reset
from cumulo.services.volume.workflows.delete_volume import delete_volume as delete
from cumulo.services.volume.workflows.extend_volume import extend_volume as extend
from cumulo.services.volume.workflows.reimage_volume import reimage_volume as reimage
from cumulo.services.volume.workflows.revert_volume import revert_volume as revert
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_PATH = "/v3/volumes/{volume_id}/action"
_ACTIONS = "volume_extension:volume_actions"
_ADMINS = "volume_extension:volume_admin_actions"
Mode: TypeAlias = Annotated[str, Meta(pattern=r"^(rw|ro)$(?!\n)")]


class Extend(msgspec.Struct, forbid_unknown_fields=True):
    """How large, in GiB."""

    new_size: Size


class Reimage(msgspec.Struct, forbid_unknown_fields=True):
    """From which image, and whether also while it is kept for somebody."""

    image_id: Uuid
    reimage_reserved: LooseBool = False


class ResetStatus(msgspec.Struct, forbid_unknown_fields=True):
    """What the statuses are."""

    status: Name | None = None
    attach_status: Name | None = None
    migration_status: Name | None = None


class Bootable(msgspec.Struct, forbid_unknown_fields=True):
    """Whether servers may start from it."""

    bootable: LooseBool


class Readonly(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it is read only."""

    readonly: LooseBool


class ImageMetadata(msgspec.Struct, forbid_unknown_fields=True):
    """What is known of the image it was made from."""

    metadata: Metadata


class ImageMetadataKey(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of it."""

    key: Annotated[str, Meta(min_length=1, max_length=255)]


class Attach(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who has it now."""

    mountpoint: Annotated[str, Meta(min_length=1, max_length=255)]
    instance_uuid: Uuid | None = None
    host_name: Name | None = None
    mode: Mode = "rw"


class Detach(msgspec.Struct, forbid_unknown_fields=True):
    """Whose attachment."""

    attachment_id: Uuid | None = None


class ForceDetach(msgspec.Struct, forbid_unknown_fields=True):
    """Whose attachment."""

    attachment_id: Uuid | None = None
    connector: dict[str, Any] | None = None


class Connector(msgspec.Struct, forbid_unknown_fields=True):
    """From where it is reached."""

    connector: dict[str, Any]


class MaybeConnector(msgspec.Struct, forbid_unknown_fields=True):
    """From where it was reached."""

    connector: dict[str, Any] | None


class Revert(msgspec.Struct):
    """To which snapshot."""

    snapshot_id: str | None = None


class Info(msgspec.Struct):
    """How a volume is reached."""

    driver_volume_type: str
    data: dict[str, Any]
    enforce_multipath: bool = False


class ConnectionBody(msgspec.Struct):
    """How a volume is reached."""

    connection_info: Info


class MetadataBody(msgspec.Struct):
    """What is known of the image a volume was made from."""

    metadata: dict[str, str]


@routes.post(_PATH, policy="volume:extend", status=202, action="os-extend")
def extend_volume(call: Call, volume_id: str, body: Extend) -> None:
    """Make a volume larger; from 3.42 on also while a server has it."""
    in_use = call.version >= (3, 42)
    call.db.write(extend, call.ctx, call.tools, volume_id, body.new_size, in_use=in_use)


@routes.post(_PATH, policy="volume:revert_to_snapshot", status=202, action="revert", since="3.40")
def revert_volume(call: Call, volume_id: str, body: Revert) -> None:
    """Let a volume hold again what its latest snapshot kept."""
    call.db.write(revert, call.ctx, volume_id, body.snapshot_id)


@routes.post(_PATH, policy="volume:reimage", status=202, action="os-reimage", since="3.68")
def reimage_volume(call: Call, volume_id: str, body: Reimage) -> None:
    """Write a volume anew from an image."""
    reserved = body.reimage_reserved
    call.db.write(reimage, call.ctx, volume_id, body.image_id, reserved=reserved)


@routes.post(_PATH, policy=f"{_ADMINS}:reset_status", status=202, action="os-reset_status")
def reset_volume_status(call: Call, volume_id: str, body: ResetStatus) -> None:
    """Say what a volume's status is, whatever it was."""
    reset = Reset(
        status=body.status,
        attach_status=body.attach_status,
        migration_status=body.migration_status,
    )
    call.db.write(volumes.reset_status, call.ctx, volume_id, reset)


@routes.post(_PATH, policy=f"{_ADMINS}:force_delete", status=202, action="os-force_delete")
def force_delete_volume(call: Call, volume_id: str) -> None:
    """Delete a volume in whatever status it is."""
    call.db.write(delete, call.ctx, volume_id, force=True)


@routes.post(_PATH, policy="volume:update", action="os-set_bootable")
def set_volume_bootable(call: Call, volume_id: str, body: Bootable) -> None:
    """Say whether servers may start from a volume."""
    call.db.write(volumes.set_bootable, call.ctx, volume_id, is_bootable=body.bootable)


@routes.post(
    _PATH, policy="volume:update_readonly_flag", status=202, action="os-update_readonly_flag"
)
def set_volume_readonly(call: Call, volume_id: str, body: Readonly) -> None:
    """Say whether a volume is read only."""
    call.db.write(volumes.set_readonly, call.ctx, volume_id, is_readonly=body.readonly)


@routes.post(
    _PATH, policy="volume_extension:volume_image_metadata:set", action="os-set_image_metadata"
)
def set_image_metadata(call: Call, volume_id: str, body: ImageMetadata) -> MetadataBody:
    """Note what is known of the image a volume was made from."""
    set_it = volumes.set_image_metadata
    return MetadataBody(call.db.write(set_it, call.ctx, volume_id, body.metadata))


@routes.post(
    _PATH, policy="volume_extension:volume_image_metadata:remove", action="os-unset_image_metadata"
)
def unset_image_metadata(call: Call, volume_id: str, body: ImageMetadataKey) -> None:
    """Forget a part of it."""
    call.db.write(volumes.unset_image_metadata, call.ctx, volume_id, body.key)


@routes.post(
    _PATH, policy="volume_extension:volume_image_metadata:show", action="os-show_image_metadata"
)
def show_image_metadata(call: Call, volume_id: str) -> MetadataBody:
    """Show what is known of the image a volume was made from."""
    return MetadataBody(call.db.read(volumes.image_metadata, call.ctx, volume_id))


@routes.post(_PATH, policy=f"{_ACTIONS}:reserve", status=202, action="os-reserve")
def reserve_volume(call: Call, volume_id: str) -> None:
    """Mark a volume as taken."""
    call.db.write(attachments.set_reserved, call.ctx, volume_id)


@routes.post(_PATH, policy=f"{_ACTIONS}:unreserve", status=202, action="os-unreserve")
def unreserve_volume(call: Call, volume_id: str) -> None:
    """Take the mark away."""
    call.db.write(attachments.unset_reserved, call.ctx, volume_id)


@routes.post(_PATH, policy=f"{_ACTIONS}:begin_detaching", status=202, action="os-begin_detaching")
def begin_detaching_volume(call: Call, volume_id: str) -> None:
    """Say that a volume is about to be let go."""
    call.db.write(attachments.begin_detaching, call.ctx, volume_id)


@routes.post(_PATH, policy=f"{_ACTIONS}:roll_detaching", status=202, action="os-roll_detaching")
def roll_detaching_volume(call: Call, volume_id: str) -> None:
    """Say that it is not."""
    call.db.write(attachments.roll_detaching, call.ctx, volume_id)


@routes.post(_PATH, policy=f"{_ACTIONS}:attach", status=202, action="os-attach")
def attach_volume(call: Call, volume_id: str, body: Attach) -> None:
    """Say who has a volume."""
    wanted = NewAttachment(
        volume_id=volume_id,
        server_id=body.instance_uuid,
        host_name=body.host_name,
        mountpoint=body.mountpoint,
        mode=body.mode,
    )
    call.db.write(attachments.attach, call.ctx, wanted)


@routes.post(_PATH, policy=f"{_ACTIONS}:detach", status=202, action="os-detach")
def detach_volume(call: Call, volume_id: str, body: Detach | None) -> None:
    """Say that somebody has let a volume go."""
    attachment_id = body.attachment_id if body else None
    holds = call.tools.servers.holds
    call.db.write(attachments.detach, call.ctx, volume_id, attachment_id, holds)


@routes.post(_PATH, policy=f"{_ADMINS}:force_detach", status=202, action="os-force_detach")
def force_detach_volume(call: Call, volume_id: str, body: ForceDetach | None) -> None:
    """Take an attachment away that nobody has any more."""
    attachment_id = body.attachment_id if body else None
    holds = call.tools.servers.holds
    call.db.write(attachments.force_detach, call.ctx, volume_id, attachment_id, holds)


@routes.post(_PATH, policy=f"{_ACTIONS}:initialize_connection", action="os-initialize_connection")
def initialize_connection(call: Call, volume_id: str, body: Connector) -> ConnectionBody:
    """Say how a host reaches a volume."""
    volume = call.db.read(attachments.check_connectable, call.ctx, volume_id)
    found = call.tools.driver(volume.host).connect(volume_id)
    multipath = bool(body.connector.get("enforce_multipath", False))
    return ConnectionBody(Info(found.driver_volume_type, found.data, multipath))


@routes.post(
    _PATH,
    policy=f"{_ACTIONS}:terminate_connection",
    status=202,
    action="os-terminate_connection",
)
def terminate_connection(call: Call, volume_id: str, body: MaybeConnector) -> None:
    """Let a host reach a volume no more."""
    holds = call.tools.servers.holds
    call.db.write(attachments.terminate_connection, call.ctx, volume_id, body.connector, holds)
