"""What a guest may know of itself, as OpenStack's documents tell it.

Pure functions of `InstanceMetadata`: the metadata service and config drives are made of them.
"""

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from cumulo.kit import ids
from cumulo.services.network import public as network

FOLSOM, GRIZZLY, HAVANA, LIBERTY = "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15"
NEWTON_ONE, NEWTON_TWO, OCATA, ROCKY = "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27"
VICTORIA, EPOXY = "2020-10-14", "2025-04-04"
VERSIONS: Sequence[str] = (
    *(FOLSOM, GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE),
    *(NEWTON_TWO, OCATA, ROCKY, VICTORIA, EPOXY),
)
LATEST = "latest"
CONTENT = "content"  # where the files are that a server was given


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The keypair a server was created with."""

    name: str
    type: str
    public_key: str


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device that its owner tagged."""

    type: Literal["nic", "disk", "share"]
    bus: str = "none"  # pci, scsi, ide, usb
    address: str = "none"
    tags: list[str] = []
    mac: str = ""  # of a NIC
    serial: str = ""  # of a disk: the volume's id
    path: str = ""  # of a disk
    share_id: str = ""  # of a share
    tag: str = ""  # of a share


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that its owner gave the server, to be put at a path."""

    path: str
    contents: bytes


class InstanceMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """All that a guest may know of itself."""

    id: str
    name: str
    hostname: str  # with its domain
    project_id: str
    launch_index: int = 0
    reservation_id: str = ""
    availability_zone: str | None = None
    flavor_name: str = ""
    image_id: str = ""
    key: Key | None = None
    user_data: bytes | None = None
    meta: dict[str, str] = {}
    security_groups: list[str] = []
    ports: list[network.ServerPort] = []
    subnets: dict[str, network.ServerSubnet] = {}  # of the ports' addresses
    block_devices: dict[str, str] = {}  # ami -> vda, root -> /dev/vda, ebs0, ephemeral0, swap
    devices: list[Device] = []
    dedicated_cpus: list[int] = []
    files: list[File] = []
    vendor_data: dict[str, Any] = {}  # the operator's words for every guest
    kernel_id: str = ""
    ramdisk_id: str = ""
    password: str = ""  # as the guest posted it, encrypted
    admin_pass: str | None = None  # told on a config drive only


def document(metadata: InstanceMetadata, version: str, name: str) -> bytes | None:
    """Return one document of a version, or None where there is none."""
    version = VERSIONS[-1] if version == LATEST else version
    if version not in VERSIONS or name not in listing(metadata, version):
        return None
    if name == "user_data":
        return metadata.user_data
    if name == "password":
        return metadata.password.encode()
    if name == "meta_data.json":
        return msgspec.json.encode(meta_data(metadata, version))
    if name == "network_data.json":
        return msgspec.json.encode(network_data(metadata))
    said = metadata.vendor_data
    return msgspec.json.encode(said if name == "vendor_data.json" else {"static": said})


def content(metadata: InstanceMetadata, number: str) -> bytes | None:
    """Return one of the files that the server was given, by its number: 0000."""
    found = {_number(index): file.contents for index, file in enumerate(metadata.files)}
    return found.get(number)


def _number(index: int) -> str:
    return f"{index:04d}"


def listing(metadata: InstanceMetadata, version: str) -> list[str]:
    """Return the names of a version's documents."""
    names = ["meta_data.json"]
    if metadata.user_data is not None:
        names.append("user_data")
    came_with = (
        (GRIZZLY, "password"),
        (HAVANA, "vendor_data.json"),
        (LIBERTY, "network_data.json"),
        (NEWTON_TWO, "vendor_data2.json"),
    )
    newest = version == LATEST
    return names + [name for since, name in came_with if newest or version >= since]


def meta_data(metadata: InstanceMetadata, version: str) -> dict[str, Any]:
    """Return meta_data.json as it was at `version`."""
    told: dict[str, Any] = {"uuid": metadata.id}
    if metadata.meta:
        told["meta"] = metadata.meta
    if metadata.admin_pass is not None:
        told["admin_pass"] = metadata.admin_pass
    if metadata.files:
        told["files"] = [
            {"content_path": f"/{CONTENT}/{_number(index)}", "path": file.path}
            for index, file in enumerate(metadata.files)
        ]
    if metadata.key is not None:
        key = metadata.key
        told["public_keys"] = {key.name: key.public_key}
        told["keys"] = [{"name": key.name, "type": key.type, "data": key.public_key}]
    told |= {
        "hostname": metadata.hostname,
        "name": metadata.name,
        "launch_index": metadata.launch_index,
        "availability_zone": metadata.availability_zone,
    }
    if version >= GRIZZLY:
        told["random_seed"] = base64.b64encode(ids.new_secret(512)).decode()
    if version >= LIBERTY:
        told["project_id"] = metadata.project_id
    if version >= NEWTON_ONE:
        told["devices"] = [
            _device(device, version)
            for device in metadata.devices
            if device.type != "share" or version >= EPOXY
        ]
    if version >= VICTORIA:
        told["dedicated_cpus"] = metadata.dedicated_cpus
    return told


def network_data(metadata: InstanceMetadata) -> dict[str, Any]:
    """Return network_data.json: links, the networks on them, name servers."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, str]] = []
    for port in metadata.ports:
        link = {
            "id": f"tap{port.id[:11]}",
            "vif_id": port.id,
            "type": "ovs",
            "mtu": port.mtu,
            "ethernet_mac_address": port.mac,
        }
        links.append(link)
        for address in port.addresses:
            subnet = metadata.subnets[address.subnet_id]
            place = {"id": f"network{len(networks)}", "link": link["id"]}
            networks.append(place | _network(port, address.address, subnet))
            services += [dns for dns in _dns(subnet) if dns not in services]
    return {"links": links, "networks": networks, "services": services}


def _network(
    port: network.ServerPort, address: str, subnet: network.ServerSubnet
) -> dict[str, Any]:
    kind = f"ipv{subnet.ip_version}"
    told: dict[str, Any] = {"network_id": port.network_id}
    if subnet.ipv6_address_mode is None and subnet.enable_dhcp:
        return {**told, "type": f"{kind}_dhcp"}
    mode = f"_{subnet.ipv6_address_mode}" if subnet.ipv6_address_mode else ""
    return {
        **told,
        "type": f"{kind}{mode}",
        "ip_address": address,
        "netmask": str(ipaddress.ip_network(subnet.cidr).netmask),
        "routes": _routes(subnet),
        "services": _dns(subnet),
    }


def _routes(subnet: network.ServerSubnet) -> list[dict[str, str]]:
    everywhere = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
    found = [(everywhere, subnet.gateway_ip)] if subnet.gateway_ip else []
    routes = []
    for destination, gateway in [*found, *subnet.host_routes]:
        place = ipaddress.ip_network(destination)
        routes.append(
            {
                "network": str(place.network_address),
                "netmask": str(place.netmask),
                "gateway": gateway,
            }
        )
    return routes


def _dns(subnet: network.ServerSubnet) -> list[dict[str, str]]:
    return [{"type": "dns", "address": address} for address in subnet.dns_nameservers]


def _device(device: Device, version: str) -> Mapping[str, Any]:
    told: dict[str, Any] = {}
    if device.type == "nic" and version >= ROCKY:
        told["vf_trusted"] = False
    told["type"] = device.type
    for name in ("mac", "serial", "path", "share_id", "tag"):
        if value := getattr(device, name):
            told[name] = value
    told |= {"bus": device.bus, "address": device.address}
    if device.tags:
        told["tags"] = device.tags
    return told
