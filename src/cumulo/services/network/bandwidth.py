"""Bandwidth that ports are promised: what their policies ask for, and whose it is on a host.

A host's way into a physical network is a provider of placement's below the host, as Neutron's
OVN driver names it.  What a server's ports are promised there the server holds as it holds its
processors, so that no card is promised twice.
"""

import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as store
from cumulo.services.network.store import qos_policies as qos_store
from cumulo.services.network.store import standard, tables
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.qos_policies import MINIMUM_BANDWIDTH, QosRule
from cumulo.services.placement import public as placement

Amounts: TypeAlias = dict[str, dict[str, int]]  # provider -> class -> how much
EGRESS, INGRESS = "NET_BW_EGR_KILOBIT_PER_SEC", "NET_BW_IGR_KILOBIT_PER_SEC"
_CLASSES = {"egress": EGRESS, "ingress": INGRESS}
ALLOCATION = "allocation"  # in a port's binding profile: whose bandwidth it has


class ResourceGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What a port asks of one provider, as those see it who choose hosts."""

    id: str
    required: list[str]
    resources: dict[str, int]


def physical_trait(physical_network: str) -> str:
    """Return the trait of those who lead to a physical network."""
    return f"CUSTOM_PHYSNET_{re.sub('[^A-Z0-9]', '_', physical_network.upper())}"


def kind_trait(vnic_type: str) -> str:
    """Return the trait of those who serve a kind of interfaces."""
    return f"CUSTOM_VNIC_TYPE_{re.sub('[^A-Z0-9]', '_', vnic_type.upper())}"


def groups_of(tx: Tx, ports: Sequence[Port]) -> dict[str, ResourceGroup]:
    """Return what the ports ask for, by port; most ask for nothing."""
    guests = [port for port in ports if not port.device_owner.startswith("network:")]
    networks = network_store.networks_by_id(tx, {port.network_id for port in guests})
    policies = {
        port.id: port.qos_policy_id or networks[port.network_id].qos_policy_id for port in guests
    }
    rules = qos_store.rules_of(tx, {one for one in policies.values() if one})
    found = {}
    for port in guests:
        least = [r for r in rules.get(policies[port.id] or "", []) if r.kind == MINIMUM_BANDWIDTH]
        physical = networks[port.network_id].physical_network
        if least and physical:
            found[port.id] = _group(port, physical, least)
    return found


def _group(port: Port, physical_network: str, least: Sequence[QosRule]) -> ResourceGroup:
    names = ",".join(sorted(rule.id for rule in least))
    return ResourceGroup(
        id=str(uuid.uuid5(uuid.UUID(port.id), names)),
        required=[physical_trait(physical_network), kind_trait(port.vnic_type)],
        resources={_CLASSES[rule.direction]: rule.min_kbps or 0 for rule in least},
    )


def groups_of_server(tx: Tx, server_id: str) -> list[ResourceGroup]:
    """Return what a server's ports ask for."""
    if not qos_store.are_promises(tx):
        return []
    ports = store.ports_of_devices(tx, [server_id], "compute:")
    return list(groups_of(tx, ports).values())


def asked_by_ports(tx: Tx, port_ids: Collection[str]) -> bool:
    """Say whether any of the ports asks for something."""
    if not port_ids or not qos_store.are_promises(tx):
        return False
    return bool(groups_of(tx, list(store.ports_by_id(tx, port_ids).values())))


def claimable(tx: Tx, host_id: str, groups: Sequence[ResourceGroup]) -> Amounts:
    """Return what to claim below a host for the groups; raise `Conflict` where it lacks."""
    wanted: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for group in groups:
        home = _home(tx, host_id, group)
        if home is None:
            raise Conflict(f"nothing there has {' and '.join(group.required)}")
        _add(wanted[home], group.resources)
    figures = placement.figures(tx, wanted)
    for provider_id, amounts in wanted.items():
        for name, amount in amounts.items():
            have = figures.get(provider_id, {}).get(name)
            if have is None or have.free < amount:
                free = have.free if have else 0
                raise Conflict(f"{name}: requested {amount}, free {free}")
    return dict(wanted)


