"""Asking for a volume of another type, or in another back end, while a server has it or none."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.volume import quotas, recryption, volumes
from cumulo.services.volume.backends import backend_get
from cumulo.services.volume.new_volumes import check_encryption
from cumulo.services.volume.qos_specs import limits_of
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store.attachments import attachments_of
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import VolumeType, encryption_of, type_visible
from cumulo.services.volume.workflows.move_attached import MOVE_ATTACHED
from cumulo.services.volume.workflows.move_volume import MOVE_VOLUME, MoveVolume
from cumulo.work import start


def retype_volume(
    tx: Tx, ctx: Context, tools: VolumeTools, volume_id: str, new_type: str, *, may_copy: bool
) -> None:
    """Have a volume be of another type, whatever happens to this process."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    kind = type_visible(tx, ctx, new_type)
    if kind.id == volume.type_id:
        raise Invalid(f"Invalid input received: New volume_type same as original: {kind.name}.")
    is_multiattach = kind.extra_specs.get("multiattach", "").lower() == "<is> true"
    if is_multiattach != volume.is_multiattach and volume.status != "available":
        raise Invalid(
            "Invalid volume_type passed: Retyping between multiattach and not is possible for a "
            "volume that is available only."
        )
    if is_multiattach:
        ctx.require("volume:multiattach")
    if is_multiattach and encryption_of(tx, kind.id) is not None:
        raise Invalid(
            "Invalid input received: Retype requested both encryption and multi-attach, which is "
            "not supported."
        )
    _check_same_for_guests(tx, volume, kind)
    values = {"previous_status": volume.status}
    expected = ["available", "in-use"]
    volumes.move_or_refuse(tx, volume, "retyping", doing="retype", expected=expected, values=values)
    counted = {"volumes": 1, "gigabytes": volume.size_gib}
    # Of the new type now, of the old one until it is done.
    quotas.claim_of_type(tx, tools.settings.quota, volume.project_id, counted, kind.id)
    params = MoveVolume(
        volume_id=volume_id,
        old_pool=volume.host or "",
        status=volume.status,
        new_type=kind.id,
        may_copy=may_copy,
        server_id=_server_of(tx, volume),
    )
    _start(tx, ctx, params)
    volumes.record(tx, ctx, volume, "retype_begin", type=kind.name)


def _check_same_for_guests(tx: Tx, volume: Volume, kind: VolumeType) -> None:
    """Refuse a type that would have the volume opened, or limited under a guest, otherwise."""
    if (encryption := encryption_of(tx, kind.id)) is not None:
        check_encryption(encryption)
    if volume.status == "in-use" and recryption.differ(tx, volume.type_id, kind.id):
        raise Invalid(
            f"Invalid volume type: type {kind.name} is not encrypted as the volume is, which its "
            "guest would notice: detach it first."
        )
    limits = [limits_of(tx, one, volume.size_gib) for one in (volume.type_id, kind.id)]
    if volume.status == "in-use" and limits[0] != limits[1]:
        raise Invalid(
            "Invalid volume type: Retype cannot change front-end qos specs for in-use volume: "
            f"{volume.id}."
        )


def _server_of(tx: Tx, volume: Volume) -> str | None:
    """Return the server that has a volume; None: nobody has it."""
    if volume.status != "in-use":
        return None
    servers = {one.server_id for one in attachments_of(tx, volume.id)}
    return servers.pop() if len(servers) == 1 else None


def _start(tx: Tx, ctx: Context, params: MoveVolume) -> None:
    """Let it go one after another with what else is done to the volume, or to its server."""
    # Who has the volume in use may detach, grow or copy it only when the status says so.
    if params.server_id is not None:
        start(tx, MOVE_ATTACHED, params, ctx=ctx, subject=params.server_id)
    else:
        start(tx, MOVE_VOLUME, params, ctx=ctx, subject=f"volume/{params.volume_id}")


def migrate_volume(tx: Tx, ctx: Context, volume_id: str, host: str, *, lock: bool) -> None:
    """Have a volume moved to another back end, whatever happens to this process.

    One that a server has is locked meanwhile, whether that was asked for or not.
    """
    volume = volumes.volume_visible(tx, ctx, volume_id)
    target = backend_get(tx, host)
    if target.pool == volume.host:
        raise Invalid(f"Invalid host: {host} is where the volume is: name another.", field="host")
    if snapshot_store.snapshots_of(tx, volume_id):
        raise Invalid("Invalid volume: a volume with snapshots cannot be migrated.")
    server_id = _server_of(tx, volume)
    to = "maintenance" if lock or volume.status == "in-use" else "available"
    expected = ["available"] if server_id is None else ["in-use"]
    values = {"previous_status": volume.status, "migration_status": "migrating"}
    volumes.move_or_refuse(tx, volume, to, doing="migrate", expected=expected, values=values)
    params = MoveVolume(
        volume_id=volume_id,
        old_pool=volume.host or "",
        status=volume.status,
        new_type=volume.type_id,
        pool=target.pool,
        server_id=server_id,
    )
    _start(tx, ctx, params)
    volumes.record(tx, ctx, volume, "migrate_begin", host=target.pool)
