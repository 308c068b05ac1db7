"""What compute asks of block storage: all of it passes through here.

A volume of a server is a row of block storage, its attachment, and one of ours, its block device.
The three are made and removed in one transaction; in between, workflows connect the host.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota, Unavailable
from cumulo.kit.ids import new_id
from cumulo.node.api import Volume as HostVolume
from cumulo.services.compute import local_disks, servers, states
from cumulo.services.compute.store import actions as action_store
from cumulo.services.compute.store import block_devices as store
from cumulo.services.compute.store.block_devices import BlockDevice as BlockDevice
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.volume import public as volume

MAPPING = "block_device_mapping"  # the property of images that are made of volumes
_WRONG = "Block Device Mapping is Invalid: "


class NewDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a new server is to have, and what it is made from if it is to be made."""

    source: str  # volume, snapshot, image, blank
    source_id: str | None = None
    boot_index: int | None = None
    size_gib: int | None = None
    volume_type: str | None = None
    device: str | None = None
    delete_on_termination: bool = False
    tag: str | None = None


class ImageDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that an image wants its servers to have, as the image's property spells it."""

    source_type: Literal["volume", "snapshot", "image", "blank"]
    destination_type: Literal["volume", "local"] = "volume"
    device_type: str | None = "disk"
    snapshot_id: str | None = None
    volume_id: str | None = None
    image_id: str | None = None
    volume_size: int | None = None
    volume_type: str | None = None
    boot_index: int | None = None
    device_name: str | None = None
    delete_on_termination: bool = False
    tag: str | None = None
    no_device: bool | None = None