def _home(tx: Tx, host_id: str, group: ResourceGroup) -> str | None:
    """Return who below a host leads where the group's port does."""
    traits = placement.traits_below(tx, host_id)
    fit = [one for one, has in sorted(traits.items()) if has >= set(group.required)]
    return fit[0] if fit else None


def _add(held: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        held[name] = held.get(name, 0) + amount


def allocation_of(tx: Tx, port: Port, host: str) -> dict[str, object]:
    """Return the port's binding profile on a host, which says whose bandwidth it has there."""
    rest = {key: value for key, value in port.profile.items() if key != ALLOCATION}
    group = groups_of(tx, [port]).get(port.id) if host else None
    host_id = placement.provider_named(tx, host) if group else None
    home = _home(tx, host_id, group) if group and host_id else None
    return {**rest, ALLOCATION: {group.id: home}} if group and home else rest


def promised(tx: Tx, ports: Sequence[Port]) -> dict[str, Amounts]:
    """Return what servers are to hold for these bound ports of theirs, by server."""
    found: dict[str, Amounts] = {}
    groups = groups_of(tx, ports)
    for port in ports:
        group, homes = groups.get(port.id), port.profile.get(ALLOCATION)
        if group is not None and port.host and isinstance(homes, dict):
            for home in homes.values():
                held = found.setdefault(port.device_id, {}).setdefault(str(home), {})
                _add(held, {name: n for name, n in group.resources.items() if n})
    return found


def promised_to_servers(tx: Tx) -> dict[str, Amounts]:
    """Return what every server is to hold for its ports."""
    policies = qos_store.policies_with(tx, MINIMUM_BANDWIDTH)
    ids = {one for policy_id in policies for one in qos_store.ports_with(tx, policy_id)}
    return promised(tx, list(store.ports_by_id(tx, ids).values()))


def follow(tx: Tx, server_ids: Iterable[str]) -> None:
    """Have servers hold what their ports are promised now, or refuse what changed that."""
    for server_id in sorted(set(server_ids)):
        ports = store.ports_of_devices(tx, [server_id], "compute:")
        for port in ports:
            profile = allocation_of(tx, port, port.host)
            if profile != port.profile:
                standard.change(tx, tables.port, port.id, profile=profile)
        bound = store.ports_of_devices(tx, [server_id], "compute:")
        hosts = {placement.provider_named(tx, port.host) for port in bound if port.host}
        _hold(tx, server_id, hosts, promised(tx, bound).get(server_id, {}))


def _hold(tx: Tx, server_id: str, hosts: set[str | None], wanted: Amounts) -> None:
    held = placement.allocations_of(tx, server_id)
    # One on its way holds its room elsewhere; whoever moves it sees to that.
    if not hosts & held.keys() or _of_cards(held) == wanted:
        return
    rest = {
        provider: {name: n for name, n in has.items() if name not in (EGRESS, INGRESS)}
        for provider, has in held.items()
    }
    for provider, amounts in wanted.items():
        rest.setdefault(provider, {}).update(amounts)
    try:
        placement.adjust(tx, server_id, rest)
    except Conflict as error:
        raise Conflict(
            f"Updating placement allocations of server {server_id} failed: {error.message}. "
            "Ask for less bandwidth, or move servers away from its host.",
            type="QosPlacementAllocationUpdateConflict",
        ) from error


def _of_cards(held: Amounts) -> Amounts:
    found = {
        provider: {name: n for name, n in has.items() if name in (EGRESS, INGRESS)}
        for provider, has in held.items()
    }
    return {provider: has for provider, has in found.items() if has}


def servers_of(tx: Tx, port_ids: Collection[str]) -> set[str]:
    """Return the servers that some of the ports are bound for."""
    ports = store.ports_by_id(tx, port_ids).values()
    return {p.device_id for p in ports if p.host and p.device_owner.startswith("compute:")}
