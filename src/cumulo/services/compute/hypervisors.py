"""Hypervisors: the hosts that guests run on, what they have, and how much of it is taken."""

from collections.abc import Sequence

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.node.api import HostFacts
from cumulo.services.compute.host_traits import traits_of
from cumulo.services.compute.services import COMPUTE, Health
from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.compute.store import hypervisors as store
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.store.hypervisors import Guest as Guest
from cumulo.services.compute.store.hypervisors import Hypervisor as Hypervisor
from cumulo.services.compute.store.services import Service
from cumulo.services.placement import public as placement

_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")


class HypervisorState(msgspec.Struct, frozen=True, kw_only=True):
    """A hypervisor with its service and what its guests take."""

    hypervisor: Hypervisor
    service: Service
    is_up: bool
    vcpus_used: int
    memory_mib_used: int
    disk_gib_used: int
    guests: list[Guest] = []

    @property
    def busy_guests(self) -> int:
        """Return how many servers something is being done to."""
        return sum(guest.is_busy for guest in self.guests)


def report(tx: Tx, facts: HostFacts, settings: ComputeSettings) -> Hypervisor:
    """Take down what a host says: that it lives, what it is, and what it has to share out."""
    hypervisor = store.hypervisor_report(tx, facts)
    service_rows.service_seen(tx, facts.name, COMPUTE)
    placement.ensure_provider(tx, hypervisor.uuid, facts.name)
    placement.set_inventory(tx, hypervisor.uuid, _inventory(tx, hypervisor, settings))
    placement.ensure_traits(tx, hypervisor.uuid, traits_of(facts))
    return hypervisor


def hypervisor_get(tx: Tx, health: Health, hypervisor_id: int | str) -> HypervisorState:
    """Return a hypervisor; only operations for administrators ask for one."""
    found = _states(tx, health, [store.hypervisor_get(tx, hypervisor_id)])
    if not found:
        raise NotFound(f"Hypervisor with ID '{hypervisor_id}' could not be found.")
    return found[0]


def list_hypervisors(
    tx: Tx, health: Health, *, marker: int | str | None = None, limit: int | None = None
) -> list[HypervisorState]:
    """Return hypervisors after the one with the number or UUID `marker`."""
    after_id = _row_of(tx, marker) if marker is not None else None
    return _states(tx, health, store.hypervisor_list(tx, after_id=after_id, limit=limit))


def matching_hypervisors(tx: Tx, health: Health, name_part: str) -> list[HypervisorState]:
    """Return the hypervisors whose names contain `name_part`, of which there must be some."""
    found = store.hypervisor_list(tx, name_part=name_part)
    if not found:
        raise NotFound(f"No hypervisor matching '{name_part}' could be found.")
    return _states(tx, health, found)


def hypervisor_on(tx: Tx, health: Health, host: str) -> HypervisorState:
    """Return the hypervisor of a host; only operations for administrators ask for one."""
    found = store.hypervisor_find(tx, host)
    states = _states(tx, health, [found] if found else [])
    if not states:
        raise NotFound(f"Compute host {host} could not be found.", host=host)
    return states[0]


def hypervisor_of(tx: Tx, host: str) -> Hypervisor | None:
    """Return the hypervisor of a host."""
    return store.hypervisor_find(tx, host)


def _row_of(tx: Tx, marker: int | str) -> int:
    try:
        return store.hypervisor_get(tx, marker).id
    except NotFound:
        raise Invalid(f"marker [{marker}] not found", marker=marker) from None


def _states(tx: Tx, health: Health, found: Sequence[Hypervisor]) -> list[HypervisorState]:
    services = {service.host: service for service in service_rows.service_list(tx, binary=COMPUTE)}
    figures = placement.figures(tx, [one.uuid for one in found])
    guests = store.guests_on(tx, {one.name for one in found})
    states = []
    for one in found:
        # A service can be deleted while its host still reports; it comes back with the next one.
        service = services.get(one.name)
        if service is None:
            continue
        used = {name: each.used for name, each in figures.get(one.uuid, {}).items()}
        states.append(
            HypervisorState(
                hypervisor=one,
                service=service,
                is_up=health.is_up(service),
                vcpus_used=used.get("VCPU", 0),
                memory_mib_used=used.get("MEMORY_MB", 0),
                disk_gib_used=used.get("DISK_GB", 0),
                guests=guests[one.name],
            )
        )
    return states


def _inventory(
    tx: Tx, hypervisor: Hypervisor, settings: ComputeSettings
) -> dict[str, placement.Inventory]:
    """Return what a host has; an allocation ratio that placement holds already stays."""
    facts = hypervisor.facts
    known = placement.figures(tx, [hypervisor.uuid]).get(hypervisor.uuid, {})
    totals = (facts.vcpus, facts.memory_mib, facts.disk_gib)
    reserved = (
        settings.reserved_host_cpus,
        settings.reserved_host_memory_mb,
        -(-settings.reserved_host_disk_mb // 1024),
    )
    ratios = (
        settings.initial_cpu_allocation_ratio,
        settings.initial_ram_allocation_ratio,
        settings.initial_disk_allocation_ratio,
    )
    return {
        name: placement.Inventory(
            total=total,
            reserved=min(kept, total),
            max_unit=total,
            allocation_ratio=known[name].allocation_ratio if name in known else ratio,
        )
        for name, total, kept, ratio in zip(_CLASSES, totals, reserved, ratios, strict=True)
        if total > 0
    }
