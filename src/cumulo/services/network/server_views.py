"""What others show or tell of servers' networks."""

from collections import defaultdict
from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network import metadata
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import allocations, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.values import FixedIp


class ServerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a server, and the floating one that leads to it."""

    subnet_id: str
    address: str
    version: int
    floating: str | None = None
    floating_id: str | None = None


class ServerPort(msgspec.Struct, frozen=True, kw_only=True):
    """A server's place in a network."""

    id: str
    server_id: str
    project_id: str
    network_id: str
    network_name: str
    mac: str
    mtu: int
    status: str
    host: str
    admin_state_up: bool
    given: bool  # made before the server, and left when it goes
    addresses: list[ServerAddress]


class ServerSubnet(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet as a guest's network configuration tells it."""

    id: str
    network_id: str
    cidr: str
    ip_version: int
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_address_mode: str | None
    dns_nameservers: list[str]
    host_routes: list[tuple[str, str]]  # (destination, next hop)


class MetadataPort(msgspec.Struct, frozen=True, kw_only=True):
    """Where a network's guests reach the metadata service."""

    network_id: str
    port_id: str
    mac: str
    cidrs: list[str]


def ports_of_servers(tx: Tx, server_ids: Collection[str]) -> dict[str, list[ServerPort]]:
    """Return the ports of each server, oldest first."""
    ports = port_store.ports_of_devices(tx, server_ids, COMPUTE)
    ids = [port.id for port in ports]
    ips = allocations.allocation_map(tx, ids)
    networks = network_store.networks_by_id(tx, {port.network_id for port in ports})
    floating = {
        (one.port_id, one.fixed_ip_address): one
        for one in floatingip_store.floatingips_of_ports(tx, ids)
    }
    found: defaultdict[str, list[ServerPort]] = defaultdict(list)
    for port in ports:
        addresses = [
            _address(fixed, floating.get((port.id, fixed.ip_address)))
            for fixed in ips.get(port.id, [])
        ]
        shown = _port(port, networks[port.network_id], addresses)
        found[port.device_id].append(shown)
    return found


def _address(fixed: FixedIp, over: FloatingIp | None) -> ServerAddress:
    return ServerAddress(
        subnet_id=fixed.subnet_id,
        address=fixed.ip_address,
        version=6 if ":" in fixed.ip_address else 4,
        floating=over.floating_ip_address if over else None,
        floating_id=over.id if over else None,
    )


def _port(port: Port, network: Network, addresses: list[ServerAddress]) -> ServerPort:
    return ServerPort(
        id=port.id,
        server_id=port.device_id,
        project_id=port.project_id,
        network_id=network.id,
        network_name=network.name,
        mac=port.mac_address,
        mtu=network.mtu,
        status=port.status,
        host=port.host,
        admin_state_up=port.admin_state_up,
        given=port.made_for != port.device_id,
        addresses=addresses,
    )


def server_by_address(tx: Tx, network_id: str, address: str) -> tuple[str, str] | None:
    """Return (server, its project) of the guest with that address in the network."""
    a, p = tables.allocation.c, tables.port.c
    select = (
        sa.select(p.device_id, p.project_id)
        .join(tables.allocation, a.port_id == p.id)
        .where(
            a.ip_address == address,
            p.network_id == network_id,
            p.device_owner.startswith(COMPUTE, autoescape=True),
        )
    )
    row = tx.execute(select).first()
    return (row[0], row[1]) if row else None


def servers_with_address(tx: Tx, pattern: str, version: int) -> list[str]:
    """Return the servers with an address of that IP version that a regular expression matches."""
    a, p = tables.allocation.c, tables.port.c
    six = a.ip_address.contains(":", autoescape=True)
    select = (
        sa.select(p.device_id)
        .join(tables.allocation, a.port_id == p.id)
        .where(
            p.device_owner.startswith(COMPUTE, autoescape=True),
            six if version == 6 else ~six,
            a.ip_address.regexp_match(pattern),
        )
        .distinct()
    )
    return list(tx.scalars(select))


def subnets_of_ports(tx: Tx, ports: Collection[ServerPort]) -> dict[str, ServerSubnet]:
    """Return the subnets that the ports have addresses in."""
    ids = {address.subnet_id for port in ports for address in port.addresses}
    return {id_: _shown(subnet) for id_, subnet in subnet_store.subnets_by_id(tx, ids).items()}


def _shown(subnet: Subnet) -> ServerSubnet:
    return ServerSubnet(
        id=subnet.id,
        network_id=subnet.network_id,
        cidr=subnet.cidr,
        ip_version=subnet.ip_version,
        gateway_ip=subnet.gateway_ip,
        enable_dhcp=subnet.enable_dhcp,
        ipv6_address_mode=subnet.ipv6_address_mode,
        dns_nameservers=subnet.dns_nameservers,
        host_routes=[(route.destination, route.nexthop) for route in subnet.host_routes],
    )


def metadata_port(tx: Tx, network_id: str) -> MetadataPort | None:
    """Return where the network's guests reach the metadata service, if they do."""
    port = metadata.find_port(tx, network_id)
    if port is None:
        return None
    fixed = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    subnets = subnet_store.subnets_by_id(tx, {one.subnet_id for one in fixed})
    cidrs = [f"{one.ip_address}/{subnets[one.subnet_id].cidr.partition('/')[2]}" for one in fixed]
    return MetadataPort(network_id=network_id, port_id=port.id, mac=port.mac_address, cidrs=cidrs)


def metadata_ports_on_host(tx: Tx, host: str) -> list[MetadataPort]:
    """Return the metadata port of every network that has a guest on the host."""
    p = tables.port.c
    bound = (p.host == host, p.device_owner.startswith(COMPUTE, autoescape=True))
    networks = sorted(set(tx.scalars(sa.select(p.network_id).where(*bound))))
    found = (metadata_port(tx, network_id) for network_id in networks)
    return [port for port in found if port is not None]
