"""What others show or tell of servers' networks."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Literal

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import of_many
from cumulo.services.network import metadata
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import allocations, tables
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.selection import of_some
from cumulo.services.network.store.subnets import Subnet


class ShownAddress(msgspec.Struct, frozen=True, gc=False):
    """An address as a list of servers tells it."""

    network: str
    version: int
    address: str
    mac: str
    type: Literal["fixed", "floating"]


class ServerAddress(msgspec.Struct, frozen=True, gc=False):
    """An address of a server, and the floating one that leads to it."""

    subnet_id: str
    address: str
    version: int
    floating: str | None = None
    floating_id: str | None = None


class ServerPort(msgspec.Struct, frozen=True):
    """A server's place in a network; rows are read in the order of the fields."""

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


def shown_of_servers(
    tx: Tx, server_ids: Collection[str]
) -> tuple[dict[str, list[ShownAddress]], dict[str, list[str]]]:
    """Return addresses of many servers and the names of their security groups, by server.

    Addresses are in the order of ports, a floating one behind the one that it leads to.  What is
    read has each address as often as it has floating ones and its port has groups.
    """
    addresses: dict[str, list[ShownAddress]] = {}
    groups: dict[str, tuple[str, ...]] = {}
    rows = of_many(tx, _SHOWN, tables.port.c.device_id, server_ids)
    for server_id, network, mac, address, floating, group_id in rows:
        known = groups.get(server_id, ())
        if group_id is not None and group_id not in known:
            groups[server_id] = (*known, group_id)
        if address is None:
            continue
        fixed = ShownAddress(network, 6 if ":" in address else 4, address, mac, "fixed")
        there = addresses.get(server_id)
        if there is None:
            there = addresses[server_id] = [fixed]
        elif fixed not in there:
            there.append(fixed)
        if floating:
            over = ShownAddress(network, 4, floating, mac, "floating")
            if over not in there:
                there.append(over)
    return addresses, _named(tx, groups)


def _named(tx: Tx, groups: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the groups of servers by name; servers in the same ones share a list."""
    different = set(groups.values())
    ids = list({one for some in different for one in some})
    names = dict(of_many(tx, _GROUP_NAMES, tables.security_group.c.id, ids))
    listed = {some: sorted({names[one] for one in some}) for some in different}
    return {server_id: listed[some] for server_id, some in groups.items()}


def ports_of_servers(tx: Tx, server_ids: Collection[str]) -> dict[str, list[ServerPort]]:
    """Return the ports of each server, in the order they were plugged in."""
    rows = of_some(tx, _PORTS, tables.port.c.device_id, server_ids)
    ips = _addresses(tx, [row.id for row in rows])
    found: defaultdict[str, list[ServerPort]] = defaultdict(list)
    for row in rows:
        found[row.device_id].append(ServerPort(*(*row, ips[row.id])))
    return found


def _addresses(tx: Tx, port_ids: Collection[str]) -> Mapping[str, list[ServerAddress]]:
    """Return the addresses of each port, in their order, with the floating IPs over them."""
    found: defaultdict[str, list[ServerAddress]] = defaultdict(list)
    rows = of_some(tx, _ADDRESSES, tables.allocation.c.port_id, port_ids)
    for port_id, subnet_id, address, floating, floating_id in rows:
        # Of two floating IPs over one address, from two networks, the elder is shown.
        if not (found[port_id] and found[port_id][-1].address == address):
            version = 6 if ":" in address else 4
            shown = ServerAddress(subnet_id, address, version, floating, floating_id)
            found[port_id].append(shown)
    return found


def networks_of_server(tx: Tx, server_id: str) -> list[str]:
    """Return the networks that a server's ports are in, in the order they were plugged in."""
    return list(dict.fromkeys(tx.scalars(_NETWORKS, {"of_server": server_id})))


# Built once, since each boot runs them several times.
_p, _n, _a, _f = tables.port.c, tables.network.c, tables.allocation.c, tables.floatingip.c
_m, _g = tables.port_security_group.c, tables.security_group.c
_GROUP_NAMES = sa.select(_g.id, _g.name)
_OWNED = _p.device_owner.startswith(COMPUTE, autoescape=True)
_PORTS = (
    sa.select(
        _p.id,
        _p.device_id,
        _p.project_id,
        _p.network_id,
        _n.name,
        _p.mac_address,
        _n.mtu,
        _p.status,
        _p.host,
        _p.admin_state_up,
        _p.made_for != _p.device_id,
    )
    .join(tables.network, _n.id == _p.network_id)
    .where(_OWNED)
    .order_by(_p.plugged_at, _p.id)
)
_OVER = sa.and_(_f.port_id == _a.port_id, _f.fixed_ip_address == _a.ip_address)
_SHOWN = (
    sa.select(
        _p.device_id,
        _n.name,
        _p.mac_address,
        _a.ip_address,
        _f.floating_ip_address,
        _m.security_group_id,
    )
    .join(tables.network, _n.id == _p.network_id)
    .outerjoin(tables.allocation, _a.port_id == _p.id)
    .outerjoin(tables.floatingip, _OVER)
    .outerjoin(tables.port_security_group, _m.port_id == _p.id)
    .where(_OWNED)
    .order_by(_p.plugged_at, _p.id, _a.position, _f.created_at, _f.id)
)
_ADDRESSES = (
    sa.select(_a.port_id, _a.subnet_id, _a.ip_address, _f.floating_ip_address, _f.id)
    .outerjoin_from(tables.allocation, tables.floatingip, _OVER)
    .order_by(_a.port_id, _a.position, _f.created_at, _f.id)
)
_NETWORKS = (
    sa.select(_p.network_id)
    .where(_p.device_id == sa.bindparam("of_server"), _OWNED)
    .order_by(_p.plugged_at, _p.id)
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
