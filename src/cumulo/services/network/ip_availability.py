"""How many addresses networks have, and have left."""

from collections import defaultdict
from collections.abc import Collection

import msgspec

from cumulo.db import Tx
from cumulo.services.network import refusals
from cumulo.services.network.store import allocations
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.subnets import Subnet


class SubnetAvailability(msgspec.Struct, frozen=True):
    """The addresses of one subnet."""

    subnet_id: str
    subnet_name: str
    cidr: str
    ip_version: int
    total_ips: int
    used_ips: int


class Availability(msgspec.Struct, frozen=True):
    """The addresses of one network."""

    network_id: str
    network_name: str
    tenant_id: str
    project_id: str
    total_ips: int
    used_ips: int
    subnet_ip_availability: list[SubnetAvailability]


def list_availability(
    tx: Tx, ip_versions: Collection[int], network_ids: Collection[str] | None = None
) -> list[Availability]:
    """Return the addresses of the networks, or of all, counting subnets of those versions."""
    networks = network_store.networks_where(tx, *network_store.among(network_ids))
    subnets: defaultdict[str, list[Subnet]] = defaultdict(list)
    for subnet in subnet_store.subnets_of(tx, [network.id for network in networks]):
        if subnet.ip_version in ip_versions:
            subnets[subnet.network_id].append(subnet)
    used = allocations.allocation_counts(tx)
    return [_availability(network, subnets[network.id], used) for network in networks]


def availability_of(tx: Tx, network_id: str) -> Availability:
    """Return the addresses of one network."""
    found = list_availability(tx, (4, 6), [network_id])
    if not found:
        raise refusals.network_not_found(network_id)
    return found[0]


def _availability(network: Network, subnets: list[Subnet], used: dict[str, int]) -> Availability:
    parts = [
        SubnetAvailability(s.id, s.name, s.cidr, s.ip_version, _total(s), used.get(s.id, 0))
        for s in subnets
    ]
    return Availability(
        network.id,
        network.name,
        network.project_id,
        network.project_id,
        sum(part.total_ips for part in parts),
        sum(part.used_ips for part in parts),
        parts,
    )


def _total(subnet: Subnet) -> int:
    return sum(
        int(allocations.key_of(pool.end), 16) - int(allocations.key_of(pool.start), 16) + 1
        for pool in subnet.allocation_pools
    )
