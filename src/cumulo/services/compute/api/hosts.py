"""Hosts, as they were asked about before there were hypervisors and services."""

from typing import Literal, TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import hypervisors, services
from cumulo.services.compute.hypervisors import HypervisorState
from cumulo.services.compute.services import ServiceChange
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes
from cumulo.web.errors import NotBuilt

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-hosts"
_LAST = "2.42"
_Switch: TypeAlias = Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]


class HostBrief(msgspec.Struct):
    """A host in a list, once for each service on it."""

    host_name: str
    service: str
    zone: str


class HostsBody(msgspec.Struct):
    """All hosts."""

    hosts: list[HostBrief]


class Resource(msgspec.Struct, kw_only=True):
    """What a host has, or what is used of it."""

    host: str
    project: str
    cpu: int = 0
    memory_mb: int = 0
    disk_gb: int = 0


class OneResource(msgspec.Struct):
    """Clients expect every resource in an object of its own."""

    resource: Resource


class HostBody(msgspec.Struct):
    """A host's resources: in all, used, and by project."""

    host: list[OneResource]


class HostsQuery(msgspec.Struct):
    """Which hosts."""

    zone: str = ""


class HostChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a host."""

    status: _Switch | None = None
    maintenance_mode: _Switch | None = None


class ChangedHost(msgspec.Struct):
    """What was changed of a host."""

    host: str
    status: str


@routes.get("/v2.1/os-hosts", policy=f"{_RULE}:list", until=_LAST)
def list_hosts(call: Call, query: HostsQuery) -> HostsBody:
    """List the hosts of services that are enabled."""
    found = call.db.read(services.list_services, call.tools.health)
    return HostsBody(
        [
            HostBrief(state.service.host, state.service.binary.removeprefix("nova-"), state.zone)
            for state in found
            if not state.service.is_disabled and query.zone in ("", state.zone)
        ]
    )


@routes.get("/v2.1/os-hosts/{host_name}", policy=f"{_RULE}:show", until=_LAST)
def show_host(call: Call, host_name: str) -> HostBody:
    """Show what a host has and what is used of it, by project."""
    state = call.db.read(hypervisors.hypervisor_on, call.tools.health, host_name)
    reserved = call.tools.settings.reserved_host_memory_mb
    return HostBody([OneResource(each) for each in _resources(state, reserved)])


@routes.put("/v2.1/os-hosts/{host_name}", policy=f"{_RULE}:update", until=_LAST)
def update_host(call: Call, host_name: str, body: HostChange) -> ChangedHost:
    """Let a host have new servers or not."""
    if body.status is None and body.maintenance_mode is None:
        raise Invalid("Give a status or a maintenance_mode to change.", field="status")
    enabled = call.db.write(_update, call, host_name, body)
    return ChangedHost(host_name, "enabled" if enabled else "disabled")


@routes.get("/v2.1/os-hosts/{host_name}/startup", policy=f"{_RULE}:start", until=_LAST)
def start_host(call: Call, host_name: str) -> None:
    """Refuse to start a host."""
    _refuse_power(call, host_name)


@routes.get("/v2.1/os-hosts/{host_name}/shutdown", policy=f"{_RULE}:shutdown", until=_LAST)
def shut_down_host(call: Call, host_name: str) -> None:
    """Refuse to shut a host down."""
    _refuse_power(call, host_name)


@routes.get("/v2.1/os-hosts/{host_name}/reboot", policy=f"{_RULE}:reboot", until=_LAST)
def reboot_host(call: Call, host_name: str) -> None:
    """Refuse to restart a host."""
    _refuse_power(call, host_name)


def _update(tx: Tx, call: Call, host_name: str, change: HostChange) -> bool:
    hypervisors.hypervisor_on(tx, call.tools.health, host_name)
    if change.maintenance_mode is not None or change.status is None:
        raise NotBuilt(_NOT_SUPPORTED)
    service = services.compute_service(tx, host_name)
    enabled = change.status.lower() == "enable"
    services.change_service(tx, call.ctx, service, ServiceChange(is_disabled=not enabled))
    return enabled


def _refuse_power(call: Call, host_name: str) -> None:
    call.db.read(hypervisors.hypervisor_on, call.tools.health, host_name)
    raise NotBuilt(_NOT_SUPPORTED)


# As with Nova's own driver for libvirt: a hypervisor has no hand on its machine.
_NOT_SUPPORTED = "The requested functionality is not supported."


def _resources(state: HypervisorState, reserved_mib: int) -> list[Resource]:
    name, facts = state.hypervisor.name, state.hypervisor.facts
    projects: dict[str, Resource] = {}
    most = Resource(host=name, project="(used_max)")
    for guest in state.guests:
        project = projects.setdefault(
            guest.project_id, Resource(host=name, project=guest.project_id)
        )
        for each in (most, project):
            each.cpu += guest.vcpus
            each.memory_mb += guest.memory_mib
            each.disk_gb += guest.disk_gib
    total = Resource(
        host=name,
        project="(total)",
        cpu=facts.vcpus,
        memory_mb=facts.memory_mib,
        disk_gb=facts.disk_gib,
    )
    now = Resource(
        host=name,
        project="(used_now)",
        cpu=state.vcpus_used,
        memory_mb=min(facts.memory_mib, state.memory_mib_used + reserved_mib),
        disk_gb=state.disk_gib_used,
    )
    return [total, now, most, *projects.values()]
