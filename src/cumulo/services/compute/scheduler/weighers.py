"""Weighers: of the hosts that will do, the one with most room comes first."""

from collections.abc import Sequence

from cumulo.services.compute.scheduler.hosts import HostState

# class -> multiplier, as ram_weight_multiplier and its like say by default
_MULTIPLIERS = {"MEMORY_MB": 1.0, "VCPU": 1.0, "DISK_GB": 1.0}


def in_order(hosts: Sequence[HostState]) -> list[tuple[HostState, float]]:
    """Return hosts with their weights, best first.

    Each figure counts from 0 (least of all hosts) to 1 (most).
    """
    scores = {host.name: 0.0 for host in hosts}
    for resource, multiplier in _MULTIPLIERS.items():
        free = {host.name: host.free.get(resource, 0) for host in hosts}
        low, high = min(free.values(), default=0), max(free.values(), default=0)
        for name, value in free.items():
            scores[name] += multiplier * (value - low) / (high - low) if high > low else 0.0
    # The number of servers breaks ties, so that equal hosts fill evenly.
    order = sorted(hosts, key=lambda host: (-scores[host.name], host.servers, host.name))
    return [(host, round(scores[host.name], 3)) for host in order]
