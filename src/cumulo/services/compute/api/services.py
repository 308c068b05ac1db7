"""The parts of compute and whether they live."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.compute import services
from cumulo.services.compute.api.fields import HostName, row_number
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.api.uuids import check_uuid
from cumulo.services.compute.services import Service, ServiceChange, ServiceState
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-services"
_Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class ServiceView(msgspec.Struct, kw_only=True):
    """A service."""

    id: int | str
    binary: str
    host: str
    zone: str
    status: str
    state: str
    updated_at: str
    disabled_reason: str | None
    forced_down: Annotated[bool, since("2.11")]


class ServicesBody(msgspec.Struct):
    """All services."""

    services: list[ServiceView]


class ServiceBody(msgspec.Struct):
    """One service."""

    service: ServiceView


class ServicesQuery(msgspec.Struct, kw_only=True):
    """Which services."""

    host: str | None = None
    binary: str | None = None


class NamedService(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A service named by host and binary, and what to change of it."""

    host: HostName
    binary: _Text
    disabled_reason: _Text | None = None
    forced_down: Annotated[LooseBool | None, since("2.11")] = None


class ChangedView(msgspec.Struct, kw_only=True):
    """What was changed of a service."""

    host: str
    binary: str
    status: str | UnsetType = UNSET
    disabled_reason: str | UnsetType = UNSET
    forced_down: bool | UnsetType = UNSET


class ChangedBody(msgspec.Struct):
    """The change of a service."""

    service: ChangedView


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of a service."""

    status: Literal["enabled", "disabled"] | None = None
    disabled_reason: _Text | None = None
    forced_down: LooseBool | None = None


@routes.get("/v2.1/os-services", policy=f"{_RULE}:list")
def list_services(call: Call, query: ServicesQuery) -> ServicesBody:
    """List the parts of compute, each with its host."""
    check_known(call, ServicesQuery, since=(2, 75))
    found = call.db.read(
        services.list_services, call.tools.health, host=query.host, binary=query.binary
    )
    return ServicesBody([_view(call, state) for state in found])


@routes.put("/v2.1/os-services/enable", policy=f"{_RULE}:update", until="2.52")
def enable_service(call: Call, body: NamedService) -> ChangedBody:
    """Let a host have new servers again."""
    call.db.write(_change_named, call, body, ServiceChange(is_disabled=False))
    return ChangedBody(ChangedView(host=body.host, binary=body.binary, status="enabled"))


@routes.put("/v2.1/os-services/disable", policy=f"{_RULE}:update", until="2.52")
def disable_service(call: Call, body: NamedService) -> ChangedBody:
    """Let a host have no new servers."""
    call.db.write(_change_named, call, body, ServiceChange(is_disabled=True))
    return ChangedBody(ChangedView(host=body.host, binary=body.binary, status="disabled"))


@routes.put("/v2.1/os-services/disable-log-reason", policy=f"{_RULE}:update", until="2.52")
def disable_service_with_reason(call: Call, body: NamedService) -> ChangedBody:
    """Let a host have no new servers, and say why."""
    if body.disabled_reason is None:
        raise Invalid("Missing disabled reason field", field="disabled_reason")
    change = ServiceChange(is_disabled=True, disabled_reason=body.disabled_reason)
    call.db.write(_change_named, call, body, change)
    return ChangedBody(
        ChangedView(
            host=body.host,
            binary=body.binary,
            status="disabled",
            disabled_reason=body.disabled_reason,
        )
    )


@routes.put("/v2.1/os-services/force-down", policy=f"{_RULE}:update", since="2.11", until="2.52")
def force_down_service(call: Call, body: NamedService) -> ChangedBody:
    """Declare a host dead, or alive again."""
    if body.forced_down is None:
        raise Invalid("Missing forced_down field", field="forced_down")
    call.db.write(_change_named, call, body, ServiceChange(is_forced_down=body.forced_down))
    return ChangedBody(
        ChangedView(host=body.host, binary=body.binary, forced_down=body.forced_down)
    )


@routes.put("/v2.1/os-services/{service_id}", policy=f"{_RULE}:update", since="2.53")
def update_service(call: Call, service_id: str, body: UpdateBody) -> ServiceBody:
    """Let a host have new servers or not, or declare it dead or alive."""
    check_uuid(service_id)
    return ServiceBody(_view(call, call.db.write(_change, call, service_id, _wanted(body))))


@routes.put("/v2.1/os-services/{service_id}", policy=f"{_RULE}:update", until="2.52")
def unknown_service_action(call: Call, service_id: str) -> None:
    """Refuse what never was an action on a service."""
    raise NotFound("Unknown action", action=service_id)


@routes.delete("/v2.1/os-services/{service_id}", policy=f"{_RULE}:delete", status=204)
def delete_service(call: Call, service_id: str) -> None:
    """Forget a service; a compute service only when no server is on its host."""
    call.db.write(_delete, call, service_id)


def _change_named(tx: Tx, call: Call, named: NamedService, change: ServiceChange) -> Service:
    service = services.compute_service(tx, named.host, named.binary)
    return services.change_service(tx, call.ctx, service, change)


def _change(tx: Tx, call: Call, service_id: str, change: ServiceChange) -> ServiceState:
    service = services.service_get(tx, service_id)
    changed = services.change_service(tx, call.ctx, service, change)
    return services.states(tx, call.tools.health, [changed])[0]


def _delete(tx: Tx, call: Call, service_id: str) -> None:
    if call.version >= (2, 53):
        service = services.service_get(tx, check_uuid(service_id))
    else:
        service = services.service_get(tx, row_number(service_id))
    services.delete_service(tx, call.ctx, service)


def _wanted(body: UpdateBody) -> ServiceChange:
    if body.status is None and body.forced_down is None:
        raise Invalid(
            "No updates were requested. Fields 'status' or 'forced_down' should be specified."
        )
    if body.status == "enabled" and body.disabled_reason:
        raise Invalid("Specifying 'disabled_reason' with status 'enabled' is invalid.")
    return ServiceChange(
        is_disabled=None if body.status is None else body.status == "disabled",
        disabled_reason=body.disabled_reason,
        is_forced_down=body.forced_down,
    )


def _view(call: Call, state: ServiceState) -> ServiceView:
    service = state.service
    return ServiceView(
        id=service.uuid if call.version >= (2, 53) else service.id,
        binary=service.binary,
        host=service.host,
        zone=state.zone,
        status="disabled" if service.is_disabled else "enabled",
        state="up" if state.is_up else "down",
        updated_at=clock.iso_bare(service.seen_at),
        disabled_reason=service.disabled_reason,
        forced_down=service.is_forced_down,
    )
