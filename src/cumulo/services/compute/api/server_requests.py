"""From the body of a request to what the domain is asked."""

import base64
import binascii
import ipaddress
import re
from typing import Any, Literal, get_args

from msgspec import UNSET, structs

from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.compute.api.scheduler_hints import checked_hints
from cumulo.services.compute.api.server_bodies import (
    CreateBody,
    DiskWish,
    OldDiskWish,
    ServerChanges,
    ServerSpec,
)
from cumulo.services.compute.local_disks import Format, LocalDisk
from cumulo.services.compute.networking import RequestedNic
from cumulo.services.compute.new_servers import Boot
from cumulo.services.compute.volumes import NewDisk
from cumulo.web import Call

_ROOT = ("vda", "/dev/vda")
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?")
_HOSTNAME_2_94 = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")


def boot_of(call: Call[Any], body: CreateBody) -> Boot:
    """Return what a create request asks for; what cannot be right is refused here."""
    spec = _with_old_disks(body.server)
    zone, host, forced = _place(call, spec)
    most = spec.max_count if spec.max_count is not None else spec.min_count
    if most < spec.min_count:
        raise Invalid("min_count must be <= max_count", field="min_count")
    hints = checked_hints({**body.old_hints, **body.hints})
    return Boot(
        name=checked_name(spec.name),
        flavor_id=str(spec.flavor_ref),
        image_id=_boot_image(spec),
        disks=_disks(spec),
        local_disks=_local_disks(spec),
        networks=_networks(call, spec),
        security_groups=list(dict.fromkeys(group.name for group in spec.security_groups or [])),
        key_name=spec.key_name,
        user_data=checked_user_data(spec.user_data),
        metadata=spec.metadata,
        tags=spec.tags,
        zone=zone,
        host=host,
        forced=forced,
        config_drive=bool(spec.config_drive),
        personality=[checked_file(file.path, file.contents) for file in spec.personality],
        access_ip_v4=checked_address("accessIPv4", spec.access_ip_v4, 4),
        access_ip_v6=checked_address("accessIPv6", spec.access_ip_v6, 6),
        disk_config=spec.disk_config,
        description=spec.description,
        hostname=checked_hostname(call, spec.hostname),
        hints=hints,
        min_count=spec.min_count,
        max_count=most,
    )


def _with_old_disks(spec: ServerSpec) -> ServerSpec:
    """Return what is asked for with block_device_mapping spelled as its second version."""
    if not spec.old_disks:
        return spec
    if spec.disks:
        raise Invalid(
            "Using different block_device_mapping syntaxes is not allowed in the same request."
        )
    found = [_new_disk(disk) for disk in spec.old_disks if disk.no_device is None]
    has_root = any(disk.device_name in _ROOT for disk in found)
    if found and (has_root or not spec.image_ref):
        found[0] = structs.replace(found[0], boot_index=0)
    return structs.replace(spec, disks=found, old_disks=[])


def _new_disk(disk: OldDiskWish) -> DiskWish:
    if not disk.volume_id and not disk.snapshot_id:
        raise Invalid(
            "Block Device Mapping is Invalid: name a volume_id or snapshot_id; ephemeral disks and "
            "swap are the flavor's."
        )
    return DiskWish(
        source_type="volume" if disk.volume_id else "snapshot",
        destination_type="volume",
        uuid=disk.volume_id or disk.snapshot_id,
        volume_size=disk.volume_size,
        device_name=disk.device_name,
        delete_on_termination=disk.delete_on_termination,
    )


def changes_of(changes: ServerChanges) -> dict[str, Any]:
    """Return the columns that an update request changes."""
    found: dict[str, Any] = {}
    if changes.name is not UNSET:
        found["name"] = checked_name(str(changes.name))
    if changes.access_ip_v4 is not UNSET:
        found["access_ip_v4"] = checked_address("accessIPv4", changes.access_ip_v4, 4)
    if changes.access_ip_v6 is not UNSET:
        found["access_ip_v6"] = checked_address("accessIPv6", changes.access_ip_v6, 6)
    if changes.disk_config is not UNSET:
        found["disk_config"] = changes.disk_config
    if changes.description is not UNSET:
        found["description"] = changes.description
    if changes.hostname is not UNSET:
        found["hostname"] = changes.hostname
    if changes.pinned_availability_zone is not UNSET:
        found["availability_zone"] = changes.pinned_availability_zone
    return found


