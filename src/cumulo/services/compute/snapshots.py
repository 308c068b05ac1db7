"""Images made of servers: what they are called and what they say of where they come from."""

from collections.abc import Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Forbidden, Invalid, OverQuota
from cumulo.services.compute import servers
from cumulo.services.compute.store.block_devices import BlockDevice, devices_of
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.volumes import MAPPING, ImageDisk
from cumulo.services.image import public as images
from cumulo.services.volume import public as volume

# What is said of an image, not of what is in it.
_NOT_INHERITED = frozenset(
    {"cache_in_nova", "bittorrent", "img_signature", "img_signature_hash_method"}
)


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A server that goes into an image, and the action that tells of it.

    `snapshots` of its volumes are what the image of a server on a volume is made of.
    """

    server: Server
    action: int
    image_id: str
    snapshots: list[str] = []


def begin_image(
    tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str, metadata: dict[str, str]
) -> Begun:
    """Record an image that the server's disk will be copied to."""
    server, action = servers.begin(tx, ctx, server_id, "createImage", task="image_snapshot_pending")
    if server.image_id is None:
        image_id, kept = _image_of_volumes(tx, ctx, tools, server, name, metadata)
        return Begun(server=server, action=action, image_id=image_id, snapshots=kept)
    image_id = new_image(tx, ctx, tools, server, name, {"image_type": "snapshot", **metadata})
    return Begun(server=server, action=action, image_id=image_id)


def begin_backup(
    tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str, metadata: dict[str, str]
) -> Begun:
    """Record an image that is one of a row of backups."""
    server, action = servers.begin(tx, ctx, server_id, "createBackup", task="image_backup")
    if server.image_id is None:
        raise Invalid(
            f"Backup is not supported for volume-backed instances: {server.id} boots from a "
            "volume, which block storage backs up.",
            server_id=server.id,
        )
    image_id = new_image(tx, ctx, tools, server, name, {"image_type": "backup", **metadata})
    return Begun(server=server, action=action, image_id=image_id)


def new_image(
    tx: Tx, ctx: Context, tools: Tools, server: Server, name: str, metadata: dict[str, str]
) -> str:
    """Record an image without bytes for a server's disk; return its id."""
    if server.host is None:
        raise Conflict(f"Instance {server.id} has no disk to copy.", server_id=server.id)
    inherited = {k: v for k, v in server.image_properties.items() if k not in _NOT_INHERITED}
    own = {
        "instance_uuid": server.id,
        "user_id": server.user_id,
        "owner_id": server.project_id,
        "base_image_ref": server.image_id or "",
    }
    spec = images.ImageSpec(
        name=name,
        visibility="private",
        disk_format="qcow2",
        container_format="bare",
        min_disk=server.flavor["root_gib"],
        properties={**inherited, **own, **metadata},
    )
    return images.new_image(tx, ctx, spec, tools.image.image_limits)


def _kept(
    tx: Tx, ctx: Context, tools: Tools, devices: Sequence[BlockDevice], name: str
) -> list[volume.Snapshot]:
    """Have a snapshot taken of each volume."""
    wanted = [
        volume.NewSnapshot(volume_id=device.volume_id, name=name, force=True) for device in devices
    ]
    try:
        return [volume.create_snapshot(tx, ctx, tools.volume, one) for one in wanted]
    except OverQuota as error:
        raise Forbidden(error.message) from error


def _image_of_volumes(
    tx: Tx, ctx: Context, tools: Tools, server: Server, name: str, metadata: dict[str, str]
) -> tuple[str, list[str]]:
    """Record an image without bytes that names snapshots of the server's volumes."""
    devices = devices_of(tx, server.id)
    kept = _kept(tx, ctx, tools, devices, f"snapshot for {name}")
    mapping = [
        ImageDisk(
            source_type="snapshot",
            snapshot_id=snapshot.id,
            volume_size=snapshot.size_gib,
            boot_index=device.boot_index,
            device_name=device.device_name,
            delete_on_termination=device.delete_on_termination,
            tag=device.tag,
        )
        for device, snapshot in zip(devices, kept, strict=True)
    ]
    inherited = {k: v for k, v in server.image_properties.items() if k not in _NOT_INHERITED}
    root = next((one.device_name for one in devices if one.boot_index == 0), "/dev/vda")
    own = {
        MAPPING: msgspec.json.encode(mapping).decode(),
        "bdm_v2": "True",
        "root_device_name": root,
    }
    spec = images.ImageSpec(
        name=name,
        visibility="private",
        disk_format="raw",
        container_format="bare",
        properties={**inherited, **metadata, **own},
    )
    image_id = images.new_image(tx, ctx, spec, tools.image.image_limits)
    return image_id, [one.id for one in kept]
