"""/os-simple-tenant-usage: what projects' servers held, and for how long."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit import clock
from cumulo.kit.errors import Invalid
from cumulo.services.compute import usages
from cumulo.services.compute.api.queries import MOST, check_known
from cumulo.services.compute.api.server_filters import page_url
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.usages import ProjectUsage, ServerUsage, Span
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.web.paging import Link, following

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-simple-tenant-usage"


class UsageQuery(msgspec.Struct, kw_only=True):
    """Which span of time, and whether each server is told of."""

    start: str | None = None
    end: str | None = None
    detailed: Literal["0", "1"] | str = "0"
    limit: Annotated[Annotated[int, Meta(ge=0)] | None, since("2.40")] = None
    marker: Annotated[str | None, since("2.40")] = None


class ServerUsageView(msgspec.Struct, kw_only=True):
    """How a server was used."""

    instance_id: str
    name: str
    hours: float
    flavor: str
    tenant_id: str
    state: str
    started_at: str
    ended_at: str | None
    uptime: int
    memory_mb: int
    local_gb: int
    vcpus: int


class UsageView(msgspec.Struct, kw_only=True):
    """What a project used."""

    tenant_id: str
    start: str
    stop: str
    total_hours: float
    total_local_gb_usage: float
    total_memory_mb_usage: float
    total_vcpus_usage: float
    server_usages: list[ServerUsageView] | UnsetType = UNSET


class UsagesBody(msgspec.Struct, kw_only=True):
    """What projects used."""

    usages: list[UsageView] = msgspec.field(name="tenant_usages")
    links: Annotated[list[Link] | UnsetType, since("2.40")] = msgspec.field(
        name="tenant_usages_links", default=UNSET
    )


class UsageBody(msgspec.Struct, kw_only=True):
    """What one project used; nothing where it used nothing."""

    usage: UsageView | dict[str, str] = msgspec.field(name="tenant_usage")
    links: Annotated[list[Link] | UnsetType, since("2.40")] = msgspec.field(
        name="tenant_usage_links", default=UNSET
    )


@routes.get("/v2.1/os-simple-tenant-usage", policy=f"{_RULE}:list")
def list_usages(call: Call, query: UsageQuery) -> UsagesBody:
    """List what each project used within a span of time."""
    span = _span(call, query, None)
    found = call.db.read(usages.used, span)
    detailed = query.detailed == "1"
    body = UsagesBody(usages=[_view(one, span, detailed=detailed) for one in found])
    body.links = _next(call, "os-simple-tenant-usage", found, query)
    return body


@routes.get("/v2.1/os-simple-tenant-usage/{tenant_id}", policy=f"{_RULE}:show", on_target=True)
def show_usage(call: Call, tenant_id: str, query: UsageQuery) -> UsageBody:
    """Show what a project used within a span of time, server by server."""
    call.ctx.require(f"{_RULE}:show", project_id=tenant_id)
    span = _span(call, query, tenant_id)
    found = call.db.read(usages.used, span)
    body = UsageBody(usage=_view(found[0], span, detailed=True) if found else {})
    body.links = _next(call, f"os-simple-tenant-usage/{tenant_id}", found, query)
    return body


def _span(call: Call, query: UsageQuery, project_id: str | None) -> Span:
    check_known(call, UsageQuery, since=(2, 75))
    start, stop = _moment("start", query.start), _moment("end", query.end)
    if start > stop:
        raise Invalid("Invalid start time. The start time cannot occur after the end time.")
    limit = min(query.limit or MOST, MOST) if call.version >= (2, 40) else None
    return Span(start=start, stop=stop, project_id=project_id, marker=query.marker, limit=limit)


def _moment(name: str, text: str | None) -> datetime:
    """Read a time in one of the forms that nova takes; none is now."""
    if text is None:
        return clock.now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"Datetime is in invalid format: {name}={text}", field=name) from error
    if found.tzinfo is not None:
        raise Invalid(f"Datetime is in invalid format: {name}={text}", field=name)
    return found.replace(tzinfo=clock.now().tzinfo)


def _next(
    call: Call, place: str, found: list[ProjectUsage], query: UsageQuery
) -> list[Link] | UnsetType:
    count, last = usages.last_of(found)
    if not query.limit or last is None or count < query.limit:
        return UNSET
    return [Link("next", f"{page_url(call, place)}?{following(call.filters, last)}")]


def _view(usage: ProjectUsage, span: Span, *, detailed: bool) -> UsageView:
    return UsageView(
        tenant_id=usage.project_id,
        start=clock.iso_bare(span.start),
        stop=clock.iso_bare(span.stop),
        total_hours=usage.hours,
        total_local_gb_usage=usage.disk_gib,
        total_memory_mb_usage=usage.memory_mib,
        total_vcpus_usage=usage.vcpus,
        server_usages=[_server_view(one) for one in usage.servers] if detailed else UNSET,
    )


def _server_view(one: ServerUsage) -> ServerUsageView:
    server = one.server
    end = server.terminated_at
    return ServerUsageView(
        instance_id=server.id,
        name=server.name,
        hours=one.hours,
        flavor=server.flavor.get("name", ""),
        tenant_id=server.project_id,
        state="terminated" if server.is_deleted else server.vm_state,
        started_at=clock.iso_bare(server.launched_at),
        ended_at=clock.iso_bare(end) if end else None,
        uptime=int(((end or clock.now()) - server.launched_at).total_seconds()),
        memory_mb=server.memory_mib,
        local_gb=one.disk_gib,
        vcpus=server.vcpus,
    )
