"""Servers as clients see them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit import clock
from cumulo.services.compute import servers, states
from cumulo.services.compute.api.links import Link, Place
from cumulo.services.compute.servers import ListedServer, Seen
from cumulo.web import Call, since, until

# Statuses of a server that something is being done with, which counts in percent.
_UNDER_WAY = frozenset({"BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})


class Bare(msgspec.Struct, gc=False):
    """A server in a short list."""

    id: str
    name: str
    links: list[Link]


class Ref(msgspec.Struct, gc=False):
    """Something else, by id and link."""

    id: str
    links: list[Link]
    properties: Annotated[Mapping[str, str], since("2.98")]


class FlavorView(msgspec.Struct, kw_only=True, gc=False):
    """The flavor: a link to it, and from 2.47 on what it said at boot."""

    id: Annotated[str, until("2.46")]
    links: Annotated[list[Link], until("2.46")]
    vcpus: Annotated[int, since("2.47")]
    ram: Annotated[int, since("2.47")]
    disk: Annotated[int, since("2.47")]
    ephemeral: Annotated[int, since("2.47")]
    swap: Annotated[int, since("2.47")]
    original_name: Annotated[str, since("2.47")]
    extra_specs: Annotated[dict[str, str] | UnsetType, since("2.47")] = UNSET


class AddressView(msgspec.Struct, kw_only=True, gc=False):
    """An address of a server."""

    version: int
    addr: str
    mac: str | UnsetType = msgspec.field(name="OS-EXT-IPS-MAC:mac_addr", default=UNSET)
    type: Literal["fixed", "floating"] | UnsetType = msgspec.field(
        name="OS-EXT-IPS:type", default=UNSET
    )


class Fault(msgspec.Struct):
    """Why a server is in error."""

    code: int
    created: str
    message: str
    details: str | UnsetType = UNSET


class VolumeRef(msgspec.Struct, gc=False):
    """A volume of a server, by id."""

    id: str
    delete_on_termination: Annotated[bool, since("2.3")]


class GroupName(msgspec.Struct, gc=False):
    """A security group by name."""

    name: str


class ServerView(msgspec.Struct, kw_only=True, gc=False):
    """A server with its details."""

    id: str
    name: str
    status: str
    tenant_id: str
    user_id: str
    metadata: dict[str, str]
    host_id: str = msgspec.field(name="hostId")
    image: Ref | Literal[""]
    flavor: FlavorView
    created: str
    updated: str
    addresses: dict[str, list[AddressView]]
    access_ip_v4: str = msgspec.field(name="accessIPv4")
    access_ip_v6: str = msgspec.field(name="accessIPv6")
    links: list[Link]
    disk_config: str = msgspec.field(name="OS-DCF:diskConfig")
    progress: int | UnsetType = UNSET
    fault: Fault | UnsetType = UNSET
    az: str = msgspec.field(name="OS-EXT-AZ:availability_zone")
    config_drive: str
    key_name: str | None
    launched_at: str | None = msgspec.field(name="OS-SRV-USG:launched_at")
    terminated_at: str | None = msgspec.field(name="OS-SRV-USG:terminated_at")
    task_state: str | None = msgspec.field(name="OS-EXT-STS:task_state")
    vm_state: str = msgspec.field(name="OS-EXT-STS:vm_state")
    power_state: int = msgspec.field(name="OS-EXT-STS:power_state")
    volumes: list[VolumeRef] = msgspec.field(name="os-extended-volumes:volumes_attached")
    security_groups: list[GroupName] | UnsetType = UNSET
    host: str | UnsetType | None = msgspec.field(name="OS-EXT-SRV-ATTR:host", default=UNSET)
    hypervisor_hostname: str | UnsetType | None = msgspec.field(
        name="OS-EXT-SRV-ATTR:hypervisor_hostname", default=UNSET
    )
    instance_name: str | UnsetType = msgspec.field(
        name="OS-EXT-SRV-ATTR:instance_name", default=UNSET
    )
    hostname: Annotated[str | UnsetType, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:hostname", default=UNSET
    )
    reservation_id: Annotated[str | UnsetType, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:reservation_id", default=UNSET
    )
    launch_index: Annotated[int | UnsetType, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:launch_index", default=UNSET
    )
    kernel_id: Annotated[str | UnsetType, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:kernel_id", default=UNSET
    )
    ramdisk_id: Annotated[str | UnsetType, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:ramdisk_id", default=UNSET
    )
    root_device_name: Annotated[str | UnsetType, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:root_device_name", default=UNSET
    )
    user_data: Annotated[str | UnsetType | None, since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:user_data", default=UNSET
    )
    locked: Annotated[bool, since("2.9")] = False
    host_status: Annotated[str | UnsetType, since("2.16")] = UNSET
    description: Annotated[str | None, since("2.19")] = None
    tags: Annotated[list[str], since("2.26")] = []
    trusted_image_certificates: Annotated[None, since("2.63")] = None
    server_groups: Annotated[list[str] | UnsetType, since("2.71")] = UNSET
    locked_reason: Annotated[str | None, since("2.73")] = None
    pinned_availability_zone: Annotated[str | None, since("2.96")] = None
    scheduler_hints: Annotated[dict[str, Any], since("2.100")] = {}


class Shower:
    """Shows servers to one caller; what is the same for all of a page is found out once."""

    def __init__(self, call: Call[Any]) -> None:
        may = call.ctx.may
        self._is_admin, self._shows_hostname = call.ctx.is_admin, call.version >= (2, 90)
        self._sees_attributes = may("os_compute_api:os-extended-server-attributes")
        self._sees_host_status = may("os_compute_api:servers:show:host_status")
        self._sees_specs = may("os_compute_api:servers:show:flavor-extra-specs")
        self._known_images: dict[tuple[str, int], Ref] = {}
        self._known_flavors: dict[int, FlavorView] = {}
        self._known_groups: dict[int, list[GroupName]] = {}
        self._servers, self._images, self._flavors = (
            Place(call, collection) for collection in ("servers", "images", "flavors")
        )

    def links(self, server_id: str) -> list[Link]:
        """Return the two links that every server carries."""
        return self._servers.links(server_id)

    def bare(self, server: ListedServer) -> Bare:
        """Show a server in a short list."""
        return Bare(server.id, server.name, self.links(server.id))

    def full(self, seen: Seen) -> ServerView:
        """Show a server with its details."""
        server = seen.server
        view = ServerView(
            id=server.id,
            name=server.name,
            status=states.status_of(server.vm_state, server.task_state),
            tenant_id=server.project_id,
            user_id=server.user_id,
            metadata=seen.metadata,
            host_id=servers.host_id(server),
            image=self._image(server),
            flavor=self._flavor(server),
            created=clock.iso_z(server.created_at),
            updated=clock.iso_z(server.updated_at),
            addresses=addresses(seen),
            access_ip_v4=server.access_ip_v4 or "",
            access_ip_v6=server.access_ip_v6 or "",
            links=self.links(server.id),
            disk_config=server.disk_config,
            az=seen.zone,
            config_drive="True" if server.config_drive else "",
            key_name=server.key_name,
            launched_at=_usage_time(server.launched_at),
            terminated_at=_usage_time(server.terminated_at),
            task_state=server.task_state,
            vm_state=server.vm_state,
            power_state=server.power_state,
            volumes=_volumes(seen) if seen.volumes else [],
            security_groups=self._groups(seen) if seen.security_groups else UNSET,
            locked=server.locked_by is not None,
            description=server.description,
            tags=seen.tags,
            locked_reason=server.locked_reason,
            pinned_availability_zone=server.availability_zone,
            scheduler_hints=server.scheduler_hints,
        )
        self._add_what_depends(seen, view)
        return view

    def _add_what_depends(self, seen: Seen, view: ServerView) -> None:
        """Fill in what only some servers have and only some callers see."""
        server, status = seen.server, view.status
        if status == "ACTIVE":
            view.progress = 100
        elif status in _UNDER_WAY:
            view.progress = 0
        elif server.fault_at is not None and status in ("ERROR", "DELETED"):
            view.fault = self._fault(server)
        if seen.server_groups is not None:
            view.server_groups = seen.server_groups
        if self._shows_hostname:
            view.hostname = server.hostname
        if self._sees_attributes:
            _add_attributes(seen, view)
        if seen.host_status is not None and self._sees_host_status:
            view.host_status = seen.host_status

    def _groups(self, seen: Seen) -> list[GroupName]:
        # Servers in the same groups share the list of their names.
        known = self._known_groups.get(id(seen.security_groups))
        if known is None:
            known = [GroupName(name) for name in seen.security_groups]
            self._known_groups[id(seen.security_groups)] = known
        return known

    def _image(self, server: ListedServer) -> Ref | Literal[""]:
        if server.image_id is None:
            return ""
        # Servers of one image share what was read of it.
        known = self._known_images.get((server.image_id, id(server.image_properties)))
        if known is None:
            link = self._images.bookmark(server.image_id)
            known = Ref(server.image_id, [link], server.image_properties)
            self._known_images[server.image_id, id(server.image_properties)] = known
        return known

    def _flavor(self, server: ListedServer) -> FlavorView:
        known = self._known_flavors.get(id(server.flavor))
        if known is None:
            known = self._known_flavors[id(server.flavor)] = self._new_flavor(server)
        return known

    def _new_flavor(self, server: ListedServer) -> FlavorView:
        flavor = server.flavor
        flavor_id = str(flavor["id"])
        return FlavorView(
            id=flavor_id,
            links=[self._flavors.bookmark(flavor_id)],
            vcpus=flavor["vcpus"],
            ram=flavor["memory_mib"],
            disk=flavor["root_gib"],
            ephemeral=flavor["ephemeral_gib"],
            swap=flavor["swap_mib"],
            original_name=flavor["name"],
            extra_specs=flavor["extra_specs"] if self._sees_specs else UNSET,
        )

    def _fault(self, server: ListedServer) -> Fault:
        assert server.fault_at is not None
        told = self._is_admin or server.fault_code != 500
        return Fault(
            code=server.fault_code or 500,
            created=clock.iso_z(server.fault_at),
            message=server.fault_message or "",
            details=(server.fault_details or "") if told else UNSET,
        )


def _volumes(seen: Seen) -> list[VolumeRef]:
    return [VolumeRef(one.volume_id, one.delete_on_termination) for one in seen.volumes]


def _add_attributes(seen: Seen, view: ServerView) -> None:
    server = seen.server
    view.host = view.hypervisor_hostname = server.host
    view.instance_name = server.instance_name
    view.hostname = server.hostname
    view.reservation_id = server.reservation_id
    view.launch_index = server.launch_index
    view.kernel_id = view.ramdisk_id = ""
    view.root_device_name = servers.ROOT_DEVICE
    view.user_data = server.user_data


def addresses(seen: Seen) -> dict[str, list[AddressView]]:
    """Show the addresses of a server, by the name of the network."""
    shown: dict[str, list[AddressView]] = {}
    for one in seen.addresses:
        view = AddressView(version=one.version, addr=one.address, mac=one.mac, type=one.type)
        shown.setdefault(one.network, []).append(view)
    return shown


def _usage_time(moment: datetime | None) -> str | None:
    return clock.iso_bare(moment) if moment else None
