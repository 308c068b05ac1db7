"""Volumes as clients see them."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.clock import iso_bare
from cumulo.services.volume.api.links import Link, Place
from cumulo.services.volume.volumes import Attachment, Volume, Whole
from cumulo.web import Call, since

_SHOWN_AS = {"managing": "creating", "error_managing": "error"}
_SHOWN_AS |= {"error_managing_deleting": "deleting"}


class VolumeSummary(msgspec.Struct, gc=False):
    """A volume in a list."""

    id: str
    name: str | None
    links: list[Link]


class AttachmentView(msgspec.Struct, gc=False):
    """Who has a volume."""

    id: str
    attachment_id: str
    volume_id: str
    server_id: str | None
    host_name: str | None
    device: str | None
    attached_at: str | None


class VolumeView(msgspec.Struct, kw_only=True, gc=False):
    """A volume."""

    id: str
    status: str
    size: int
    availability_zone: str
    created_at: str
    updated_at: str | None
    name: str | None
    description: str | None
    volume_type: str
    snapshot_id: str | None
    source_volid: str | None
    metadata: dict[str, str]
    links: list[Link]
    user_id: str
    bootable: str
    encrypted: bool
    replication_status: str | None = None
    consistencygroup_id: str | None = None
    multiattach: bool
    attachments: list[AttachmentView]
    migration_status: str | UnsetType | None = UNSET
    group_id: Annotated[str | None, since("3.13")] = None
    provider_id: Annotated[str | UnsetType | None, since("3.21")] = UNSET
    shared_targets: Annotated[bool | None, since("3.48")] = False
    service_uuid: Annotated[str | None, since("3.48")] = None
    cluster_name: Annotated[str | UnsetType | None, since("3.61")] = UNSET
    volume_type_id: Annotated[str, since("3.63")]
    encryption_key_id: Annotated[str | UnsetType, since("3.64")] = UNSET
    consumes_quota: Annotated[bool, since("3.65")] = True
    image_metadata: dict[str, str] | UnsetType = msgspec.field(
        name="volume_image_metadata", default=UNSET
    )
    host: str | UnsetType | None = msgspec.field(name="os-vol-host-attr:host", default=UNSET)
    project_id: str | UnsetType = msgspec.field(name="os-vol-tenant-attr:tenant_id", default=UNSET)
    migration: str | UnsetType | None = msgspec.field(
        name="os-vol-mig-status-attr:migstat", default=UNSET
    )
    migration_name: str | UnsetType | None = msgspec.field(
        name="os-vol-mig-status-attr:name_id", default=UNSET
    )


class VolumeBody(msgspec.Struct):
    """A volume."""

    volume: VolumeView


def summary_of(call: Call[Any], volume: Volume) -> VolumeSummary:
    """Show a volume briefly."""
    return VolumeSummary(volume.id, volume.name, Place(call, "volumes").links(volume.id))


class Viewer:
    """Shows volumes; what the caller may see is found out once."""

    def __init__(self, call: Call[Any], found: Whole) -> None:
        ctx = call.ctx
        self._found, self._place = found, Place(call, "volumes")
        self._is_admin = ctx.is_admin
        self._shows_host = ctx.may("volume_extension:volume_host_attribute")
        self._shows_project = ctx.may("volume_extension:volume_tenant_attribute")
        self._shows_migration = ctx.may("volume_extension:volume_mig_status_attribute")
        self._shows_image = ctx.may("volume_extension:volume_image_metadata:show")

    def show(self, volume: Volume) -> VolumeView:
        """Show a volume."""
        view = self.bare(volume)
        image = self._found.items.get((volume.id, "image"))
        if image and self._shows_image:
            view.image_metadata = image
        if self._shows_host:
            view.host = volume.host
        if self._shows_project:
            view.project_id = volume.project_id
        if self._shows_migration:
            view.migration, view.migration_name = volume.migration_status, None
        return view

    def bare(self, volume: Volume) -> VolumeView:
        """Show a volume as its creation and its update answer."""
        view = self._usual(volume)
        if self._is_admin:
            view.migration_status = volume.migration_status
            view.provider_id, view.cluster_name = None, None
        return view

    def _usual(self, volume: Volume) -> VolumeView:
        found = self._found
        noted = found.items.get((volume.id, "metadata"), {})
        if volume.is_readonly is not None:
            noted = {**noted, "readonly": str(volume.is_readonly)}
        attached = found.attachments.get(volume.id)
        return VolumeView(
            id=volume.id,
            status=_SHOWN_AS.get(volume.status, volume.status),
            size=volume.size_gib,
            availability_zone=volume.availability_zone,
            created_at=iso_bare(volume.created_at),
            updated_at=iso_bare(volume.updated_at) if volume.updated_at else None,
            name=volume.name,
            description=volume.description,
            volume_type=found.types[volume.type_id],
            snapshot_id=volume.snapshot_id,
            source_volid=volume.source_volume_id,
            metadata=noted,
            links=self._place.links(volume.id),
            user_id=volume.user_id,
            bootable="true" if volume.is_bootable else "false",
            encrypted=volume.encryption_key_id is not None,
            multiattach=volume.is_multiattach,
            attachments=self._attachments(attached) if attached else [],
            group_id=volume.group_id,
            volume_type_id=volume.type_id,
            encryption_key_id=volume.encryption_key_id or UNSET,
            consumes_quota=volume.consumes_quota,
        )

    def _attachments(self, found: Sequence[Attachment]) -> list[AttachmentView]:
        return [_attachment(one, self._is_admin) for one in found if one.status in _SHOWN]


_SHOWN = ("attached", "detaching", "error_detaching")


def _attachment(one: Attachment, is_admin: bool) -> AttachmentView:
    return AttachmentView(
        id=one.volume_id,
        attachment_id=one.id,
        volume_id=one.volume_id,
        server_id=one.server_id,
        host_name=one.host_name if is_admin else None,
        device=one.mountpoint,
        attached_at=iso_bare(one.attached_at) if one.attached_at else None,
    )
