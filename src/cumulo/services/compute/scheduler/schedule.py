"""The choice of a host and the allocation on it, in one transaction."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import CloudError, Conflict, Invalid
from cumulo.node.api import HostFacts
from cumulo.services.compute import networking, numa, server_groups
from cumulo.services.compute.scheduler.filters import (
    hinted,
    image_properties_filter,
    numa_topology_filter,
)
from cumulo.services.compute.scheduler.hosts import Demand, HostState
from cumulo.services.compute.scheduler.verdicts import (
    PLACEMENT,
    reasons_against,
    reasons_of_room,
    would_fit,
)
from cumulo.services.compute.scheduler.weighers import in_order
from cumulo.services.compute.server_groups import ServerGroup
from cumulo.services.compute.services import COMPUTE, Health
from cumulo.services.compute.store import aggregates as aggregate_rows
from cumulo.services.compute.store import decisions as decision_rows
from cumulo.services.compute.store import hypervisors as hypervisor_rows
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.store.decisions import Decision, Reason, Verdict
from cumulo.services.compute.store.servers import Server
from cumulo.services.placement import public as placement

_LEADING = "No valid host was found. "
_KEPT_HOSTS = 1000  # of a decision
_KEPT_FOR = timedelta(days=30)


class NoValidHost(CloudError):
    """No host will do; the message names each with the filter that rejected it and the figures."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of the scheduler besides what the server itself says."""

    host: str | None = None
    forced: bool = False
    excluded: dict[str, str] = {}


def schedule(tx: Tx, server: Server, wishes: Wishes, health: Health) -> HostState:
    """Choose a host for the server and claim its resources there; raise `NoValidHost`.

    The choice is kept with all that was found out about the hosts.
    """
    demand = _demand(tx, server, wishes)
    # What an earlier try holds must not count against this one.
    placement.release(tx, server.id)
    fit, verdicts = _judged(tx, demand, health)
    for host in fit:
        try:
            cards = networking.claimable_bandwidth(tx, host.provider_id, demand.groups)
            amounts = {host.provider_id: demand.resources, **cards}
            # Gives back what it took when others, where many write at once, took the rest.
            with tx.begin_nested():
                placement.claim(tx, server.id, server.project_id, server.user_id, amounts)
        except Conflict as error:
            verdicts = _refused(verdicts, host.name, error.message)
        else:
            _keep(tx, server.id, _decision(demand, host.name, verdicts))
            return host
    raise NoValidHost(_words(verdicts), hosts=[verdict.host for verdict in verdicts])


def preview(tx: Tx, demand: Demand, health: Health) -> Decision:
    """Say where a server would go now, and why not elsewhere; nothing is taken."""
    fit, verdicts = _judged(tx, demand, health)
    return _decision(demand, fit[0].name if fit else None, verdicts)


def keep_refusal(tx: Tx, server: Server, wishes: Wishes, health: Health) -> None:
    """Keep what was found out about the hosts of which none would do."""
    found = preview(tx, _demand(tx, server, wishes), health)
    _keep(tx, server.id, msgspec.structs.replace(found, host=None))


def decisions_of(tx: Tx, server_id: str) -> list[Decision]:
    """Return what was decided about a server, the newest first."""
    return decision_rows.decisions_of(tx, server_id)


def forget_decisions(tx: Tx) -> bool:
    """Forget some decisions that are old; say whether there may be more."""
    return decision_rows.decisions_prune(tx, clock.now() - _KEPT_FOR)


def _keep(tx: Tx, server_id: str, decision: Decision) -> None:
    kept = msgspec.structs.replace(decision, hosts=decision.hosts[:_KEPT_HOSTS])
    decision_rows.decision_insert(tx, server_id, kept)


def _decision(demand: Demand, host: str | None, verdicts: list[Verdict]) -> Decision:
    return Decision(
        at=clock.now(),
        host=host,
        requested=demand.resources,
        hosts=verdicts,
        would_fit=[] if host is not None else would_fit(verdicts),
    )


