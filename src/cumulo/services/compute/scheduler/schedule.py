"""The choice of a host and the allocation on it, in one transaction."""

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import CloudError, Conflict
from cumulo.node.api import HostFacts
from cumulo.services.compute import server_groups
from cumulo.services.compute.scheduler.filters import FILTERS
from cumulo.services.compute.scheduler.hosts import Demand, HostState
from cumulo.services.compute.scheduler.weighers import in_order
from cumulo.services.compute.services import COMPUTE, Health
from cumulo.services.compute.store import aggregates as aggregate_rows
from cumulo.services.compute.store import hypervisors as hypervisor_rows
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.store.servers import Server
from cumulo.services.placement import public as placement

_LEADING = "No valid host was found. "


class NoValidHost(CloudError):
    """No host will do; the message names each with the filter that rejected it and the figures."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of the scheduler besides what the server itself says."""

    host: str | None = None
    forced: bool = False
    excluded: dict[str, str] = {}


def schedule(tx: Tx, server: Server, wishes: Wishes, health: Health) -> HostState:
    """Choose a host for the server and claim its resources there; raise `NoValidHost`."""
    demand = _demand(tx, server, wishes)
    # What an earlier try holds must not count against this one.
    placement.release(tx, server.id)
    roomy = {found.name: found for found in placement.candidates(tx, demand.resources)}
    refusals: dict[str, str] = {}
    fit = []
    for host in host_states(tx, health):
        why = rejection(host, demand)
        if why is None and host.name in roomy:
            fit.append(_measured(host, roomy[host.name]))
        elif why is not None:
            refusals[host.name] = why
    for host in in_order(fit):
        try:
            amounts = {host.provider_id: demand.resources}
            placement.claim(tx, server.id, server.project_id, server.user_id, amounts)
        except Conflict as error:
            refusals[host.name] = f"Placement: {error.message}"
        else:
            return host
    refusals = {**_shortfalls(tx, demand), **refusals}
    raise NoValidHost(_words(refusals), hosts=refusals)


def _shortfalls(tx: Tx, demand: Demand) -> dict[str, str]:
    """Say of each host without room what it lacks; only a refusal needs to know."""
    found = placement.shortfalls(tx, demand.resources)
    return {short.name: f"Placement: {'; '.join(short.reasons)}" for short in found}


def host_states(tx: Tx, health: Health) -> list[HostState]:
    """Return every host that runs guests, with what filters may know of it."""
    services = {service.host: service for service in service_rows.service_list(tx, binary=COMPUTE)}
    zones = aggregate_rows.zones_of_hosts(tx)
    counts = store.counts_on_hosts(tx)
    properties: dict[str, list[dict[str, str]]] = {}
    for aggregate in aggregate_rows.aggregate_list(tx):
        for name in aggregate.hosts:
            properties.setdefault(name, []).append(aggregate.metadata)
    return [
        HostState(
            provider_id=one.uuid,
            name=one.name,
            is_up=health.is_up(services[one.name]),
            is_enabled=not services[one.name].is_disabled,
            disabled_reason=services[one.name].disabled_reason,
            zone=zones.get(one.name, health.default_zone),
            aggregates=properties.get(one.name, []),
            capabilities=_capabilities(one.facts),
            servers=counts.get(one.name, 0),
        )
        for one in hypervisor_rows.hypervisor_list(tx)
        if one.name in services
    ]


def _capabilities(facts: HostFacts) -> dict[str, str]:
    return {
        "hypervisor_type": facts.hypervisor_type,
        "hypervisor_version": str(facts.hypervisor_version),
        "arch": facts.architecture,
        "cpu_info:vendor": facts.cpu_vendor,
        "cpu_info:model": facts.cpu_model,
        "cpu_info:features": ",".join(facts.cpu_features),
    }


def rejection(host: HostState, demand: Demand) -> str | None:
    """Return the first filter that rejects a host, with its reason, or None."""
    if demand.forced and host.name == demand.host:
        return None
    for name, check in FILTERS.items():
        why = check(host, demand)
        if why is not None:
            return f"{name}: {why}"
    return None


def resources_of(server: Server) -> dict[str, int]:
    """Return what a server takes, by placement's classes; swap counts in whole GiB."""
    flavor = server.flavor
    root = flavor["root_gib"] if server.image_id is not None else 0  # else it is a volume
    disk = root + flavor["ephemeral_gib"] + -(-flavor["swap_mib"] // 1024)
    wanted = {"VCPU": server.vcpus, "MEMORY_MB": server.memory_mib, "DISK_GB": disk}
    for key, value in flavor["extra_specs"].items():
        if key.startswith("resources:") and str(value).isdigit():
            wanted[key.removeprefix("resources:")] = int(value)
    return {name: amount for name, amount in wanted.items() if amount}


def _demand(tx: Tx, server: Server, wishes: Wishes) -> Demand:
    group = server_groups.group_of(tx, server.id)
    named = [str(s) for hint in ("same_host", "different_host") for s in _ids(server, hint)]
    others = [s for s in group.members if s != server.id] if group else []
    where = store.hosts_of(tx, [*named, *others])
    there: dict[str, int] = {}
    for other in others:
        if where.get(other):
            there[where[other]] = there.get(where[other], 0) + 1
    return Demand(
        server_id=server.id,
        project_id=server.project_id,
        resources=resources_of(server),
        zone=server.availability_zone,
        host=wishes.host,
        forced=wishes.forced,
        excluded=wishes.excluded,
        extra_specs=server.flavor["extra_specs"],
        image_properties=server.image_properties,
        hints=server.scheduler_hints,
        group_policy=group.policy if group else None,
        group_most=(group.max_server_per_host or 1) if group else 1,
        group_hosts=there,
        hosts_of_servers=where,
    )


def _ids(server: Server, hint: str) -> list[str]:
    value = server.scheduler_hints.get(hint, [])
    return value if isinstance(value, list) else [value]


def _measured(host: HostState, candidate: placement.Candidate) -> HostState:
    free = {name: figures.free for name, figures in candidate.figures.items()}
    return msgspec.structs.replace(host, free=free)


def _words(refusals: dict[str, str]) -> str:
    if not refusals:
        return f"{_LEADING}There are no hosts: no node has reported yet."
    told = [f"{name}: {why}" for name, why in sorted(refusals.items())]
    return f"{_LEADING}{'. '.join(told)}."