class Attach(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a server is to have."""

    volume_id: str
    device: str | None = None
    tag: str | None = None
    delete_on_termination: bool = False


def boot_disk(disks: Sequence[NewDisk]) -> NewDisk | None:
    """Return the volume that a server boots from."""
    return next((disk for disk in disks if disk.boot_index == 0), None)


def disks_of_image(properties: Mapping[str, str]) -> list[NewDisk]:
    """Return the volumes that an image wants its servers to have."""
    try:
        found = msgspec.json.decode(properties.get(MAPPING, "[]"), type=list[ImageDisk])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"{_WRONG}the image's {MAPPING} cannot be read: {error}") from error
    return [
        NewDisk(
            source=one.source_type,
            source_id=one.snapshot_id or one.volume_id or one.image_id,
            boot_index=one.boot_index,
            size_gib=one.volume_size,
            volume_type=one.volume_type,
            device=one.device_name,
            delete_on_termination=one.delete_on_termination,
            tag=one.tag,
        )
        for one in found
        if one.destination_type == "volume" and not one.no_device
    ]


def boot_facts(tx: Tx, ctx: Context, disk: NewDisk) -> dict[str, object]:
    """Return what a server that boots from a volume keeps instead of its image."""
    facts: dict[str, str] = {}
    if disk.source == "volume":
        try:
            found = volume.volume_visible(tx, ctx, disk.source_id or "")
        except NotFound as error:
            raise Invalid(f"{_WRONG}failed to get volume {disk.source_id}.") from error
        if not found.is_bootable:
            raise Invalid(
                f"Block Device {found.id} is not bootable: set its bootable flag, or choose "
                "another volume."
            )
        facts = volume.image_metadata(tx, ctx, found.id)
    properties = {k: v for k, v in facts.items() if k not in _NO_PROPERTIES}
    return {"image_id": None, "image": {}, "image_properties": properties}


_NO_PROPERTIES = frozenset(
    {
        "image_id",
        "image_name",
        "checksum",
        "container_format",
        "disk_format",
        "min_disk",
        "min_ram",
        "size",
    }
)


def make_devices(
    tx: Tx, ctx: Context, tools: Tools, server: Server, disks: Sequence[NewDisk]
) -> None:
    """Take or make the volumes of a new server, all in its own transaction."""
    for disk in sorted(disks, key=lambda one: one.boot_index != 0):
        name = _name_at_boot(tx, server, disk)
        try:
            attachment = _taken(tx, ctx, tools, server, disk)
        except NotFound as error:
            raise Invalid(f"{_WRONG}failed to get {disk.source} {disk.source_id}.") from error
        except OverQuota as error:
            raise Forbidden(f"Volume quota exceeded: {error.message}") from error
        except Invalid as error:
            raise Invalid(f"{_WRONG}{error.message}") from error
        _record_device(
            tx,
            server,
            attachment,
            Attach(
                volume_id=attachment.volume_id,
                tag=disk.tag,
                delete_on_termination=disk.delete_on_termination,
            ),
            name,
            disk.boot_index,
        )


def _taken(tx: Tx, ctx: Context, tools: Tools, server: Server, disk: NewDisk) -> volume.Attachment:
    if disk.source == "volume":
        wanted = volume.NewAttachment(volume_id=disk.source_id or "", server_id=server.id)
        return volume.reserve(tx, ctx, wanted)
    named = {"snapshot": "snapshot_id", "image": "image_id"}
    source: dict[str, Any] = {named[disk.source]: disk.source_id} if disk.source in named else {}
    spec = volume.NewVolume(size_gib=disk.size_gib, name="", type=disk.volume_type, **source)
    return volume.create_for_server(tx, ctx, tools.volume, spec, server.id)


def begin_attach(
    tx: Tx, ctx: Context, server_id: str, wanted: Attach
) -> tuple[Server, BlockDevice, int]:
    """Reserve a volume for a server and record the action."""
    server = _changeable(tx, ctx, server_id, "attach_volume")
    reservation = volume.NewAttachment(volume_id=wanted.volume_id, server_id=server.id)
    if any(one.volume_id == wanted.volume_id for one in store.devices_of(tx, server.id)):
        raise Invalid(
            f"volume {wanted.volume_id} already attached to instance {server.id}",
            field="volumeId",
        )
    attachment = volume.reserve(tx, ctx, reservation)
    name = _device_name(tx, server, wanted.device)
    device = _record_device(tx, server, attachment, wanted, name, None)
    number = action_store.action_insert(tx, server.id, "attach_volume", servers.doer(ctx))
    servers.record(tx, ctx, server, "attach_volume", volume=wanted.volume_id)
    return server, device, number


def begin_detach(
    tx: Tx, ctx: Context, server_id: str, volume_id: str
) -> tuple[Server, BlockDevice, int]:
    """Say that a server is about to let a volume go, and record the action."""
    server = _changeable(tx, ctx, server_id, "detach_volume")
    device = device_of(tx, server.id, volume_id)
    if device.boot_index == 0 and server.vm_state != "shelved_offloaded":
        raise Forbidden("Cannot detach a root device volume", volume_id=volume_id)
    if server.host is not None:
        volume.begin_release(tx, ctx, device.attachment_id)
    number = action_store.action_insert(tx, server.id, "detach_volume", servers.doer(ctx))
    servers.record(tx, ctx, server, "detach_volume", volume=volume_id)
    return server, device, number


def list_devices(tx: Tx, ctx: Context, server_id: str) -> list[BlockDevice]:
    """Return the volumes of a visible server."""
    return store.devices_of(tx, servers.server_visible(tx, ctx, server_id).id)


def show_device(tx: Tx, ctx: Context, server_id: str, volume_id: str) -> BlockDevice:
    """Return a volume of a visible server."""
    return device_of(tx, servers.server_visible(tx, ctx, server_id).id, volume_id)


def device_of(tx: Tx, server_id: str, volume_id: str) -> BlockDevice:
    """Return a volume of a server, whoever owns it."""
    for device in store.devices_of(tx, server_id):
        if device.volume_id == volume_id:
            return device
    raise NotFound(
        f"volume_id not found: {volume_id}: server {server_id} does not have it.",
        volume_id=volume_id,
    )


def keep_after(
    tx: Tx, ctx: Context, server_id: str, volume_id: str, *, delete_on_termination: bool
) -> None:
    """Say whether a volume is deleted with its server."""
    server = _changeable(tx, ctx, server_id, "attach_volume")
    device = device_of(tx, server.id, volume_id)
    store.device_update(tx, device.id, delete_on_termination=delete_on_termination)
    servers.record(tx, ctx, server, "update", delete_on_termination=delete_on_termination)


def check_swap(tx: Tx, ctx: Context, server_id: str, volume_id: str) -> None:
    """Refuse to exchange a volume of a server for another, as is right whenever this is asked.

    It is for block storage alone, to move a volume that is in use; here block storage does that
    itself, in one workflow, and the volume keeps its id.
    """
    servers.server_visible(tx, ctx, server_id)
    found = volume.volume_visible(tx, ctx, volume_id)
    if found.migration_status == "migrating":
        raise Conflict(f"volume {found.id} is being migrated: it keeps its id, so that is all.")
    raise Conflict(
        f"volume {found.id} is not migrating this api should only be called by Cinder: have it "
        "migrated or retyped instead, also while a server has it.",
        volume_id=found.id,
    )


def host_volumes(tx: Tx, server_id: str, *, without: str | None = None) -> list[HostVolume]:
    """Return the connected volumes of a server as its host is told of them."""
    return [
        msgspec.convert(device.connection, HostVolume)
        for device in store.devices_of(tx, server_id)
        if device.connection is not None and device.id != without
    ]


def out_of_reach(tx: Tx, tools: Tools, server_id: str) -> dict[str, str]:
    """Return the hosts that a server cannot be on, for the sake of its volumes, and why."""
    found: dict[str, str] = {}
    for device in store.devices_of(tx, server_id):
        only = volume.only_host(tools.volume, volume.volume_get(tx, device.volume_id))
        for host in tools.nodes.names() if only is not None else ():
            if host != only:
                found[host] = f"volume {device.volume_id} is a file of {only}"
    return found


def has_moved(tx: Tx, ctx: Context, server_id: str, host: str) -> None:
    """Note that a server's volumes are reached from another host now."""
    for device in store.devices_of(tx, server_id):
        connector = {"host": host, "mountpoint": device.device_name}
        volume.connect(tx, ctx, device.attachment_id, connector)


def with_secrets(tools: Tools, disks: Sequence[HostVolume]) -> list[HostVolume]:
    """Return volumes with what opens them, for their host's ears only."""
    return [
        msgspec.structs.replace(disk, secrets=volume.secrets_of(tools.volume, disk.volume_id))
        for disk in disks
    ]


def check_made(found: volume.Volume) -> None:
    """Wait for a volume that is being made; one that failed is an error."""
    if found.status in ("creating", "downloading"):
        raise Unavailable(f"Volume {found.id} is still being made.")
    if found.status not in ("reserved", "attaching", "in-use", "detaching"):
        raise Conflict(f"{_WRONG}volume {found.id} is {found.status}.", volume_id=found.id)


def connected(tx: Tx, ctx: Context, device: BlockDevice, host: str, told: HostVolume) -> None:
    """Note how a host reaches a volume."""
    connector = {"host": host, "mountpoint": device.device_name}
    attachment = volume.connect(tx, ctx, device.attachment_id, connector)
    found = msgspec.structs.replace(
        told,
        device=device.device_name.rpartition("/")[2],
        is_readonly=attachment.mode == "ro",
        is_boot_disk=device.boot_index == 0,
    )
    store.device_update(tx, device.id, connection=msgspec.to_builtins(found))


def complete(tx: Tx, ctx: Context, server_id: str) -> None:
    """Say that a server uses all of its volumes."""
    for device in store.devices_of(tx, server_id):
        volume.complete(tx, ctx, device.attachment_id)


def release(tx: Tx, ctx: Context, device: BlockDevice) -> None:
    """Let a volume go, and forget that the server had it; also for the second time."""
    if store.device_delete(tx, device.id):
        volume.release(tx, ctx, device.attachment_id)


def release_all(tx: Tx, ctx: Context, server_id: str) -> None:
    """Let all disks go, and have those volumes deleted that are to go with the server."""
    for device in store.devices_of(tx, server_id):
        release(tx, ctx, device)
        if device.delete_on_termination and volume.is_free(tx, device.volume_id):
            volume.delete_volume(tx, ctx, device.volume_id, force=True)
    local_disks.forget(tx, server_id)


def leave_host(tx: Tx, ctx: Context, server_id: str) -> None:
    """Keep a server's volumes reserved for it while it is nowhere."""
    for device in store.devices_of(tx, server_id):
        store.device_update(tx, device.id, connection=None)
        volume.disconnect(tx, ctx, device.attachment_id)


def _record_device(
    tx: Tx,
    server: Server,
    attachment: volume.Attachment,
    wanted: Attach,
    name: str,
    boot_index: int | None,
) -> BlockDevice:
    device = BlockDevice(
        id=new_id(),
        server_id=server.id,
        volume_id=attachment.volume_id,
        attachment_id=attachment.id,
        device_name=name,
        boot_index=boot_index,
        delete_on_termination=wanted.delete_on_termination,
        tag=wanted.tag,
    )
    store.device_insert(tx, device)
    return device


def _name_at_boot(tx: Tx, server: Server, disk: NewDisk) -> str:
    """Return the first name for what a server boots from, and one that is free for all others.

    An image may wish names that servers of another flavor have for disks of their own.
    """
    if disk.boot_index == 0:
        return local_disks.DEVICES[0]
    wish = _path(disk.device) if disk.device else None
    return _device_name(tx, server, None if wish in _used_names(tx, server) else wish)


def _device_name(tx: Tx, server: Server, wish: str | None) -> str:
    """Return the wish, else the first name that none of the server's disks has."""
    used = _used_names(tx, server)
    if wish:
        if _path(wish) in used:
            raise Conflict(f"The supplied device path ({wish}) is in use.", field="device")
        return _path(wish)
    free = [name for name in local_disks.DEVICES if name not in used]
    if not free:
        raise Forbidden("No free disk device names for prefix 'vd'")
    return free[0]


def _used_names(tx: Tx, server: Server) -> set[str]:
    volumes = {device.device_name for device in store.devices_of(tx, server.id)}
    return volumes.union(local_disks.paths_of(tx, server))


def _path(device: str) -> str:
    return device if device.startswith("/dev/") else f"/dev/{device}"


def _changeable(tx: Tx, ctx: Context, server_id: str, action: str) -> Server:
    server = servers.server_visible(tx, ctx, server_id)
    servers.check_unlocked(ctx, server)
    states.check(action, server.id, server.vm_state, server.task_state)
    return server
