"""The parts of compute on their hosts: whether they live, and whether they get new servers."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.compute.store import aggregates as aggregate_rows
from cumulo.services.compute.store import hypervisors as hypervisor_rows
from cumulo.services.compute.store import services as store
from cumulo.services.compute.store.services import Service as Service
from cumulo.services.placement import public as placement
from cumulo.work import events

COMPUTE, SCHEDULER, CONDUCTOR = "nova-compute", "nova-scheduler", "nova-conductor"
INTERNAL_ZONE = "internal"
DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """A service with what follows from its row: where it is and whether it lives."""

    service: Service
    zone: str
    is_up: bool


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What decides where a service is and whether it lives."""

    down_after_s: int = 60
    default_zone: str = "nova"

    def is_up(self, service: Service) -> bool:
        """Say whether the service was heard of lately and is not declared dead."""
        silence = clock.now() - service.seen_at
        return not service.is_forced_down and silence <= timedelta(seconds=self.down_after_s)


def states(tx: Tx, health: Health, found: Sequence[Service]) -> list[ServiceState]:
    """Return services with their zones and whether they live."""
    zones = aggregate_rows.zones_of_hosts(tx, {service.host for service in found})
    return [
        ServiceState(
            service=service,
            zone=zones.get(service.host, health.default_zone)
            if service.binary == COMPUTE
            else INTERNAL_ZONE,
            is_up=health.is_up(service),
        )
        for service in found
    ]


def list_services(
    tx: Tx, health: Health, *, host: str | None = None, binary: str | None = None
) -> list[ServiceState]:
    """Return the services on a host or of a name, or all."""
    return states(tx, health, store.service_list(tx, host=host, binary=binary))


def down_hosts(tx: Tx, health: Health) -> set[str]:
    """Return the hosts of guests that do not live, or are declared dead."""
    found = store.service_list(tx, binary=COMPUTE)
    return {service.host for service in found if not health.is_up(service)}


def compute_hosts(tx: Tx) -> list[str]:
    """Return the names of all hosts of guests."""
    return sorted(service.host for service in store.service_list(tx, binary=COMPUTE))


def service_get(tx: Tx, service_id: int | str) -> Service:
    """Return a service; only operations for administrators ask for one."""
    return store.service_get(tx, service_id)


def compute_service(tx: Tx, host: str, binary: str = COMPUTE) -> Service:
    """Return the compute service of a host, which is the only one that can be changed."""
    _check_compute(binary)
    found = store.service_find(tx, host, binary)
    if found is None:
        raise NotFound(f"Could not find binary {binary} on host {host}.", host=host)
    return found


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a service; None leaves it."""

    is_disabled: bool | None = None
    disabled_reason: str | None = None
    is_forced_down: bool | None = None


def change_service(tx: Tx, ctx: Context, service: Service, change: ServiceChange) -> Service:
    """Let a host have new servers or not, or declare it dead or not."""
    _check_compute(service.binary)
    values: dict[str, object] = {}
    if change.is_disabled is not None:
        reason = change.disabled_reason if change.is_disabled else None
        values |= {"is_disabled": change.is_disabled, "disabled_reason": reason}
    if change.is_forced_down is not None:
        values["is_forced_down"] = change.is_forced_down
    store.service_change(tx, service.id, **values)
    changed = store.service_get(tx, service.id)
    _tell_placement(tx, changed)
    events.record(
        tx,
        ctx,
        resource="service",
        resource_id=service.uuid,
        action="update",
        before=service,
        after=changed,
    )
    return changed


def delete_service(tx: Tx, ctx: Context, service: Service) -> None:
    """Forget a service, with its host when it is a compute service that holds no guests."""
    if service.binary == COMPUTE:
        _delete_hypervisor(tx, service.host)
    store.service_delete(tx, service.id)
    events.record(
        tx, ctx, resource="service", resource_id=service.uuid, action="delete", before=service
    )


def remove_host(tx: Tx, ctx: Context, host: str) -> None:
    """Forget a host that is no longer part of the cloud, unless servers are on it."""
    for service in store.service_list(tx, host=host, binary=COMPUTE):
        delete_service(tx, ctx, service)


def _delete_hypervisor(tx: Tx, host: str) -> None:
    found = hypervisor_rows.hypervisor_find(tx, host)
    if hypervisor_rows.guests_on(tx, [host])[host]:
        raise Conflict(
            "Unable to delete compute service that is hosting instances. Migrate or delete the "
            "instances first.",
            host=host,
        )
    if found is not None:
        placement.delete_provider(tx, found.uuid)
        hypervisor_rows.hypervisor_delete(tx, host)
    for aggregate in aggregate_rows.aggregate_list(tx, host=host):
        aggregate_rows.aggregate_remove_host(tx, aggregate.id, host)


def _tell_placement(tx: Tx, service: Service) -> None:
    """Keep new servers off a disabled host: its provider says so by a trait."""
    found = hypervisor_rows.hypervisor_find(tx, service.host)
    if found is None:
        return
    if service.is_disabled:
        placement.change_traits(tx, found.uuid, add=[DISABLED_TRAIT])
    else:
        placement.change_traits(tx, found.uuid, remove=[DISABLED_TRAIT])


def _check_compute(binary: str) -> None:
    if binary != COMPUTE:
        raise Invalid(
            f"Updating a {binary} service is not supported. Only nova-compute services can be "
            "updated.",
            field="binary",
        )