def _judged(tx: Tx, demand: Demand, health: Health) -> tuple[list[HostState], list[Verdict]]:
    """Return the hosts that will do, best first, and what was found out about each."""
    required, forbidden = demand.required, demand.forbidden
    candidates = placement.candidates(tx, demand.resources, required, forbidden=forbidden)
    roomy = {found.name: found for found in candidates}
    every = host_states(tx, health)
    against = {host.name: reasons_against(host, demand) for host in every}
    if any(host.name not in roomy for host in every):
        for short in placement.shortfalls(tx, demand.resources, required, forbidden=forbidden):
            if short.name in against:
                lacks = reasons_of_room(demand, short.figures, short.reasons)
                against[short.name] = [*against[short.name], *lacks]
    for host in every if demand.groups else []:
        if host.name in roomy:
            against[host.name] = [*against[host.name], *_lack_of_bandwidth(tx, host, demand)]
    names = [host.name for host in every]
    for name, why in networking.out_of_segments(tx, demand.server_id, names).items():
        remedy = "give the host a way into a segment of the network, or the port other addresses"
        against[name].append(Reason(filter="Segments", reason=why, remedy=remedy))
    fit = [
        _measured(host, roomy[host.name])
        for host in every
        if host.name in roomy and not against[host.name]
    ]
    weighed = in_order(fit)
    verdicts = [
        Verdict(host=host.name, free=host.free, servers=host.servers, weight=weight)
        for host, weight in weighed
    ]
    verdicts += [
        Verdict(host=host.name, reasons=against[host.name], servers=host.servers)
        for host in sorted(every, key=lambda host: host.name)
        if against[host.name]
    ]
    return [host for host, _ in weighed], verdicts


def _lack_of_bandwidth(tx: Tx, host: HostState, demand: Demand) -> list[Reason]:
    """Return what the host's cards cannot give to the server's ports."""
    try:
        networking.claimable_bandwidth(tx, host.provider_id, demand.groups)
    except Conflict as error:
        remedy = "ask for a lower minimum of bandwidth, or move servers away from there"
        return [Reason(filter=PLACEMENT, reason=error.message, remedy=remedy)]
    return []


def _refused(verdicts: list[Verdict], name: str, why: str) -> list[Verdict]:
    reason = Reason(filter=PLACEMENT, reason=why, remedy="try again: others took the room")
    return [
        msgspec.structs.replace(one, reasons=[reason], weight=None) if one.host == name else one
        for one in verdicts
    ]


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
            memory_nodes=one.facts.memory_nodes,
            servers=counts.get(one.name, 0),
        )
        for one in hypervisor_rows.hypervisor_list(tx)
        if one.name in services
    ]


def refusal_of_image(
    tx: Tx, host: str, flavor: Mapping[str, Any], image: Mapping[str, str]
) -> str | None:
    """Say why a server of a host cannot be made anew there from another image, if so."""
    for one in hypervisor_rows.hypervisor_list(tx):
        if one.name == host:
            state = HostState(
                provider_id=one.uuid,
                name=one.name,
                is_up=True,
                is_enabled=True,
                disabled_reason=None,
                zone="",
                capabilities=_capabilities(one.facts),
                memory_nodes=one.facts.memory_nodes,
            )
            demand = Demand(
                server_id="",
                project_id="",
                resources={},
                memory_nodes=memory_nodes_for(flavor, image),
                image_properties=image,
            )
            return image_properties_filter(state, demand) or numa_topology_filter(state, demand)
    return None


def _capabilities(facts: HostFacts) -> dict[str, str]:
    return {
        "hypervisor_type": facts.hypervisor_type,
        "hypervisor_version": str(facts.hypervisor_version),
        "arch": facts.architecture,
        "cpu_info:vendor": facts.cpu_vendor,
        "cpu_info:model": facts.cpu_model,
        "cpu_info:features": ",".join(facts.cpu_features),
    }


