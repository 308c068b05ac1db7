"""/servers/{server_id}/os-volume_attachments: a server's volumes, plugged in and out."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import volumes
from cumulo.services.compute.api.queries import Paging, check_known
from cumulo.services.compute.api.server_bodies import DeviceTag, Uuid
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.volumes import Attach, BlockDevice
from cumulo.services.compute.workflows.attach_volume import (
    ATTACH_VOLUME,
    DETACH_VOLUME,
    PlugVolume,
)
from cumulo.services.volume import public as volume
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Reply, Routes, since, until
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/os-volume_attachments"
_RULE = "os_compute_api:os-volumes-attachments"


class AttachmentView(msgspec.Struct, kw_only=True):
    """A volume of a server."""

    id: Annotated[str, until("2.88")]
    server_id: str = msgspec.field(name="serverId")
    volume_id: str = msgspec.field(name="volumeId")
    device: str
    tag: Annotated[str | None, since("2.70")] = None
    delete_on_termination: Annotated[bool, since("2.79")] = False
    attachment_id: Annotated[str | UnsetType, since("2.89")] = UNSET
    bdm_uuid: Annotated[str | UnsetType, since("2.89")] = UNSET


class AttachmentBody(msgspec.Struct):
    """One volume of a server."""

    attachment: AttachmentView = msgspec.field(name="volumeAttachment")


class AttachmentsBody(msgspec.Struct):
    """The volumes of a server."""

    attachments: list[AttachmentView] = msgspec.field(name="volumeAttachments")


class WantedVolume(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The volume that a server is to have."""

    volume_id: Uuid = msgspec.field(name="volumeId")
    device: (
        Annotated[str, Meta(pattern=r"(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$")] | None
    ) = None
    tag: Annotated[DeviceTag | None, since("2.49")] = None
    delete_on_termination: Annotated[LooseBool, since("2.79")] = False


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an attach request."""

    wanted: WantedVolume = msgspec.field(name="volumeAttachment")


class OtherVolume(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The volume to have in the place of another."""

    volume_id: Uuid = msgspec.field(name="volumeId")


class SwapBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a swap request."""

    wanted: OtherVolume = msgspec.field(name="volumeAttachment")


class ChangedVolume(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of a server's volume."""

    volume_id: Uuid = msgspec.field(name="volumeId")
    device: str | UnsetType | None = UNSET
    tag: str | UnsetType | None = UNSET
    server_id: Uuid | UnsetType = msgspec.field(name="serverId", default=UNSET)
    id: Uuid | UnsetType = UNSET
    delete_on_termination: LooseBool | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an update request."""

    changed: ChangedVolume = msgspec.field(name="volumeAttachment")


class ListQuery(Paging, kw_only=True):
    """Which page of a list; an offset was known before markers."""

    offset: Annotated[int, Meta(ge=0)] = 0


@routes.get(_PATH, policy=f"{_RULE}:index")
def list_volume_attachments(call: Call, server_id: str, query: ListQuery) -> AttachmentsBody:
    """List the volumes of a server."""
    check_known(call, ListQuery, since=(2, 75))
    found = call.db.read(volumes.list_devices, call.ctx, server_id)
    page = found[query.offset : query.offset + query.most]
    return AttachmentsBody([_view(one) for one in page])


@routes.get(f"{_PATH}/{{volume_id}}", policy=f"{_RULE}:show")
def show_volume_attachment(call: Call, server_id: str, volume_id: str) -> AttachmentBody:
    """Show a volume of a server."""
    found = call.db.read(volumes.show_device, call.ctx, server_id, volume_id)
    return AttachmentBody(_view(found))


@routes.post(_PATH, policy=f"{_RULE}:create")
def attach_volume(call: Call, server_id: str, body: CreateBody) -> Reply:
    """Plug a volume into a server, whether it runs or not."""
    wanted = Attach(
        volume_id=body.wanted.volume_id,
        device=body.wanted.device,
        tag=body.wanted.tag,
        delete_on_termination=body.wanted.delete_on_termination,
    )
    device = call.db.write(_attach, call, server_id, wanted)
    return Reply(AttachmentBody(_view(device)), status=200)


def _attach(tx: Tx, call: Call, server_id: str, wanted: Attach) -> BlockDevice:
    found = volume.volume_visible(tx, call.ctx, wanted.volume_id)
    if found.is_multiattach and call.version < (2, 60):
        raise Invalid(
            f"Volume {found.id} has multiattach set: attaching it needs version 2.60 of the API."
        )
    server, device, action = volumes.begin_attach(tx, call.ctx, server_id, wanted)
    if server.vm_state == "shelved_offloaded" and call.version < (2, 20):
        raise Invalid("Attaching to a shelved server needs version 2.20 of the API.")
    if server.host is not None:
        start(
            tx, ATTACH_VOLUME, _params(device, action, server.host), subject=server_id, ctx=call.ctx
        )
    else:  # nobody has to do anything for a server that is nowhere
        volume.complete(tx, call.ctx, device.attachment_id)
    return device


@routes.put(f"{_PATH}/{{volume_id}}", policy=f"{_RULE}:swap", status=202, until="2.84")
def swap_volume(call: Call, server_id: str, volume_id: str, body: SwapBody) -> None:
    """Let a server have another volume in the place of one that block storage is moving."""
    call.db.read(volumes.check_swap, call.ctx, server_id, volume_id)


@routes.put(f"{_PATH}/{{volume_id}}", policy="", since="2.85")
def update_volume_attachment(call: Call, server_id: str, volume_id: str, body: UpdateBody) -> Reply:
    """Say whether a volume is deleted with its server; with another volume's id, swap them."""
    changed = body.changed
    is_swap = changed.volume_id != volume_id
    call.ctx.require(f"{_RULE}:swap" if is_swap else f"{_RULE}:update")
    if changed.delete_on_termination is not UNSET:
        call.db.write(
            volumes.keep_after,
            call.ctx,
            server_id,
            volume_id,
            delete_on_termination=bool(changed.delete_on_termination),
        )
    if is_swap:
        call.db.read(volumes.check_swap, call.ctx, server_id, volume_id)
    return Reply(status=202)


@routes.delete(f"{_PATH}/{{volume_id}}", policy=f"{_RULE}:delete", status=202)
def detach_volume(call: Call, server_id: str, volume_id: str) -> None:
    """Take a volume out of a server."""
    call.db.write(_detach, call.ctx, server_id, volume_id)


def _detach(tx: Tx, ctx: Context, server_id: str, volume_id: str) -> None:
    server, device, action = volumes.begin_detach(tx, ctx, server_id, volume_id)
    if server.host is None:
        volumes.release(tx, ctx, device)
        return
    start(tx, DETACH_VOLUME, _params(device, action, server.host), subject=server_id, ctx=ctx)


def _params(device: BlockDevice, action: int, host: str) -> PlugVolume:
    return PlugVolume(
        server_id=device.server_id,
        action=action,
        device_id=device.id,
        volume_id=device.volume_id,
        host=host,
    )


def _view(one: BlockDevice) -> AttachmentView:
    return AttachmentView(
        id=one.volume_id,
        server_id=one.server_id,
        volume_id=one.volume_id,
        device=one.device_name,
        tag=one.tag,
        delete_on_termination=one.delete_on_termination,
        attachment_id=one.attachment_id,
        bdm_uuid=one.id,
    )
