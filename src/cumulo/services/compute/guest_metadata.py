"""What a server tells its guest: from rows to metadata documents and config drives."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from cumulo.db import Tx
from cumulo.kit import log
from cumulo.services.compute import config_drives, local_disks, networking
from cumulo.services.compute.instance_metadata import Device, File, InstanceMetadata, Key
from cumulo.services.compute.local_disks import Kind, LocalDisk
from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.compute.store import aggregates as aggregate_rows
from cumulo.services.compute.store import block_devices, nic_tags
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.block_devices import BlockDevice
from cumulo.services.compute.store.servers import Server

LOG = log.get("compute")


def metadata_of(tx: Tx, server_id: str, settings: ComputeSettings) -> InstanceMetadata | None:
    """Return what a guest may know of itself; None for a server that is gone, or going."""
    server = store.server_find(tx, server_id)
    if server is None or server.is_deleted or server.task_state == "deleting":
        return None
    return _metadata(tx, server, settings, None)


def drive_of(
    tx: Tx, server: Server, settings: ComputeSettings, admin_pass: str | None
) -> dict[str, bytes]:
    """Return the files of a server's config drive."""
    return config_drives.files(_metadata(tx, server, settings, admin_pass))


def set_password(tx: Tx, server_id: str, password: str) -> bool:
    """Keep the password that a guest made up, or return False when one is kept already."""
    return store.password_set(tx, server_id, password)


def _metadata(
    tx: Tx, server: Server, settings: ComputeSettings, admin_pass: str | None
) -> InstanceMetadata:
    ports = networking.ports_of(tx, server.id)
    own = local_disks.devices_of(tx, server)
    disks = block_devices.devices_of(tx, server.id)
    zones = aggregate_rows.zones_of_hosts(tx, [server.host]) if server.host else {}
    key = None
    if server.key_name and server.key_data and server.key_type:
        key = Key(name=server.key_name, type=server.key_type, public_key=server.key_data)
    domain = f".{settings.dhcp_domain}" if settings.dhcp_domain else ""
    return InstanceMetadata(
        id=server.id,
        name=server.name,
        hostname=f"{server.hostname}{domain}",
        project_id=server.project_id,
        launch_index=server.launch_index,
        reservation_id=server.reservation_id,
        availability_zone=zones.get(server.host or "", settings.default_availability_zone),
        flavor_name=server.flavor["name"],
        image_id=server.image_id or "",
        key=key,
        user_data=base64.b64decode(server.user_data) if server.user_data else None,
        meta=store.metadata_of(tx, [server.id]).get(server.id, {}),
        security_groups=networking.shown_of(tx, [server.id])[1].get(server.id, []),
        ports=ports,
        subnets=networking.subnets_of(tx, ports),
        block_devices=_block_devices(own, disks),
        devices=_devices(tx, server, ports, own, disks),
        files=[
            File(path=file["path"], contents=base64.b64decode(file["contents"]))
            for file in server.personality
        ],
        vendor_data=_vendor_data(settings.vendordata_jsonfile_path),
        kernel_id=server.image_properties.get("kernel_id", ""),
        ramdisk_id=server.image_properties.get("ramdisk_id", ""),
        password=server.guest_password or "",
        admin_pass=admin_pass,
    )


def _vendor_data(path: str) -> dict[str, Any]:
    """Return what the operator's file says; one that cannot be read says nothing, but is told."""
    if not path:
        return {}
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        LOG.error("vendordata_jsonfile_path says nothing", path=path, reason=str(error))
        return {}


def _block_devices(
    own: Sequence[tuple[str, LocalDisk]], disks: Sequence[BlockDevice]
) -> dict[str, str]:
    """Return the server's disks by the names that EC2 has for them."""
    by_kind = {kind: [path for path, disk in own if disk.kind == kind] for kind in get_args(Kind)}
    booted = [one.device_name for one in disks if one.boot_index == 0]
    [root, *_] = [*by_kind["root"], *booted, "/dev/vda"]
    volumes = sorted(one.device_name for one in disks)
    return {
        "ami": root.removeprefix("/dev/"),
        "root": root,
        **{f"ephemeral{number}": path for number, path in enumerate(by_kind["ephemeral"])},
        **dict(zip(["swap"], by_kind["swap"], strict=False)),
        **{f"ebs{number}": path for number, path in enumerate(volumes)},
    }


def _devices(
    tx: Tx,
    server: Server,
    ports: Sequence[networking.ServerPort],
    own: Sequence[tuple[str, LocalDisk]],
    disks: Sequence[BlockDevice],
) -> list[Device]:
    """Return the interfaces and disks that the server's owner tagged."""
    tags = nic_tags.tags_of(tx, server.id)
    nics = [
        Device(type="nic", mac=port.mac, tags=[tags[port.id]]) for port in ports if port.id in tags
    ]
    made = [Device(type="disk", path=path, tags=[disk.tag]) for path, disk in own if disk.tag]
    volumes = [
        Device(type="disk", serial=one.volume_id, path=one.device_name, tags=[one.tag])
        for one in disks
        if one.tag
    ]
    return [*nics, *made, *volumes]
