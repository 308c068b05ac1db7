"""Attachments: a volume is reserved for somebody, connected, in use, and let go.

The volume's status follows from its attachments: `settle` derives it, so that the two cannot
disagree.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.volume import volumes
from cumulo.services.volume.store import attachments as store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.store.attachments import Attachment as Attachment
from cumulo.services.volume.store.listing import Wanted
from cumulo.services.volume.store.volumes import Volume
from cumulo.work import wake

# Whether a server still has a volume by an attachment: compute's answer.
InUse: TypeAlias = Callable[[Tx, str, str], bool]
_HELD = ("attached", "detaching", "error_detaching")


class NewAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a volume is to be reserved, and how it is to be reached if that is known."""

    volume_id: str
    server_id: str | None = None
    host_name: str | None = None
    mountpoint: str | None = None
    mode: str | None = None
    connector: dict[str, Any] | None = None


def attachment_visible(tx: Tx, ctx: Context, attachment_id: str) -> Attachment:
    """Return an attachment the caller may know of; to anyone else it does not exist."""
    attachment = store.attachment_get(tx, attachment_id)
    if attachment.project_id == ctx.project_id or ctx.is_admin:
        return attachment
    raise NotFound(f"Volume attachment could not be found with filter: {attachment_id}.")


def list_attachments(tx: Tx, wanted: Wanted) -> list[Attachment]:
    """Return a page of attachments."""
    return store.attachment_list(tx, wanted)


def reserve(tx: Tx, ctx: Context, wanted: NewAttachment) -> Attachment:
    """Keep a volume for somebody; a volume that several may have for one more."""
    volume = volumes.volume_visible(tx, ctx, wanted.volume_id)
    _check_free(tx, ctx, volume, wanted.server_id)
    attachment = Attachment(
        id=new_id(),
        volume_id=volume.id,
        project_id=volume.project_id,
        status="reserved",
        created_at=clock.now(),
        server_id=wanted.server_id,
        host_name=wanted.host_name,
        mountpoint=wanted.mountpoint,
        mode=wanted.mode or ("ro" if volume.is_readonly else None),
    )
    store.attachment_insert(tx, attachment)
    free = ("available", "in-use", "reserved") if volume.is_multiattach else ("available",)
    values = {"attach_status": "reserved"} if volume.attach_status == "detached" else {}
    volumes.move_or_refuse(tx, volume, "reserved", doing="attach", expected=free, values=values)
    volumes.record(tx, ctx, volume, "reserve", attachment=attachment.id, server=wanted.server_id)
    return attachment


def _check_free(tx: Tx, ctx: Context, volume: Volume, server_id: str | None) -> None:
    if volume.migration_status in ("migrating", "starting"):
        raise Invalid(f"Invalid volume: Volume {volume.id} is being migrated.")
    if not volume.is_multiattach:
        return
    if volume.is_bootable:
        ctx.require("volume:multiattach_bootable_volume")
    others = store.attachments_of(tx, volume.id)
    if server_id is not None and any(one.server_id == server_id for one in others):
        raise Invalid(
            f"Invalid volume: Volume {volume.id} is already attached to server {server_id}."
        )


def hold(tx: Tx, volume: Volume, server_id: str) -> Attachment:
    """Reserve a volume that is still being made for the server it is made for."""
    attachment = Attachment(
        id=new_id(),
        volume_id=volume.id,
        project_id=volume.project_id,
        status="reserved",
        created_at=clock.now(),
        server_id=server_id,
    )
    store.attachment_insert(tx, attachment)
    return attachment


def disconnect(tx: Tx, ctx: Context, attachment_id: str) -> None:
    """Keep a volume for a server that is nowhere at present."""
    attachment = attachment_visible(tx, ctx, attachment_id)
    store.attachment_update(
        tx, attachment_id, status="reserved", connector=None, host_name=None, attached_at=None
    )
    settle(tx, attachment.volume_id)


def begin_release(tx: Tx, ctx: Context, attachment_id: str) -> None:
    """Say that a volume is about to be let go."""
    attachment = attachment_visible(tx, ctx, attachment_id)
    if attachment.status != "attached":
        raise Invalid(
            f"Invalid volume: Volume {attachment.volume_id} is {attachment.status}: it can be "
            "detached once it is attached."
        )
    volume = volume_store.volume_get(tx, attachment.volume_id)
    if volume.status in ("maintenance", "retyping"):
        raise Invalid(
            f"Invalid volume: Unable to detach volume {volume.id}: it is being moved or retyped; "
            "wait until its status is in-use again."
        )
    store.attachment_update(tx, attachment_id, status="detaching")
    settle(tx, attachment.volume_id)