def checked_name(name: str) -> str:
    """Return a server's name without blanks around it; refuse what cannot be printed."""
    if not name.strip() or not name.isprintable():
        raise Invalid(
            f"Invalid input for field/attribute name. Value: {name!r}. "
            "It must have printable characters, and not only blanks.",
            field="name",
        )
    return name.strip()


def _place(call: Call[Any], spec: ServerSpec) -> tuple[str | None, str | None, bool]:
    """Return zone, host and whether the filters are passed over, as in zone:host:node."""
    if spec.host or spec.hypervisor_hostname:
        call.ctx.require("compute:servers:create:requested_destination")
    zone, _, rest = (spec.availability_zone or "").partition(":")
    host, _, node = rest.partition(":")
    if rest:
        if not call.ctx.may("os_compute_api:servers:create:forced_host"):
            raise Forbidden(
                "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.",
                rule="os_compute_api:servers:create:forced_host",
            )
        return zone or None, host or node, True
    return zone or None, spec.host or spec.hypervisor_hostname, False


def _boot_image(spec: ServerSpec) -> str:
    """Return the image of a server's first disk, of whatever kind; empty where none is named."""
    boot = [disk for disk in spec.disks if disk.boot_index == 0]
    if len(boot) > 1:
        raise Invalid("Block Device Mapping is Invalid: more than one device has boot_index 0.")
    if not boot:
        if spec.disks and not spec.image_ref:
            raise Invalid("Block Device Mapping is Invalid: no device has boot_index 0.")
        return spec.image_ref
    if not _is_volume(boot[0]):
        if boot[0].source_type != "image":
            raise Invalid(
                f"Block Device Mapping is Invalid: nobody can boot from a {boot[0].source_type} "
                "local disk."
            )
        if spec.image_ref and boot[0].uuid != spec.image_ref:
            raise Invalid("Block Device Mapping is Invalid: its image is not that of imageRef.")
        return boot[0].uuid or ""
    return spec.image_ref  # as with nova, the volume goes before it


def _is_volume(disk: DiskWish) -> bool:
    return disk.source_type in ("volume", "snapshot") or disk.destination_type == "volume"


def _disks(spec: ServerSpec) -> list[NewDisk]:
    """Return the volumes that a server is to have."""
    found = []
    for disk in spec.disks:
        if disk.no_device or (disk.source_type == "image" and not _is_volume(disk)):
            if disk.boot_index != 0:
                raise Invalid(
                    "Block Device Mapping is Invalid: a local image must have boot_index 0."
                )
        elif _is_volume(disk):
            found.append(_volume(spec, disk))
    return found


def _local_disks(spec: ServerSpec) -> list[LocalDisk]:
    """Return what is said of disks that the host makes."""
    found = []
    for disk in spec.disks:
        if disk.no_device or _is_volume(disk):
            continue
        if disk.source_type == "image":
            found.append(LocalDisk("root", tag=disk.tag))
            continue
        if disk.uuid:
            raise Invalid("Block Device Mapping is Invalid: a blank disk has no uuid.")
        if disk.guest_format == "swap":
            found.append(LocalDisk("swap", size=disk.volume_size, tag=disk.tag))
            continue
        file_system = _format(disk.guest_format)
        found.append(
            LocalDisk("ephemeral", size=disk.volume_size, format=file_system, tag=disk.tag)
        )
    return found


def _format(name: str | None) -> Format:
    found: Format | None = next((one for one in get_args(Format) if one == (name or "ext4")), None)
    if found is None:
        raise Invalid(
            f"Block Device Mapping is Invalid: {name} format is not supported: hosts make ext2, "
            "ext3 and ext4, and swap.",
            field="guest_format",
        )
    return found


