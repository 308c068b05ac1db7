"""The topology: who is connected to what, of all that the caller may see."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.network.owners import viewer
from cumulo.services.network.store import allocations, sharing, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.routers import GATEWAY
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.values import FixedIp

_GUESTS = "compute:"


class SubnetNode(msgspec.Struct, frozen=True):
    """A subnet of a network."""

    id: str
    name: str
    cidr: str
    gateway_ip: str | None


class NetworkNode(msgspec.Struct, frozen=True, kw_only=True):
    """A network with its subnets."""

    id: str
    name: str
    project_id: str
    external: bool
    subnets: list[SubnetNode]


class PortNode(msgspec.Struct, frozen=True, kw_only=True):
    """What leads from a router or a server into a network."""

    port_id: str
    network_id: str
    fixed_ips: list[FixedIp]
    status: str
    floating_ips: list[str] = []


class RouterNode(msgspec.Struct, frozen=True, kw_only=True):
    """A router with its ways in and out."""

    id: str
    name: str
    project_id: str
    external_gateways: list[PortNode]
    interfaces: list[PortNode]


class ServerNode(msgspec.Struct, frozen=True, kw_only=True):
    """A server with its ports; its name is what its guest is told by DHCP."""

    id: str
    name: str
    project_id: str
    ports: list[PortNode]


class Topology(msgspec.Struct, frozen=True):
    """Networks, and what stands in them."""

    networks: list[NetworkNode]
    routers: list[RouterNode]
    servers: list[ServerNode]


def topology(tx: Tx, ctx: Context) -> Topology:
    """Return the networks, routers and servers that the caller may know of."""
    eyes = viewer(ctx)
    networks = network_store.networks_where(tx, sharing.networks_seen(eyes))
    subnets: defaultdict[str, list[Subnet]] = defaultdict(list)
    for subnet in subnet_store.subnets_of(tx, [network.id for network in networks]):
        subnets[subnet.network_id].append(subnet)
    owned = sharing.owned(tables.port, eyes)
    guests = port_store.ports_where(tx, owned, tables.port.c.device_owner.startswith(_GUESTS))
    return Topology(
        [
            NetworkNode(
                id=network.id,
                name=network.name,
                project_id=network.project_id,
                external=network.external,
                subnets=[
                    SubnetNode(one.id, one.name, one.cidr, one.gateway_ip)
                    for one in subnets[network.id]
                ],
            )
            for network in networks
        ],
        _routers(tx, ctx),
        _servers(tx, guests),
    )


def _routers(tx: Tx, ctx: Context) -> list[RouterNode]:
    routers = router_store.routers_where(tx, sharing.owned(tables.router, viewer(ctx)))
    legs = router_store.legs_of(tx, [router.id for router in routers])
    nodes = _nodes(tx, list(port_store.ports_by_id(tx, [leg.port_id for leg in legs]).values()))
    found: defaultdict[tuple[str, bool], list[PortNode]] = defaultdict(list)
    for leg in legs:
        found[leg.router_id, leg.kind == GATEWAY].append(nodes[leg.port_id])
    return [
        RouterNode(
            id=router.id,
            name=router.name,
            project_id=router.project_id,
            external_gateways=found[router.id, True],
            interfaces=found[router.id, False],
        )
        for router in routers
    ]


def _servers(tx: Tx, guests: Sequence[Port]) -> list[ServerNode]:
    nodes = _nodes(tx, guests)
    servers: defaultdict[str, list[Port]] = defaultdict(list)
    for port in guests:
        servers[port.device_id].append(port)
    return [
        ServerNode(
            id=server_id,
            name=next((port.dns_name for port in ports if port.dns_name), ""),
            project_id=ports[0].project_id,
            ports=[nodes[port.id] for port in ports],
        )
        for server_id, ports in servers.items()
    ]


def _nodes(tx: Tx, ports: Sequence[Port]) -> dict[str, PortNode]:
    ids = [port.id for port in ports]
    fixed = allocations.allocation_map(tx, ids)
    floating: defaultdict[str, list[str]] = defaultdict(list)
    for one in floatingip_store.floatingips_of_ports(tx, ids):
        floating[one.port_id or ""].append(one.floating_ip_address)
    return {
        port.id: PortNode(
            port_id=port.id,
            network_id=port.network_id,
            fixed_ips=fixed.get(port.id, []),
            status=port.status,
            floating_ips=floating[port.id],
        )
        for port in ports
    }