def resources_of(server: Server) -> dict[str, int]:
    """Return what a server takes, by placement's classes; swap counts in whole GiB."""
    return resources_for(server.flavor, boots_from_image=server.image_id is not None)


def resources_for(flavor: Mapping[str, Any], *, boots_from_image: bool) -> dict[str, int]:
    """Return what a server of a flavor takes."""
    root = flavor["root_gib"] if boots_from_image else 0  # else it is a volume
    disk = root + flavor["ephemeral_gib"] + -(-flavor["swap_mib"] // 1024)
    specs = flavor["extra_specs"]
    processors = "PCPU" if specs.get("hw:cpu_policy") == "dedicated" else "VCPU"
    wanted = {processors: flavor["vcpus"], "MEMORY_MB": flavor["memory_mib"], "DISK_GB": disk}
    for key, value in specs.items():
        group, _, name = key.partition(":")
        if group == "resources" and str(value).isdigit():
            wanted[name] = int(value)
        elif group.startswith("resources") and str(value).isdigit():
            # A host has all that it has in one place, where every group is to be had.
            wanted[name] = wanted.get(name, 0) + int(value)
    return {name: amount for name, amount in wanted.items() if amount}


def traits_for(
    flavor: Mapping[str, Any], image: Mapping[str, str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the traits that a host of a server must have, and those that it must not have."""
    said = [*flavor["extra_specs"].items(), *image.items()]
    found: dict[str, set[str]] = {"required": set(), "forbidden": set()}
    for key, value in said:
        group, _, name = key.partition(":")
        if group.startswith("trait") and value in found:
            found[value].add(name)
    return frozenset(found["required"]), frozenset(found["forbidden"])


def memory_nodes_for(flavor: Mapping[str, Any], image: Mapping[str, str]) -> int:
    """Return how many memory nodes a guest is to see; none where it does not matter."""
    try:
        return len(numa.cells_of(flavor, image))
    except Invalid:
        return 0  # it was made before that was refused


def _demand(tx: Tx, server: Server, wishes: Wishes) -> Demand:
    required, forbidden = traits_for(server.flavor, server.image_properties)
    demand = Demand(
        server_id=server.id,
        project_id=server.project_id,
        resources=resources_of(server),
        groups=networking.bandwidth_groups(tx, server.id),
        required=required,
        forbidden=forbidden,
        memory_nodes=memory_nodes_for(server.flavor, server.image_properties),
        zone=server.availability_zone,
        host=wishes.host,
        forced=wishes.forced,
        excluded=wishes.excluded,
        extra_specs=server.flavor["extra_specs"],
        image_properties=server.image_properties,
        hints=server.scheduler_hints,
    )
    return beside(tx, demand, server_groups.group_of(tx, server.id))


def beside(tx: Tx, demand: Demand, group: ServerGroup | None) -> Demand:
    """Return what is asked, with where those servers are that it is asked to be with or without."""
    named = [one for hint in ("same_host", "different_host") for one in hinted(demand, hint)]
    others = [s for s in group.members if s != demand.server_id] if group else []
    where = store.hosts_of(tx, [*named, *others])
    return msgspec.structs.replace(
        demand,
        group_policy=group.policy if group else None,
        group_most=(group.max_server_per_host or 1) if group else 1,
        group_hosts=dict(Counter(where[other] for other in others if where.get(other))),
        hosts_of_servers=where,
    )


def _measured(host: HostState, candidate: placement.Candidate) -> HostState:
    free = {name: figures.free for name, figures in candidate.figures.items()}
    return msgspec.structs.replace(host, free=free)


def _words(verdicts: list[Verdict]) -> str:
    if not verdicts:
        return f"{_LEADING}There are no hosts: no node has reported yet."
    told = [
        f"{one.host}: {'; '.join(f'{each.filter}: {each.reason}' for each in one.reasons)}"
        for one in sorted(verdicts, key=lambda one: one.host)
    ]
    return f"{_LEADING}{'. '.join(told)}. To make it fit: {' | '.join(would_fit(verdicts))}."
