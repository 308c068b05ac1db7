"""Availability zones of back ends."""

from typing import TypeAlias

import msgspec

from cumulo.services.volume import backends
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()


class ZoneState(msgspec.Struct, rename="camel"):
    """Whether volumes can be made in a zone."""

    available: bool


class ZoneView(msgspec.Struct, rename="camel"):
    """A zone."""

    zone_name: str
    zone_state: ZoneState


class ZonesBody(msgspec.Struct):
    """Zones."""

    zones: list[ZoneView] = msgspec.field(name="availabilityZoneInfo")


@routes.get("/v3/os-availability-zone", policy="")
def list_availability_zones(call: Call) -> ZonesBody:
    """List the availability zones that volumes can be made in."""
    zones = {call.tools.settings.default_availability_zone: False}
    for one in call.db.read(backends.list_backends):
        usable = not one.is_disabled
        zones[one.availability_zone] = zones.get(one.availability_zone, False) or usable
    return ZonesBody([ZoneView(name, ZoneState(usable)) for name, usable in sorted(zones.items())])
