"""Attachments: which volume is for, or used by, which server."""

from typing import Annotated, Any, TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.clock import iso_bare
from cumulo.services.volume import attachments
from cumulo.services.volume.api.fields import Uuid
from cumulo.services.volume.api.queries import Lists, wanted_of
from cumulo.services.volume.api.volume_actions import Mode
from cumulo.services.volume.attachments import Attachment, NewAttachment
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volumes import volume_visible
from cumulo.web import Call as _Call
from cumulo.web import Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/attachments", "/v3/attachments/{attachment_id}"

LISTS = Lists(
    filters={
        "volume_id": "volume_id",
        "status": "status",
        "attach_status": "status",
        "instance_id": "server_id",
        "id": "id",
    },
    sort_keys={"id": "id", "created_at": "created_at", "volume_id": "volume_id"},
)


class AttachmentSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which volume for whom."""

    volume_uuid: Uuid
    instance_uuid: Uuid | None = None
    connector: dict[str, Any] | None = None
    mode: Annotated[Mode | None, since("3.54")] = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The attachment wanted."""

    attachment: AttachmentSpec


class AttachmentChange(msgspec.Struct, forbid_unknown_fields=True):
    """From where it is reached."""

    connector: Annotated[dict[str, Any], msgspec.Meta(min_length=1)]


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is now known of an attachment."""

    attachment: AttachmentChange


class AttachmentSummary(msgspec.Struct):
    """An attachment in a list."""

    id: str
    status: str
    instance: str | None
    volume_id: str


class AttachmentView(AttachmentSummary, kw_only=True):
    """An attachment."""

    attached_at: str
    detached_at: str
    attach_mode: str | None
    connection_info: dict[str, Any] | None


class SummariesBody(msgspec.Struct):
    """A page of attachments."""

    attachments: list[AttachmentSummary]


class AttachmentsBody(msgspec.Struct):
    """A page of attachments with their details."""

    attachments: list[AttachmentView]


class AttachmentBody(msgspec.Struct):
    """An attachment."""

    attachment: AttachmentView


@routes.get(_ALL, policy="", since="3.27")
def list_attachments(call: Call) -> SummariesBody:
    """List attachments."""
    found = call.db.read(attachments.list_attachments, wanted_of(call, LISTS))
    return SummariesBody([_summary(one) for one in found])


@routes.get(f"{_ALL}/detail", policy="", since="3.27")
def list_attachments_with_details(call: Call) -> AttachmentsBody:
    """List attachments with their details."""
    found = call.db.read(attachments.list_attachments, wanted_of(call, LISTS))
    return AttachmentsBody([_show(one, None) for one in found])


@routes.get(_ONE, policy="", since="3.27")
def show_attachment(call: Call, attachment_id: str) -> AttachmentBody:
    """Show an attachment, and how its volume is reached."""
    found = call.db.read(attachments.attachment_visible, call.ctx, attachment_id)
    return AttachmentBody(_show(found, _connection(call, found)))


@routes.post(_ALL, policy="volume:attachment_create", since="3.27")
def create_attachment(call: Call, body: CreateBody) -> AttachmentBody:
    """Reserve a volume, and connect it if it is known from where."""
    spec = body.attachment
    wanted = NewAttachment(
        volume_id=spec.volume_uuid,
        server_id=spec.instance_uuid,
        mode=spec.mode,
        connector=spec.connector,
    )
    made = call.db.write(_create, call, wanted)
    return AttachmentBody(_show(made, _connection(call, made)))


def _create(tx: Tx, call: Call, wanted: NewAttachment) -> Attachment:
    made = attachments.reserve(tx, call.ctx, wanted)
    if not wanted.connector:
        return made
    return attachments.connect(tx, call.ctx, made.id, wanted.connector)


@routes.put(_ONE, policy="volume:attachment_update", since="3.27")
def update_attachment(call: Call, attachment_id: str, body: UpdateBody) -> AttachmentBody:
    """Connect a reserved volume."""
    connector = body.attachment.connector
    found = call.db.write(attachments.connect, call.ctx, attachment_id, connector)
    return AttachmentBody(_show(found, _connection(call, found)))


@routes.post(
    f"{_ONE}/action",
    policy="volume:attachment_complete",
    status=204,
    action="os-complete",
    since="3.44",
)
def complete_attachment(call: Call, attachment_id: str) -> None:
    """Say that a volume is in use now."""
    call.db.write(attachments.complete, call.ctx, attachment_id)


@routes.delete(_ONE, policy="volume:attachment_delete", since="3.27")
def delete_attachment(call: Call, attachment_id: str) -> SummariesBody:
    """Let a volume go; the answer lists who else has it."""
    left = call.db.write(_delete, call, attachment_id)
    return SummariesBody([_summary(one) for one in left])


def _delete(tx: Tx, call: Call, attachment_id: str) -> list[Attachment]:
    found = attachments.attachment_visible(tx, call.ctx, attachment_id)
    attachments.check_not_held(tx, found, call.tools.servers.holds)
    return attachments.release(tx, call.ctx, attachment_id)


def _summary(one: Attachment) -> AttachmentSummary:
    return AttachmentSummary(one.id, one.status, one.server_id, one.volume_id)


def _show(one: Attachment, connection: dict[str, Any] | None) -> AttachmentView:
    return AttachmentView(
        one.id,
        one.status,
        one.server_id,
        one.volume_id,
        attached_at=iso_bare(one.attached_at) if one.attached_at else "",
        detached_at=iso_bare(one.detached_at) if one.detached_at else "",
        attach_mode=one.mode,
        connection_info=connection or {},
    )


def _connection(call: Call, one: Attachment) -> dict[str, Any] | None:
    """Say how the volume is reached, once it is known from where."""
    if one.connector is None:
        return None
    volume = call.db.read(volume_visible, call.ctx, one.volume_id)
    found = call.tools.driver(volume.host).connect(volume.id)
    return {
        **found.data,
        "driver_volume_type": found.driver_volume_type,
        "access_mode": one.mode,
        "attachment_id": one.id,
        "volume_id": volume.id,
        "encrypted": volume.encryption_key_id is not None,
    }