def roll_release(tx: Tx, ctx: Context, attachment_id: str) -> None:
    """Say that it is in use all the same."""
    attachment = attachment_visible(tx, ctx, attachment_id)
    if attachment.status == "detaching":
        store.attachment_update(tx, attachment_id, status="attached")
        settle(tx, attachment.volume_id)


def connect(tx: Tx, ctx: Context, attachment_id: str, connector: dict[str, Any]) -> Attachment:
    """Note how the volume is reached from where; the driver says what that is to be done by."""
    attachment = attachment_visible(tx, ctx, attachment_id)
    volume = volume_store.volume_get(tx, attachment.volume_id)
    host = connector.get("host")
    mode = connector.get("mode") or attachment.mode or "rw"
    if mode not in ("rw", "ro"):
        raise Invalid("Invalid attach mode: it must be rw or ro.", field="mode")
    if volume.is_readonly and mode == "rw" and attachment.mode is None:
        raise Invalid(f"Invalid volume: Volume {volume.id} is read only: attach it with mode ro.")
    others = store.attachments_of(tx, volume.id)
    mine = [one for one in others if one.id != attachment_id and one.server_id]
    if any(one.server_id == attachment.server_id for one in mine):
        raise Conflict(f"Server {attachment.server_id} has volume {volume.id} already.")
    moved = attachment.status in _HELD  # its server goes to another host, and has it all the time
    store.attachment_update(
        tx,
        attachment_id,
        status=attachment.status if moved else "attaching",
        connector=connector,
        host_name=str(host) if host else attachment.host_name,
        mountpoint=connector.get("mountpoint") or attachment.mountpoint,
        mode=mode,
        attached_at=clock.now(),
    )
    settle(tx, volume.id)
    volumes.record(tx, ctx, volume, "connect", attachment=attachment_id, host=host)
    return store.attachment_get(tx, attachment_id)


def complete(tx: Tx, ctx: Context, attachment_id: str) -> Attachment:
    """Say that it is in use now."""
    attachment = attachment_visible(tx, ctx, attachment_id)
    if attachment.status not in ("attaching", "attached", "reserved"):
        raise Invalid(f"Attachment {attachment_id} is {attachment.status}.")
    moment = attachment.attached_at or clock.now()
    mode = attachment.mode or "rw"
    store.attachment_update(tx, attachment_id, status="attached", attached_at=moment, mode=mode)
    settle(tx, attachment.volume_id)
    volume = volume_store.volume_get(tx, attachment.volume_id)
    volumes.record(tx, ctx, volume, "attach", attachment=attachment_id)
    return store.attachment_get(tx, attachment_id)


def release(tx: Tx, ctx: Context, attachment_id: str) -> list[Attachment]:
    """Let the volume go; return who else has it."""
    attachment = store.attachment_find(tx, attachment_id)
    if attachment is None:
        return []
    store.attachment_delete(tx, attachment_id)
    volume = volume_store.volume_get(tx, attachment.volume_id)
    settle(tx, volume.id)
    volumes.record(tx, ctx, volume, "detach", attachment=attachment_id)
    return store.attachments_of(tx, volume.id)


def check_not_held(tx: Tx, attachment: Attachment, in_use: InUse) -> None:
    """Refuse to take a volume from under a server: its disk would become somebody else's."""
    server_id = attachment.server_id
    if server_id and in_use(tx, server_id, attachment.id):
        raise Conflict(
            f"Detach volume from instance {server_id} using the Compute API", server_id=server_id
        )


def settle(tx: Tx, volume_id: str) -> None:
    """Let the volume's status follow from its attachments."""
    found = store.attachments_of(tx, volume_id)
    status, attach_status = _status_for([one.status for one in found])
    volume_store.volume_move(
        tx,
        volume_id,
        status,
        expected=["available", "reserved", "attaching", "detaching", "in-use"],
        values={"attach_status": attach_status},
    )


def wake_servers(tx: Tx, volume_id: str) -> None:
    """Let those servers go on that wait for something to be done with their volume."""
    for attachment in store.attachments_of(tx, volume_id):
        if attachment.server_id is not None:
            wake(tx, attachment.server_id)


def _status_for(statuses: Sequence[str]) -> tuple[str, str]:
    attach = "attached" if any(one in _HELD for one in statuses) else "detached"
    if "attaching" in statuses:
        return "attaching", attach if attach == "attached" else "attaching"
    if "detaching" in statuses:
        return "detaching", attach
    if attach == "attached":
        return "in-use", "attached"
    return ("reserved", "reserved") if statuses else ("available", "detached")


