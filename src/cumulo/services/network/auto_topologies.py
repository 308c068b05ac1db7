"""Auto-allocated topologies: a network with a way out, for a project that has asked for it."""

from collections.abc import Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.network import networks, router_interfaces, routers, subnetpools, subnets
from cumulo.services.network.router_gateways import GatewaySpec
from cumulo.services.network.router_interfaces import InterfaceSpec
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import auto_topologies as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.auto_topologies import AutoTopology
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.subnetpools import SubnetPool
from cumulo.services.network.subnets import Ipv6Mode

_WAYS_OUT_MISSING = "No default router:external network"


class Means(msgspec.Struct, frozen=True):
    """What a topology is made of: the way out and the pools of addresses."""

    external: Network
    pools: list[SubnetPool]


def means(tx: Tx) -> Means:
    """Return what is there to make topologies of, or say what is missing."""
    external = networks.default_external(tx)
    if external is None:
        raise Conflict(f"Deployment error: {_WAYS_OUT_MISSING}.", type="AutoAllocationFailure")
    found = [subnetpools.default_pool(tx, version) for version in (4, 6)]
    pools = [pool for pool in found if pool is not None]
    if not pools:
        raise Conflict(
            "Deployment error: No default subnetpools defined.", type="AutoAllocationFailure"
        )
    return Means(external, pools)


def topology_of(tx: Tx, ctx: Context, settings: NetworkSettings, project_id: str) -> AutoTopology:
    """Return the project's topology, made now if it has none."""
    found = store.topology_find(tx, project_id)
    return found or _make(tx, ctx, settings, project_id, means(tx))


def _make(
    tx: Tx, ctx: Context, settings: NetworkSettings, project_id: str, of: Means
) -> AutoTopology:
    spec = networks.NetworkSpec(name="auto_allocated_network", project_id=project_id)
    network = networks.create_network(tx, ctx, settings, spec)
    made = [_subnet(tx, ctx, settings, network.id, pool) for pool in of.pools]
    gateway = GatewaySpec(network_id=of.external.id)
    router_spec = routers.RouterSpec(
        name="auto_allocated_router", project_id=project_id, external_gateway_info=gateway
    )
    router = routers.create_router(tx, ctx, settings, router_spec)
    for subnet_id in made:
        fresh = routers.router_get(tx, router.id)
        wanted = InterfaceSpec(subnet_id=subnet_id)
        router_interfaces.add_interface(tx, ctx, settings, fresh, wanted)
    topology = AutoTopology(project_id, network.id, router.id)
    store.topology_insert(tx, topology)
    return topology


def _subnet(
    tx: Tx, ctx: Context, settings: NetworkSettings, network_id: str, pool: SubnetPool
) -> str:
    network = networks.network_get(tx, network_id)
    mode: Ipv6Mode | None = "slaac" if pool.ip_version == 6 else None
    spec = subnets.SubnetSpec(
        network_id=network_id,
        name=f"auto_allocated_subnet_v{pool.ip_version}",
        project_id=network.project_id,
        ip_version=pool.ip_version,
        subnetpool_id=pool.id,
        ipv6_ra_mode=mode,
        ipv6_address_mode=mode,
    )
    return subnets.create_subnet(tx, ctx, settings, network, spec).id


def delete_topology(tx: Tx, ctx: Context, settings: NetworkSettings, project_id: str) -> None:
    """Take the project's topology away, if nothing is plugged into it."""
    found = store.topology_find(tx, project_id)
    if found is None:
        raise NotFound(
            f"No auto-allocated topology found for project {project_id}.",
            type="AutoAllocatedTopologyNotFound",
        )
    store.topology_delete(tx, project_id)
    _leave(tx, ctx, found.router_id, subnet_store.subnets_of(tx, [found.network_id]))
    routers.delete_router(tx, ctx, settings, routers.router_get(tx, found.router_id))
    networks.delete_network(tx, ctx, networks.network_get(tx, found.network_id))


def _leave(tx: Tx, ctx: Context, router_id: str, inside: Sequence[subnet_store.Subnet]) -> None:
    for subnet in inside:
        router = routers.router_get(tx, router_id)
        wanted = InterfaceSpec(subnet_id=subnet.id)
        router_interfaces.remove_interface(tx, ctx, router, wanted)
