"""Back ends under the name that old clients know: hosts."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.clock import iso_bare
from cumulo.services.volume import backends, host_usages
from cumulo.services.volume.backends import Backend
from cumulo.services.volume.host_usages import Usage
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_RULE = "volume_extension:hosts"


class HostView(msgspec.Struct, kw_only=True):
    """A host."""

    host_name: str
    service: str
    zone: str
    status: str = msgspec.field(name="service-status")
    state: str = msgspec.field(name="service-state")
    last_update: str = msgspec.field(name="last-update")


class HostsBody(msgspec.Struct):
    """Hosts."""

    hosts: list[HostView]


class ResourceView(msgspec.Struct):
    """What a project has on a host."""

    resource: dict[str, str]


class HostBody(msgspec.Struct):
    """What there is on a host."""

    host: list[ResourceView]


@routes.get("/v3/os-hosts", policy=_RULE)
def list_hosts(call: Call) -> HostsBody:
    """List the hosts that are enabled."""
    found = call.db.read(backends.list_backends)
    zone = call.filters.get("zone", [""])[-1]
    shown = [_scheduler(call), *(_show(one) for one in found if not one.is_disabled)]
    return HostsBody([one for one in shown if zone in ("", one.zone)])


@routes.get("/v3/os-hosts/{host}", policy=_RULE)
def show_host(call: Call, host: str) -> HostBody:
    """Show what there is on a host, in all and of each project."""
    return HostBody(call.db.read(_usages, host))


def _usages(tx: Tx, host: str) -> list[ResourceView]:
    found = host_usages.usages_on(tx, backends.backend_get(tx, host))
    counted = [(0, 0, 0, 0), *(one[1:] for one in found)]
    total = Usage("(total)", *(sum(column) for column in zip(*counted, strict=True)))
    return [
        ResourceView(
            {
                "host": host,
                "project": one.project_id,
                "volume_count": str(one.volumes),
                "total_volume_gb": str(one.volume_gib),
                "snapshot_count": str(one.snapshots),
                "total_snapshot_gb": str(one.snapshot_gib),
            }
        )
        for one in (total, *found)
    ]


def _scheduler(call: Call) -> HostView:
    return HostView(
        host_name=call.tools.host,
        service="cinder-scheduler",
        zone=call.tools.settings.default_availability_zone,
        status="available",
        state="enabled",
        last_update=iso_bare(clock.now()),
    )


def _show(one: Backend) -> HostView:
    return HostView(
        host_name=one.host,
        service=backends.SERVICE,
        zone=one.availability_zone,
        status="available" if backends.is_up(one) else "unavailable",
        state="disabled" if one.is_disabled else "enabled",
        last_update=iso_bare(one.seen_at),
    )
