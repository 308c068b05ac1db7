"""Filters, by OpenStack's names: each returns why a host will not do, or None."""

import operator
from collections.abc import Callable
from typing import TypeAlias

from cumulo.services.compute import host_wishes
from cumulo.services.compute.scheduler.hosts import Demand, HostState

Filter: TypeAlias = Callable[[HostState, Demand], str | None]


def compute_filter(host: HostState, demand: Demand) -> str | None:
    """Only hosts that work and that their operator has not taken out."""
    if not host.is_enabled:
        return f"disabled ({host.disabled_reason or 'no reason given'})"
    return None if host.is_up else "down: no report within the last minute"


def retry_filter(host: HostState, demand: Demand) -> str | None:
    """Not where the same server has just failed, nor anywhere but where it was sent."""
    if demand.host is not None and host.name != demand.host:
        return f"not the requested host {demand.host}"
    why = demand.excluded.get(host.name)
    return f"tried before: {why}" if why is not None else None


def availability_zone_filter(host: HostState, demand: Demand) -> str | None:
    """Only hosts of the zone asked for."""
    if demand.zone is None or host.zone == demand.zone:
        return None
    return f"in zone {host.zone}, not {demand.zone}"


def image_properties_filter(host: HostState, demand: Demand) -> str | None:
    """Only hosts of the architecture and hypervisor that the image was made for."""
    wanted = demand.image_properties
    for name, capability in (("hw_architecture", "arch"), ("img_hv_type", "hypervisor_type")):
        value, offered = wanted.get(name), host.capabilities.get(capability, "")
        if value and value.lower() not in (offered.lower(), "kvm" if offered == "QEMU" else ""):
            return f"the image wants {name}={value}, the host offers {offered}"
    unmet = host_wishes.image_asks_too_much(wanted)
    return f"the image wants {unmet}, which the host does not offer" if unmet else None


def compute_capabilities_filter(host: HostState, demand: Demand) -> str | None:
    """Only hosts with the capabilities that the flavor names."""
    for key, wanted in demand.extra_specs.items():
        scope, _, name = key.rpartition(":")
        if scope != "capabilities":
            continue
        offered = host.capabilities.get(name)
        if offered is None or not matches(offered, wanted):
            return f"the flavor wants {key}={wanted}, the host offers {offered}"
    unmet = host_wishes.flavor_asks_too_much(demand.extra_specs)
    return f"the flavor wants {unmet}, which the host does not offer" if unmet else None


def numa_topology_filter(host: HostState, demand: Demand) -> str | None:
    """Only hosts with as many memory nodes as the guest is to have."""
    if demand.memory_nodes <= host.memory_nodes:
        return None
    return f"{demand.memory_nodes} memory nodes are wanted, the host has {host.memory_nodes}"


def aggregate_instance_extra_specs_filter(host: HostState, demand: Demand) -> str | None:
    """Only hosts in aggregates with the properties that the flavor names."""
    prefix = "aggregate_instance_extra_specs:"
    for key, wanted in demand.extra_specs.items():
        if not key.startswith(prefix):
            continue
        name = key.removeprefix(prefix)
        offered = [one[name] for one in host.aggregates if name in one]
        if not any(matches(value, wanted) for values in offered for value in values.split(",")):
            return f"the flavor wants {name}={wanted}, its aggregates offer {offered or 'nothing'}"
    return None


def same_host_filter(host: HostState, demand: Demand) -> str | None:
    """Where the named servers are."""
    wanted = {demand.hosts_of_servers.get(one) for one in hinted(demand, "same_host")}
    if not wanted or host.name in wanted:
        return None
    return "none of the servers in hint same_host is there"


def different_host_filter(host: HostState, demand: Demand) -> str | None:
    """Where none of the named servers is."""
    avoided = {demand.hosts_of_servers.get(one) for one in hinted(demand, "different_host")}
    return "a server in hint different_host is there" if host.name in avoided else None


def server_group_affinity_filter(host: HostState, demand: Demand) -> str | None:
    """Where the group is already."""
    if demand.group_policy != "affinity" or not demand.group_hosts:
        return None
    return None if host.name in demand.group_hosts else "the server group is on another host"


def server_group_anti_affinity_filter(host: HostState, demand: Demand) -> str | None:
    """Where the group is not yet, or not too often."""
    if demand.group_policy != "anti-affinity":
        return None
    there = demand.group_hosts.get(host.name, 0)
    if there < demand.group_most:
        return None
    return f"{there} servers of the group are there, {demand.group_most} may be"


FILTERS: dict[str, Filter] = {
    "RetryFilter": retry_filter,
    "ComputeFilter": compute_filter,
    "AvailabilityZoneFilter": availability_zone_filter,
    "ComputeCapabilitiesFilter": compute_capabilities_filter,
    "ImagePropertiesFilter": image_properties_filter,
    "NUMATopologyFilter": numa_topology_filter,
    "AggregateInstanceExtraSpecsFilter": aggregate_instance_extra_specs_filter,
    "SameHostFilter": same_host_filter,
    "DifferentHostFilter": different_host_filter,
    "ServerGroupAffinityFilter": server_group_affinity_filter,
    "ServerGroupAntiAffinityFilter": server_group_anti_affinity_filter,
}

_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s>=": operator.ge,
    "s>": operator.gt,
    "s<=": operator.le,
    "s<": operator.lt,
}


def matches(offered: str, wanted: str) -> bool:
    """Compare in the language of extra specs: `>= 4`, `s== text`, `<in> x`, `<or> a <or> b`."""
    word, _, rest = wanted.partition(" ")
    rest = rest.strip()
    if word == "<in>":
        return rest in offered
    if word == "<or>":
        return offered in [one.strip() for one in wanted.split("<or>") if one.strip()]
    if word in _TEXTS:
        return _TEXTS[word](offered, rest)
    if word in _NUMBERS:
        try:
            return _NUMBERS[word](float(offered), float(rest))
        except ValueError:
            return False
    return offered == wanted


def hinted(demand: Demand, hint: str) -> list[str]:
    """Return the servers that a hint names: one, or several."""
    value = demand.hints.get(hint, [])
    return [str(one) for one in (value if isinstance(value, list) else [value])]
