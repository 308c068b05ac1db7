"""Availability zones, as users choose them and as administrators see into them."""

from typing import TypeAlias

import msgspec

from cumulo.kit import clock
from cumulo.services.compute import availability_zones
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.availability_zones import Zone
from cumulo.services.compute.services import INTERNAL_ZONE
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-availability-zone"


class ZoneState(msgspec.Struct):
    """Whether a zone takes new servers."""

    available: bool


class ServiceState(msgspec.Struct):
    """Whether a service of a host takes part."""

    available: bool
    active: bool
    updated_at: str


class ZoneView(msgspec.Struct, kw_only=True):
    """A zone; `hosts` is for administrators."""

    name: str = msgspec.field(name="zoneName")
    state: ZoneState = msgspec.field(name="zoneState")
    hosts: dict[str, dict[str, ServiceState]] | None = None


class ZonesBody(msgspec.Struct):
    """All zones."""

    zones: list[ZoneView] = msgspec.field(name="availabilityZoneInfo")


@routes.get("/v2.1/os-availability-zone", policy=f"{_RULE}:list")
def list_availability_zones(call: Call) -> ZonesBody:
    """List the zones that servers may be created in."""
    check_known(call, since=(2, 102))
    zones = call.db.read(availability_zones.list_zones, call.tools.health)
    shown = [zone for zone in zones if zone.name != INTERNAL_ZONE]
    return ZonesBody([ZoneView(name=z.name, state=ZoneState(z.is_available)) for z in shown])


@routes.get("/v2.1/os-availability-zone/detail", policy=f"{_RULE}:detail")
def list_availability_zones_with_details(call: Call) -> ZonesBody:
    """List all zones with their hosts and services."""
    check_known(call, since=(2, 102))
    zones = call.db.read(availability_zones.list_zones, call.tools.health)
    return ZonesBody([_view(zone) for zone in zones])


def _view(zone: Zone) -> ZoneView:
    hosts: dict[str, dict[str, ServiceState]] = {}
    for state in zone.services:
        hosts.setdefault(state.service.host, {})[state.service.binary] = ServiceState(
            available=state.is_up,
            active=not state.service.is_disabled,
            updated_at=clock.iso_bare(state.service.seen_at),
        )
    return ZoneView(
        name=zone.name,
        state=ZoneState(zone.is_available),
        hosts=hosts if zone.is_available else None,
    )