def _volume(spec: ServerSpec, disk: DiskWish) -> NewDisk:
    if disk.destination_type == "local":
        raise Invalid(
            "Block Device Mapping is Invalid: a volume or snapshot has destination_type volume."
        )
    if disk.source_type == "blank" and disk.uuid:
        raise Invalid("Block Device Mapping is Invalid: a blank volume has no uuid.")
    if disk.source_type != "blank" and not disk.uuid:
        raise Invalid("Block Device Mapping is Invalid: Missing device UUID.")
    if disk.source_type in ("blank", "image") and not disk.volume_size:
        raise Invalid(
            "Block Device Mapping is Invalid: Images with destination_type 'volume' need to have "
            "a non-zero size specified",
            field="volume_size",
        )
    if spec.max_count is not None and spec.max_count > 1 and disk.source_type == "volume":
        raise Invalid("Cannot attach one or more volumes to multiple instances")
    return NewDisk(
        source=disk.source_type,
        source_id=disk.uuid,
        boot_index=disk.boot_index,
        size_gib=disk.volume_size,
        volume_type=disk.volume_type,
        device=disk.device_name,
        delete_on_termination=disk.delete_on_termination,
        tag=disk.tag,
    )


def _networks(call: Call[Any], spec: ServerSpec) -> list[RequestedNic] | Literal["auto"] | None:
    if spec.networks is None:
        if call.version >= (2, 37):
            raise Invalid(
                "Invalid input for field/attribute server. 'networks' is a required property: "
                "give a list, auto or none.",
                field="networks",
            )
        return None
    if isinstance(spec.networks, str):
        if call.version < (2, 37):
            raise Invalid("Invalid input for field/attribute networks: a list is expected.")
        return "auto" if spec.networks == "auto" else []
    wishes = []
    for one in spec.networks:
        if not (one.uuid or one.port):
            raise Invalid("Bad networks format: network uuid or port is required", field="networks")
        if one.port and one.fixed_ip:
            raise Invalid(
                f"Specified Fixed IP '{one.fixed_ip}' cannot be used with port '{one.port}': "
                "the two cannot be specified together.",
                field="networks",
            )
        wishes.append(
            RequestedNic(
                network_id=None if one.port else one.uuid,
                port_id=one.port,
                fixed_ip=checked_address("fixed_ip", one.fixed_ip, None),
                tag=one.tag,
            )
        )
    # An empty list meant "whatever there is" until networks became mandatory.
    return wishes if wishes or call.version >= (2, 37) else None


def checked_user_data(text: str | None) -> str | None:
    """Return user data, or refuse what is not base64."""
    if not text:
        return None
    try:
        base64.b64decode(text.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(
            "Invalid input for field/attribute user_data: it is not valid base64.",
            field="user_data",
        ) from error
    return text


def checked_file(path: str, contents: str) -> dict[str, str]:
    """Return a file to be put into a guest, or refuse what is not base64."""
    try:
        base64.b64decode(contents.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(
            f"Invalid input for field/attribute personality: the contents of {path[:80]} "
            "are not valid base64.",
            field="personality",
        ) from error
    return {"path": path, "contents": contents}


def checked_address(name: str, text: str | None, version: int | None) -> str | None:
    """Return an address in its usual spelling, or refuse what is none."""
    if not text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise Invalid(
            f"Invalid input for field/attribute {name}. Value: {text}. It is not an IP address.",
            field=name,
        ) from error
    if version and found.version != version:
        raise Invalid(
            f"Invalid input for field/attribute {name}. Value: {text}. "
            f"It is not an IPv{version} address.",
            field=name,
        )
    return str(found)


def checked_hostname(call: Call[Any], text: str | None) -> str | None:
    """Return a host name, or refuse what is none."""
    if text is None:
        return None
    pattern = _HOSTNAME_2_94 if call.version >= (2, 94) else _HOSTNAME
    most = 255 if call.version >= (2, 94) else 63
    if len(text) > most or not pattern.fullmatch(text):
        raise Invalid(
            f"Invalid input for field/attribute hostname. Value: {text[:80]}. "
            "It is not a valid host name.",
            field="hostname",
        )
    return text
