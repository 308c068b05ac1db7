"""Availability zones: where hosts are, as far as users may choose between them."""

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.compute import services
from cumulo.services.compute.services import Health, ServiceState
from cumulo.services.compute.store import aggregates as aggregate_rows
from cumulo.services.compute.store import services as service_rows


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone with the services in it that take part."""

    name: str
    is_available: bool
    services: list[ServiceState] = []


def list_zones(tx: Tx, health: Health) -> list[Zone]:
    """Return the zones: first those with a service that is enabled, then the others."""
    found = services.list_services(tx, health)
    enabled: dict[str, list[ServiceState]] = {}
    for state in found:
        if not state.service.is_disabled:
            enabled.setdefault(state.zone, []).append(state)
    rest = sorted({state.zone for state in found} - enabled.keys())
    return [
        *(Zone(name=n, is_available=True, services=enabled[n]) for n in sorted(enabled)),
        *(Zone(name=n, is_available=False) for n in rest),
    ]


def zone_of_host(tx: Tx, host: str, default: str = "nova") -> str:
    """Return the zone that a compute host is in."""
    return aggregate_rows.zones_of_hosts(tx, [host]).get(host, default)


def hosts_in_zone(tx: Tx, zone: str, default: str = "nova") -> list[str]:
    """Return the compute hosts in a zone, in order."""
    rows = service_rows.service_list(tx, binary=services.COMPUTE)
    zones = aggregate_rows.zones_of_hosts(tx)
    return sorted(row.host for row in rows if zones.get(row.host, default) == zone)


def check_zone(tx: Tx, name: str, health: Health) -> None:
    """Refuse a zone that takes no servers."""
    if not any(zone.name == name and zone.is_available for zone in list_zones(tx, health)):
        raise Invalid(
            f"The requested availability zone is not available: {name}.", field="availability_zone"
        )


def check_pin(tx: Tx, name: str, host: str | None, health: Health) -> None:
    """Refuse a zone to stay in that takes no servers, or that the server is not in."""
    check_zone(tx, name, health)
    if host is not None and (zone := zone_of_host(tx, host, health.default_zone)) != name:
        raise Conflict(f"The server is in availability zone {zone}, not {name}.", zone=zone)
