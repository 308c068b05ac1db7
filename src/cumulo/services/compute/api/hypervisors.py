"""Hypervisors: the hosts that servers run on."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.compute import hypervisors
from cumulo.services.compute.api.fields import HostName, number_of
from cumulo.services.compute.api.links import Link, next_links
from cumulo.services.compute.api.queries import MOST, Limit, check_known
from cumulo.services.compute.api.uuids import check_uuid
from cumulo.services.compute.hypervisors import HypervisorState
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since, until

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-hypervisors"


class ServerBrief(msgspec.Struct):
    """A server on a hypervisor."""

    name: str
    uuid: str


class HypervisorBrief(msgspec.Struct, kw_only=True):
    """A hypervisor in a list."""

    id: int | str
    hypervisor_hostname: str
    state: str
    status: str
    servers: list[ServerBrief] | UnsetType = UNSET
    uptime: Annotated[str | UnsetType | None, until("2.87")] = UNSET


class ServiceBrief(msgspec.Struct):
    """The service that runs servers on a hypervisor."""

    id: int | str
    host: str
    disabled_reason: str | None


class HypervisorView(msgspec.Struct, kw_only=True):
    """A hypervisor."""

    id: int | str
    hypervisor_hostname: str
    state: str
    status: str
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str
    service: ServiceBrief
    vcpus: Annotated[int, until("2.87")]
    memory_mb: Annotated[int, until("2.87")]
    local_gb: Annotated[int, until("2.87")]
    vcpus_used: Annotated[int, until("2.87")]
    memory_mb_used: Annotated[int, until("2.87")]
    local_gb_used: Annotated[int, until("2.87")]
    free_ram_mb: Annotated[int, until("2.87")]
    free_disk_gb: Annotated[int, until("2.87")]
    current_workload: Annotated[int, until("2.87")]
    running_vms: Annotated[int, until("2.87")]
    disk_available_least: Annotated[int, until("2.87")]
    cpu_info: Annotated[str | dict[str, Any], until("2.87")]
    uptime: Annotated[str | None, since("2.88")]
    servers: list[ServerBrief] | UnsetType = UNSET


class HypervisorsBrief(msgspec.Struct):
    """A page of hypervisors."""

    hypervisors: list[HypervisorBrief]
    hypervisors_links: Annotated[list[Link] | UnsetType, since("2.33")] = UNSET


class HypervisorsDetail(msgspec.Struct):
    """A page of hypervisors with all there is to know."""

    hypervisors: list[HypervisorView]
    hypervisors_links: Annotated[list[Link] | UnsetType, since("2.33")] = UNSET


class HypervisorBody(msgspec.Struct):
    """One hypervisor."""

    hypervisor: HypervisorView


class BriefBody(msgspec.Struct):
    """One hypervisor, in short."""

    hypervisor: HypervisorBrief


class Statistics(msgspec.Struct, kw_only=True):
    """The sum of all hypervisors."""

    count: int
    vcpus: int
    memory_mb: int
    local_gb: int
    vcpus_used: int
    memory_mb_used: int
    local_gb_used: int
    free_ram_mb: int
    free_disk_gb: int
    current_workload: int
    running_vms: int
    disk_available_least: int


class StatisticsBody(msgspec.Struct):
    """The sum of all hypervisors."""

    hypervisor_statistics: Statistics


class ShowQuery(msgspec.Struct, kw_only=True):
    """What to show besides."""

    with_servers: Annotated[LooseBool, since("2.53")] = False


class HypervisorsQuery(ShowQuery, kw_only=True):
    """Which hypervisors."""

    limit: Annotated[Limit | None, since("2.33")] = None
    marker: Annotated[str | None, since("2.33")] = None
    pattern: Annotated[HostName | None, since("2.53")] = msgspec.field(
        name="hypervisor_hostname_pattern", default=None
    )


@routes.get("/v2.1/os-hypervisors", policy=f"{_RULE}:list")
def list_hypervisors(call: Call, query: HypervisorsQuery) -> HypervisorsBrief:
    """List the hypervisors."""
    found = _page(call, query)
    views = [_brief(call, state, with_servers=query.with_servers) for state in found]
    return HypervisorsBrief(views, _more(call, query, found, "os-hypervisors"))


@routes.get("/v2.1/os-hypervisors/detail", policy=f"{_RULE}:list-detail")
def list_hypervisors_with_details(call: Call, query: HypervisorsQuery) -> HypervisorsDetail:
    """List the hypervisors with all there is to know."""
    found = _page(call, query)
    views = [_view(call, state, with_servers=query.with_servers) for state in found]
    return HypervisorsDetail(views, _more(call, query, found, "os-hypervisors/detail"))


@routes.get("/v2.1/os-hypervisors/statistics", policy=f"{_RULE}:statistics", until="2.87")
def show_statistics(call: Call) -> StatisticsBody:
    """Show the sum of what all hypervisors have and use."""
    states = call.db.read(hypervisors.list_hypervisors, call.tools.health)
    views = [_view(call, state, with_servers=False) for state in states]
    names = [name for name in Statistics.__struct_fields__ if name != "count"]
    sums = {name: sum(getattr(view, name) for view in views) for name in names}
    return StatisticsBody(Statistics(count=len(views), **sums))


@routes.get("/v2.1/os-hypervisors/{hypervisor_id}", policy=f"{_RULE}:show")
def show_hypervisor(call: Call, hypervisor_id: str, query: ShowQuery) -> HypervisorBody:
    """Show a hypervisor."""
    check_known(call, ShowQuery, since=(2, 53))
    state = _one(call, hypervisor_id)
    return HypervisorBody(_view(call, state, with_servers=query.with_servers))


@routes.get("/v2.1/os-hypervisors/{hypervisor_id}/uptime", policy=f"{_RULE}:uptime", until="2.87")
def show_uptime(call: Call, hypervisor_id: str) -> BriefBody:
    """Show how long a hypervisor has been running."""
    state = _one(call, hypervisor_id)
    if not state.is_up:
        host = state.hypervisor.name
        raise Invalid(f"Compute service of {host} is unavailable at this time.", host=host)
    view = _brief(call, state, with_servers=False)
    view.uptime = state.hypervisor.facts.uptime
    return BriefBody(view)


@routes.get("/v2.1/os-hypervisors/{hypervisor_id}/search", policy=f"{_RULE}:search", until="2.52")
def search_hypervisors(call: Call, hypervisor_id: str) -> HypervisorsBrief:
    """List the hypervisors whose names contain the text in the path."""
    found = call.db.read(hypervisors.matching_hypervisors, call.tools.health, hypervisor_id)
    return HypervisorsBrief([_brief(call, state, with_servers=False) for state in found])


@routes.get("/v2.1/os-hypervisors/{hypervisor_id}/servers", policy=f"{_RULE}:servers", until="2.52")
def list_servers_of_hypervisors(call: Call, hypervisor_id: str) -> HypervisorsBrief:
    """List the hypervisors whose names contain the text in the path, with their servers."""
    found = call.db.read(hypervisors.matching_hypervisors, call.tools.health, hypervisor_id)
    return HypervisorsBrief([_brief(call, state, with_servers=True) for state in found])


def _page(call: Call, query: HypervisorsQuery) -> list[HypervisorState]:
    check_known(call, HypervisorsQuery, since=(2, 53))
    health = call.tools.health
    if query.pattern is None:
        marker = None if query.marker is None else _marker(call, query.marker)
        return call.db.read(
            hypervisors.list_hypervisors, health, marker=marker, limit=_most(call, query)
        )
    if query.limit is not None or query.marker is not None:
        raise Invalid(
            "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not "
            "supported."
        )
    return call.db.read(hypervisors.matching_hypervisors, health, query.pattern)


def _most(call: Call, query: HypervisorsQuery) -> int | None:
    if call.version < (2, 33):
        return None
    return MOST if query.limit is None else min(query.limit, MOST)


def _marker(call: Call, text: str) -> int | str:
    if call.version >= (2, 53):
        return text
    return number_of(text, Invalid(f"marker [{text}] not found", field="marker"))


def _more(
    call: Call, query: HypervisorsQuery, found: list[HypervisorState], place: str
) -> list[Link] | UnsetType:
    last = str(_id(call, found[-1])) if found else None
    is_full = query.pattern is None and len(found) == _most(call, query)
    return next_links(call, place, last, is_full=is_full)


def _one(call: Call, hypervisor_id: str) -> HypervisorState:
    wanted: int | str
    if call.version >= (2, 53):
        wanted = check_uuid(hypervisor_id)
    else:
        missing = NotFound(f"Hypervisor with ID '{hypervisor_id}' could not be found.")
        wanted = number_of(hypervisor_id, missing)
    return call.db.read(hypervisors.hypervisor_get, call.tools.health, wanted)


def _id(call: Call, state: HypervisorState) -> int | str:
    return state.hypervisor.uuid if call.version >= (2, 53) else state.hypervisor.id


def _servers(
    call: Call, state: HypervisorState, *, with_servers: bool
) -> list[ServerBrief] | UnsetType:
    """Return the servers, if asked for; before 2.75 only if there are any."""
    if not with_servers or (not state.guests and call.version < (2, 75)):
        return UNSET
    return [ServerBrief(name=guest.name, uuid=guest.id) for guest in state.guests]


def _brief(call: Call, state: HypervisorState, *, with_servers: bool) -> HypervisorBrief:
    return HypervisorBrief(
        id=_id(call, state),
        hypervisor_hostname=state.hypervisor.name,
        state="up" if state.is_up else "down",
        status="disabled" if state.service.is_disabled else "enabled",
        servers=_servers(call, state, with_servers=with_servers),
    )


def _view(call: Call, state: HypervisorState, *, with_servers: bool) -> HypervisorView:
    brief = _brief(call, state, with_servers=with_servers)
    facts, service = state.hypervisor.facts, state.service
    cpu = _cpu_info(state)
    reserved = call.tools.settings.reserved_host_memory_mb
    memory_used = min(facts.memory_mib, state.memory_mib_used + reserved)
    return HypervisorView(
        id=brief.id,
        hypervisor_hostname=brief.hypervisor_hostname,
        state=brief.state,
        status=brief.status,
        hypervisor_type=facts.hypervisor_type,
        hypervisor_version=facts.hypervisor_version,
        host_ip=facts.address,
        service=ServiceBrief(
            service.uuid if call.version >= (2, 53) else service.id,
            service.host,
            service.disabled_reason,
        ),
        vcpus=facts.vcpus,
        memory_mb=facts.memory_mib,
        local_gb=facts.disk_gib,
        vcpus_used=state.vcpus_used,
        memory_mb_used=memory_used,
        local_gb_used=state.disk_gib_used,
        free_ram_mb=facts.memory_mib - memory_used,
        free_disk_gb=facts.disk_gib - state.disk_gib_used,
        current_workload=state.busy_guests,
        running_vms=len(state.guests),
        disk_available_least=facts.disk_free_gib,
        cpu_info=cpu if call.version >= (2, 28) else msgspec.json.encode(cpu).decode(),
        uptime=facts.uptime if state.is_up else None,
        servers=brief.servers,
    )


def _cpu_info(state: HypervisorState) -> dict[str, Any]:
    facts = state.hypervisor.facts
    return {
        "arch": facts.architecture,
        "model": facts.cpu_model,
        "vendor": facts.cpu_vendor,
        "features": facts.cpu_features,
        "topology": {"sockets": facts.vcpus, "cores": 1, "threads": 1},
    }