def set_reserved(tx: Tx, ctx: Context, volume_id: str) -> None:
    """Mark a volume as taken, as clients do that attach by several actions."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    _check_free(tx, ctx, volume, None)
    free = ("available", "in-use") if volume.is_multiattach else ("available",)
    volumes.move_or_refuse(tx, volume, "attaching", doing="reserve", expected=free)


def unset_reserved(tx: Tx, ctx: Context, volume_id: str) -> None:
    """Take the mark away; a volume without one stays as it is."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    held = any(one.status in _HELD for one in store.attachments_of(tx, volume_id))
    to = "in-use" if held else "available"
    volume_store.volume_move(tx, volume.id, to, expected=["attaching"])


def begin_detaching(tx: Tx, ctx: Context, volume_id: str) -> None:
    """Say that the volume is about to be let go."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    volumes.move_or_refuse(tx, volume, "detaching", doing="detach", expected=["in-use"])


def roll_detaching(tx: Tx, ctx: Context, volume_id: str) -> None:
    """Say that it is not; a volume that was not about to be stays as it is."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    volume_store.volume_move(tx, volume.id, "in-use", expected=["detaching"])


def attach(tx: Tx, ctx: Context, wanted: NewAttachment) -> None:
    """Say that somebody has the volume now, in one call."""
    volume = volumes.volume_visible(tx, ctx, wanted.volume_id)
    mode = wanted.mode or "rw"
    if volume.is_readonly and mode == "rw":
        raise Invalid(
            f"Invalid attaching mode '{mode}' for volume {volume.id}: it is read only, use ro."
        )
    attached = [one for one in store.attachments_of(tx, volume.id) if one.status in _HELD]
    if attached and not volume.is_multiattach:
        raise Invalid(f"Invalid volume: Volume {volume.id} is already attached.")
    attachment = Attachment(
        id=new_id(),
        volume_id=volume.id,
        project_id=volume.project_id,
        status="attached",
        created_at=clock.now(),
        server_id=wanted.server_id,
        host_name=wanted.host_name,
        mountpoint=wanted.mountpoint,
        mode=mode,
        attached_at=clock.now(),
    )
    store.attachment_insert(tx, attachment)
    volumes.move_or_refuse(
        tx,
        volume,
        "in-use",
        doing="attach",
        expected=["available", "attaching", "reserved", "in-use"],
        values={"attach_status": "attached"},
    )
    volumes.record(tx, ctx, volume, "attach", attachment=attachment.id, server=wanted.server_id)


def detach(tx: Tx, ctx: Context, volume_id: str, attachment_id: str | None, in_use: InUse) -> None:
    """Say that somebody has let the volume go."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    found = store.attachments_of(tx, volume_id)
    if attachment_id is not None:
        found = [one for one in found if one.id == attachment_id]
        if not found:
            raise Invalid(f"Volume attachment {attachment_id} not found on volume {volume_id}.")
    if len(found) > 1:
        raise Invalid(
            "Detach volume failed: More than one attachment, but no attachment_id provided."
        )
    if volume.status == "available" and not found:
        return
    if volume.status not in ("in-use", "detaching"):
        raise Invalid(
            f"Invalid volume: Unable to detach volume {volume_id}: its status must be in-use or "
            f"detaching, but is {volume.status}."
        )
    for one in found:
        check_not_held(tx, one, in_use)
        release(tx, ctx, one.id)
    if not found:
        settle(tx, volume_id)


def check_connectable(tx: Tx, ctx: Context, volume_id: str) -> Volume:
    """Return a volume that somebody may be told how to reach."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    if volume.host is None or volume.status not in ("attaching", "reserved", "in-use", "available"):
        raise Invalid(
            f"Invalid volume: Volume {volume_id} cannot be connected while it is {volume.status}."
        )
    return volume


def terminate_connection(
    tx: Tx, ctx: Context, volume_id: str, connector: dict[str, Any] | None, in_use: InUse
) -> None:
    """Let a host reach the volume no more; refused while a server has it there."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    host = (connector or {}).get("host")
    for one in store.attachments_of(tx, volume.id):
        if host is None or one.host_name in (None, host):
            check_not_held(tx, one, in_use)


def force_detach(
    tx: Tx, ctx: Context, volume_id: str, attachment_id: str | None, in_use: InUse
) -> None:
    """Let an administrator take an attachment away that nobody has any more."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    found = store.attachments_of(tx, volume_id)
    if attachment_id is not None:
        found = [one for one in found if one.id == attachment_id]
    for one in found:
        check_not_held(tx, one, in_use)
        release(tx, ctx, one.id)
    volume_store.volume_move(tx, volume.id, "in-use", expected=["error"])
    settle(tx, volume.id)
