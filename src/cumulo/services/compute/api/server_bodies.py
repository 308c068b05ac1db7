"""What clients say about servers: the bodies and queries of /servers."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.web import LooseBool, LooseInt, since, until, without

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Description = Annotated[str, Meta(max_length=255)]
Hostname = Annotated[str, Meta(min_length=2, max_length=255)]
Ip4 = Annotated[str, Meta(max_length=39)]
MetadataKey = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]+$")]
MetadataValue = Annotated[str, Meta(max_length=255)]
Metadata = dict[MetadataKey, MetadataValue]
Tag = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^,/]*$")]
Tags = Annotated[list[Tag], Meta(max_length=50)]
DeviceTag = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^,/]*$")]
Uuid = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
    ),
]


class NetworkWish(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A network to be plugged into, or a port to be plugged with."""

    uuid: Uuid | None = None
    port: Uuid | None = None
    fixed_ip: str | None = None
    tag: Annotated[DeviceTag | None, since("2.32"), without("2.37", "2.41")] = None


class GroupWish(msgspec.Struct, forbid_unknown_fields=True):
    """A security group, by name or id."""

    name: Name


class FileWish(msgspec.Struct, forbid_unknown_fields=True):
    """A file for the config drive; its contents in base64."""

    path: Annotated[str, Meta(min_length=1)]
    contents: str


class DiskWish(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An entry of block_device_mapping_v2."""

    source_type: Literal["image", "volume", "snapshot", "blank"]
    destination_type: Literal["local", "volume"] | None = None
    uuid: str | None = None
    boot_index: LooseInt | None = None
    delete_on_termination: LooseBool = False
    volume_size: Annotated[LooseInt, Meta(ge=1, le=2**31 - 1)] | None = None
    device_name: str | None = None
    device_type: str | None = None
    disk_bus: str | None = None
    guest_format: str | None = None
    no_device: LooseBool = False
    tag: Annotated[DeviceTag | None, since("2.32"), without("2.33", "2.41")] = None
    volume_type: Annotated[str | None, since("2.67")] = None


class OldDiskWish(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An entry of block_device_mapping, as EC2 had it; nobody was ever told what it connects by."""

    device_name: str | None = None
    volume_id: Uuid | None = None
    snapshot_id: Uuid | None = None
    volume_size: LooseInt | None = None
    delete_on_termination: LooseBool = False
    no_device: Any = None
    virtual_name: Annotated[str, Meta(max_length=255)] | None = None


class ServerSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client says about the servers it wants."""

    name: Name
    flavor_ref: str | int = msgspec.field(name="flavorRef")
    image_ref: str = msgspec.field(name="imageRef", default="")
    networks: list[NetworkWish] | Literal["auto", "none"] | None = None
    security_groups: list[GroupWish] | None = None
    key_name: Name | None = None
    user_data: Annotated[str, Meta(max_length=65535)] | None = None
    metadata: Metadata = {}
    availability_zone: Name | None = None
    config_drive: LooseBool | None = None
    admin_pass: str | None = msgspec.field(name="adminPass", default=None)
    min_count: Annotated[LooseInt, Meta(ge=1)] = 1
    max_count: Annotated[LooseInt, Meta(ge=1)] | None = None
    return_reservation_id: LooseBool = False
    access_ip_v4: str | None = msgspec.field(name="accessIPv4", default=None)
    access_ip_v6: str | None = msgspec.field(name="accessIPv6", default=None)
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(
        name="OS-DCF:diskConfig", default="MANUAL"
    )
    disks: list[DiskWish] = msgspec.field(name="block_device_mapping_v2", default=[])
    old_disks: list[OldDiskWish] = msgspec.field(name="block_device_mapping", default=[])
    personality: Annotated[list[FileWish], until("2.56")] = []
    description: Annotated[Description | None, since("2.19")] = None
    tags: Annotated[Tags, since("2.52")] = []
    host: Annotated[Name | None, since("2.74")] = None
    hypervisor_hostname: Annotated[Name | None, since("2.74")] = None
    hostname: Annotated[Hostname | None, since("2.90")] = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a create request; hints stand beside the server under either name."""

    server: ServerSpec
    hints: dict[str, Any] = msgspec.field(name="os:scheduler_hints", default={})
    old_hints: dict[str, Any] = msgspec.field(name="OS-SCH-HNT:scheduler_hints", default={})


class ServerChanges(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of a server."""

    name: Name | UnsetType = UNSET
    access_ip_v4: str | UnsetType | None = msgspec.field(name="accessIPv4", default=UNSET)
    access_ip_v6: str | UnsetType | None = msgspec.field(name="accessIPv6", default=UNSET)
    disk_config: Literal["AUTO", "MANUAL"] | UnsetType = msgspec.field(
        name="OS-DCF:diskConfig", default=UNSET
    )
    description: Annotated[Description | UnsetType | None, since("2.19")] = UNSET
    hostname: Annotated[Hostname | UnsetType, since("2.90")] = UNSET
    pinned_availability_zone: Annotated[Name | UnsetType | None, since("2.104")] = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an update request."""

    server: ServerChanges


class ListQuery(msgspec.Struct, kw_only=True):
    """The query of a list; what else stands in it, nova ignores before 2.75."""

    all_tenants: str | None = None
    project_id: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    name: str | None = None
    status: list[str] = []
    vm_state: str | None = None
    image: str | None = None
    flavor: str | None = None
    host: str | None = None
    node: str | None = None
    uuid: list[str] = []
    reservation_id: str | None = None
    availability_zone: str | None = None
    config_drive: LooseBool | None = None
    key_name: str | None = None
    hostname: str | None = None
    description: str | None = None
    launch_index: LooseInt | None = None
    deleted: LooseBool = False
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    ip: str | None = None
    ip6: str | None = None
    locked: Annotated[LooseBool | None, since("2.73")] = None
    tags: Annotated[str | None, since("2.26")] = None
    tags_any: Annotated[str | None, since("2.26")] = msgspec.field(name="tags-any", default=None)
    not_tags: Annotated[str | None, since("2.26")] = msgspec.field(name="not-tags", default=None)
    not_tags_any: Annotated[str | None, since("2.26")] = msgspec.field(
        name="not-tags-any", default=None
    )
    changes_since: str | None = msgspec.field(name="changes-since", default=None)
    changes_before: Annotated[str | None, since("2.66")] = msgspec.field(
        name="changes-before", default=None
    )
    sort_key: list[str] = []
    sort_dir: list[Literal["asc", "desc"]] = []
    limit: Annotated[int, Meta(ge=0)] | None = None
    marker: str | None = None
