"""Subnets that were there first and come to be of a pool, with their ranges."""

import ipaddress

import msgspec

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network import journal, networks, refusals, subnetpools
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import subnetpools as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.subnetpools import SubnetPool
from cumulo.services.network.store.subnets import Subnet as Subnet


def onboard(tx: Tx, ctx: Context, pool: SubnetPool, network_id: str) -> list[Subnet]:
    """Add the ranges of a network's subnets to the pool, and let the subnets be of it.

    Whoever was only lent the network cannot have it so: the pool's owner rules over its subnets.
    """
    network = networks.network_visible(tx, ctx, network_id)
    if not (ctx.is_admin or network.project_id == ctx.project_id):
        raise refusals.network_not_found(network_id)
    found = subnet_store.subnets_of(tx, [network.id])
    wanted = [one for one in found if one.ip_version == pool.ip_version]
    _check_free(tx, pool, wanted)
    prefixes = [*pool.prefixes, *(one.cidr for one in wanted)]
    subnetpools.widen(tx, ctx, pool, prefixes)
    return [_take_in(tx, ctx, pool, one) for one in wanted]


def _check_free(tx: Tx, pool: SubnetPool, wanted: list[Subnet]) -> None:
    taken = [ipaddress.ip_network(cidr) for cidr in store.cidrs_of(tx, pool.id)]
    for subnet in wanted:
        if any(ipaddress.ip_network(subnet.cidr).overlaps(other) for other in taken):
            raise Invalid(
                f"Illegal subnetpool update : Onboarding subnet {subnet.id}: {subnet.cidr} "
                f"conflicts with allocated prefixes in subnet pool {pool.id}.",
                type="IllegalSubnetPoolUpdate",
            )


def _take_in(tx: Tx, ctx: Context, pool: SubnetPool, subnet: Subnet) -> Subnet:
    revision = subnet.revision_number
    if not standard.change(tx, tables.subnet, subnet.id, revision=revision, subnetpool_id=pool.id):
        raise LostRace
    after = msgspec.structs.replace(subnet, subnetpool_id=pool.id)
    journal.updated(tx, ctx, "subnet", subnet, after)
    # Routers translate no addresses between networks of one scope.
    changes.mark(tx, "router", router_store.routers_on_network(tx, subnet.network_id))
    return after
