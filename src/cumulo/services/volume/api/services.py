"""Back ends as services: on, off, frozen."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit import clock
from cumulo.kit.clock import iso_bare
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.volume import backends
from cumulo.services.volume.api.fields import Name
from cumulo.services.volume.backends import SERVICE, Backend, Change
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_RULE = "volume_extension:services"
HostName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class ServiceView(msgspec.Struct, kw_only=True):
    """A service."""

    binary: str
    host: str
    zone: str
    status: str
    state: str
    updated_at: str
    disabled_reason: str | UnsetType | None = UNSET
    replication_status: str | UnsetType = UNSET
    active_backend_id: str | UnsetType | None = UNSET
    frozen: bool | UnsetType = UNSET
    cluster: Annotated[str | None, since("3.7")] = None
    backend_state: Annotated[str | UnsetType, since("3.49")] = UNSET


class ServicesBody(msgspec.Struct):
    """Services."""

    services: list[ServiceView]


class Which(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A service, by its host and what it is."""

    host: HostName
    binary: Name | None = None
    service: Name | None = None


class WhichAndWhy(Which, forbid_unknown_fields=True, kw_only=True):
    """A service, and why it is disabled."""

    disabled_reason: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]


class WhichHost(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A back end."""

    host: HostName


class Failover(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A back end, and which of its replicas is to be used."""

    host: HostName | None = None
    cluster: Annotated[Name | None, since("3.26")] = None
    backend_id: Name | None = None


class ChangedBody(msgspec.Struct, kw_only=True):
    """A service that was changed."""

    host: str
    service: str = SERVICE
    binary: str = SERVICE
    disabled: bool
    status: str
    disabled_reason: str | UnsetType = UNSET


class ServiceQuery(msgspec.Struct):
    """Which services."""

    host: str | None = None
    binary: str | None = None


@routes.get("/v3/os-services", policy=f"{_RULE}:index")
def list_services(call: Call, query: ServiceQuery) -> ServicesBody:
    """List services: the scheduler, and one for each back end."""
    found = [_scheduler(call), *(_show(one) for one in call.db.read(backends.list_backends))]
    return ServicesBody(
        [
            one
            for one in found
            if query.host in (None, one.host, one.host.partition("@")[0])
            and query.binary in (None, one.binary)
        ]
    )


@routes.put("/v3/os-services/enable", policy=f"{_RULE}:update")
def enable_service(call: Call, body: Which) -> ChangedBody:
    """Let volumes be put into a back end again."""
    return _changed(call, body, Change(is_disabled=False))


@routes.put("/v3/os-services/disable", policy=f"{_RULE}:update")
def disable_service(call: Call, body: Which) -> ChangedBody:
    """Let no volumes be put into a back end any more."""
    return _changed(call, body, Change(is_disabled=True))


@routes.put("/v3/os-services/disable-log-reason", policy=f"{_RULE}:update")
def disable_service_with_reason(call: Call, body: WhichAndWhy) -> ChangedBody:
    """Let no volumes be put into a back end any more, and say why."""
    return _changed(call, body, Change(is_disabled=True, disabled_reason=body.disabled_reason))


@routes.put("/v3/os-services/freeze", policy="volume:freeze_host")
def freeze_host(call: Call, body: WhichHost) -> None:
    """Let nothing be changed in a back end."""
    _freeze(call, body.host, is_frozen=True)


@routes.put("/v3/os-services/thaw", policy="volume:thaw_host")
def thaw_host(call: Call, body: WhichHost) -> None:
    """Let it be changed again."""
    _freeze(call, body.host, is_frozen=False)


@routes.put("/v3/os-services/failover_host", policy="volume:failover_host", status=202)
def fail_over_host(call: Call, body: Failover) -> None:
    """Use another back end in the place of one: refused, none here has a replica."""
    _refuse_failover(call, body.host or "")


@routes.put("/v3/os-services/failover", policy="volume:failover_host", status=202, since="3.26")
def fail_over(call: Call, body: Failover) -> None:
    """Use another back end in the place of one or of a cluster's: refused, none has a replica."""
    if body.cluster:
        raise NotFound(f"Cluster {body.cluster} could not be found.", cluster=body.cluster)
    _refuse_failover(call, body.host or "")


def _refuse_failover(call: Call, host: str) -> None:
    if not host:
        raise Invalid("Invalid input received: host or cluster must be given.", field="host")
    found = call.db.read(backends.backend_get, host)
    raise Invalid(
        f"Invalid input received: {SERVICE} on {found.host} must have replication_status enabled "
        "or failed-over, but it is disabled: back ends here have no replicas."
    )


def _freeze(call: Call, host: str, *, is_frozen: bool) -> None:
    known = {one.host for one in call.db.read(backends.list_backends)}
    if host.partition("#")[0] not in known:
        raise Invalid(f"Host {host} could not be found.", field="host")
    call.db.write(backends.change, call.ctx, host, Change(is_frozen=is_frozen))


def _changed(call: Call, which: Which, change: Change) -> ChangedBody:
    if (which.binary or which.service or SERVICE) != SERVICE:
        raise NotFound(f"Service {which.binary or which.service} could not be found.")
    after = call.db.write(backends.change, call.ctx, which.host, change)
    return ChangedBody(
        host=after.host,
        disabled=after.is_disabled,
        status="disabled" if after.is_disabled else "enabled",
        disabled_reason=after.disabled_reason or UNSET,
    )


def _scheduler(call: Call) -> ServiceView:
    """Show the scheduler, which is a part of every worker and hence of who answers."""
    return ServiceView(
        binary="cinder-scheduler",
        host=call.tools.host,
        zone=call.tools.settings.default_availability_zone,
        status="enabled",
        state="up",
        updated_at=iso_bare(clock.now()),
        disabled_reason=None,
    )


def _show(one: Backend) -> ServiceView:
    return ServiceView(
        binary=SERVICE,
        host=one.host,
        zone=one.availability_zone,
        status="disabled" if one.is_disabled else "enabled",
        state="up" if backends.is_up(one) else "down",
        updated_at=iso_bare(one.seen_at),
        disabled_reason=one.disabled_reason,
        replication_status="disabled",
        active_backend_id=None,
        frozen=one.is_frozen,
        backend_state="down" if one.trouble else "up",
    )
