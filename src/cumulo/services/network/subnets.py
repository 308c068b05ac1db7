"""Subnets: what may be done with them and what follows."""

import ipaddress
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid
from cumulo.kit.ids import new_id
from cumulo.services.network import (
    addresses,
    journal,
    metadata,
    quotas,
    refusals,
    segment_reach,
    spelling,
    tags,
)
from cumulo.services.network.networks import check_mtu, network_get
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseBool, Text
from cumulo.services.network.store import allocations, changes, sharing, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import subnets as store
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.values import Pool, Route
from cumulo.services.network.subnet_allocation import SubnetRange, allocate

Ipv6Mode: TypeAlias = Literal["dhcpv6-stateful", "dhcpv6-stateless", "slaac"]
AUTOMATIC = {"dhcpv6-stateless", "slaac"}
# Ports whose addresses do not keep a subnet from being deleted.
_OWN = {"network:dhcp", "network:distributed"}


class SubnetSpec(SubnetRange, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a subnet it wants."""

    network_id: Id
    name: Text = ""
    description: Text = ""
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET
    gateway_ip: str | UnsetType | None = UNSET
    enable_dhcp: LooseBool = True
    allocation_pools: list[Pool] | UnsetType = UNSET
    dns_nameservers: list[str] = msgspec.field(default_factory=list)
    host_routes: list[Route] = msgspec.field(default_factory=list)
    ipv6_ra_mode: Ipv6Mode | None = None
    ipv6_address_mode: Ipv6Mode | None = None
    service_types: list[str] = msgspec.field(default_factory=list)
    segment_id: Id | None = None


class SubnetChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a subnet."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    gateway_ip: str | UnsetType | None = UNSET
    enable_dhcp: LooseBool | UnsetType = UNSET
    allocation_pools: list[Pool] | UnsetType = UNSET
    dns_nameservers: list[str] | UnsetType = UNSET
    host_routes: list[Route] | UnsetType = UNSET
    service_types: list[str] | UnsetType = UNSET
    segment_id: Id | UnsetType | None = UNSET


def subnet_visible(tx: Tx, ctx: Context, subnet_id: str) -> Subnet:
    """Return a subnet the caller may know of; to anyone else it does not exist."""
    found = store.subnet_find(tx, subnet_id, sharing.subnets_seen(viewer(ctx)))
    if found is None:
        raise refusals.subnet_not_found(subnet_id)
    return found


def create_subnet(
    tx: Tx, ctx: Context, settings: NetworkSettings, network: Network, spec: SubnetSpec
) -> Subnet:
    """Record a new subnet in a network, with the metadata port that its guests may need."""
    project_id, now = owner(ctx, spec.project_id, spec.tenant_id), clock.now()
    others = store.subnets_of(tx, [network.id])
    check_mtu(spec.ip_version, network.mtu)
    place = allocate(tx, ctx, spec, project_id, others)
    cidr = checked_cidr(spec, place.cidr)
    check_apart(cidr, others, network.id)
    gateway_ip = _gateway(spec.gateway_ip, cidr)
    subnet = Subnet(
        id=new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=0,
        created_at=now,
        updated_at=now,
        network_id=network.id,
        ip_version=spec.ip_version,
        cidr=cidr,
        gateway_ip=gateway_ip,
        enable_dhcp=spec.enable_dhcp,
        ipv6_ra_mode=spec.ipv6_ra_mode,
        ipv6_address_mode=spec.ipv6_address_mode,
        allocation_pools=_pools(spec.allocation_pools, cidr, gateway_ip),
        dns_nameservers=checked_dns(settings, spec.dns_nameservers),
        host_routes=checked_routes(settings, spec.host_routes, spec.ip_version),
        subnetpool_id=place.subnetpool_id,
        service_types=checked_service_types(spec.service_types),
        segment_id=segment_reach.check_tie(tx, network.id, spec.segment_id, others),
    )
    _record(tx, ctx, settings, network, subnet)
    return subnet


def _record(
    tx: Tx, ctx: Context, settings: NetworkSettings, network: Network, subnet: Subnet
) -> None:
    quotas.take(tx, settings, subnet.project_id, "subnet")
    # Two subnets that overlap could be made at once, were it not for the network's revision.
    if not standard.change(tx, tables.network, network.id, revision=network.revision_number):
        raise LostRace
    store.subnet_insert(tx, subnet)
    metadata.ensure_port(tx, settings, network)
    _give_automatic(tx, subnet)
    changes.mark(tx, "network", [network.id])
    journal.created(tx, ctx, "subnet", subnet)


def checked_cidr(spec: SubnetSpec, cidr: str) -> str:
    """Return the subnet's range, or refuse it."""
    network = ipaddress.ip_network(cidr)
    if spec.ip_version not in (4, 6):
        raise refusals.invalid_value("ip_version", f"'{spec.ip_version}' is not in [4, 6]")
    if network.version != spec.ip_version:
        raise refusals.invalid_input(
            f"cidr '{cidr}' does not match the ip_version '{spec.ip_version}'"
        )
    if network.prefixlen == 0:
        raise refusals.invalid_input("0 is not allowed as CIDR prefix length")
    if spec.enable_dhcp:
        check_dhcp(network)
    _check_modes(spec, network.prefixlen)
    return cidr


def check_dhcp(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """Refuse a range in which no DHCP server can work."""
    if network.max_prefixlen - network.prefixlen < 2:
        raise refusals.invalid_input(
            "Subnet has a prefix length that is incompatible with DHCP service enabled"
        )
    for name, bad in (("Multicast", network.is_multicast), ("Loopback", network.is_loopback)):
        if bad:
            raise refusals.invalid_input(
                f"{name} IP subnet is not supported if enable_dhcp is True"
            )
    if network.version == 4 and int(network.network_address) == 0:
        raise refusals.invalid_input(
            "First IP '0.0.0.0' of network is not supported if enable_dhcp is True."
        )


def _check_modes(spec: SubnetSpec, prefixlen: int) -> None:
    ra, address = spec.ipv6_ra_mode, spec.ipv6_address_mode
    if not ra and not address:
        return
    if spec.ip_version == 4:
        field = "ipv6_ra_mode" if ra else "ipv6_address_mode"
        raise refusals.invalid_input(f"{field} is not valid when ip_version is 4")
    if not spec.enable_dhcp:
        raise refusals.invalid_input(
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False"
        )
    if ra and address and ra != address:
        raise refusals.invalid_input(
            f"ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. "
            "If both attributes are set, they must be the same value"
        )
    if address in AUTOMATIC and prefixlen != 64:
        raise refusals.invalid_input(
            "Invalid CIDR for IPv6 address mode. OpenStack uses the EUI-64 address "
            "format, which requires the prefix to be /64"
        )


def check_apart(cidr: str, others: Sequence[Subnet], network_id: str) -> None:
    """Refuse a range that overlaps one the network has."""
    mine = ipaddress.ip_network(cidr)
    for other in others:
        theirs = ipaddress.ip_network(other.cidr)
        if mine.version == theirs.version and mine.overlaps(theirs):
            raise refusals.invalid_input(
                f"Requested subnet with cidr: {cidr} for network: {network_id} overlaps with "
                "another subnet"
            )


def _gateway(asked: str | UnsetType | None, cidr: str) -> str | None:
    network = ipaddress.ip_network(cidr)
    if asked is None:
        return None
    if asked is UNSET:
        return str(network[0] if network.num_addresses == 1 else network[1])
    address = spelling.ip_address(asked, "gateway_ip")
    check_gateway(address, cidr)
    return address


def check_gateway(address: str, cidr: str) -> None:
    """Refuse a gateway of the wrong version or at an address no host can have."""
    network, ip = ipaddress.ip_network(cidr), ipaddress.ip_address(address)
    if ip.version != network.version:
        raise refusals.invalid_input(
            f"gateway_ip '{address}' does not match the ip_version '{network.version}'"
        )
    # One outside of the subnet may be right: a guest can have a route to it.
    edges = (network.network_address, network.broadcast_address)
    if network.version == 4 and network.num_addresses > 2 and ip in edges:
        raise refusals.invalid_input("Gateway is not valid on subnet")


def _pools(asked: Sequence[Pool] | UnsetType, cidr: str, gateway_ip: str | None) -> list[Pool]:
    if asked is UNSET:
        return addresses.default_pools(cidr, gateway_ip)
    pools = checked_pools(asked, cidr)
    check_gateway_outside(gateway_ip, pools)
    return pools


def checked_pools(asked: Sequence[Pool], cidr: str) -> list[Pool]:
    """Return allocation pools in order and in their one spelling, or refuse them."""
    network = ipaddress.ip_network(cidr)
    spans = [_span(pool) for pool in asked]
    for first, last in spans:
        text = f"{first}-{last}"
        if {first.version, last.version} != {network.version} or int(first) > int(last):
            raise Invalid(f"The allocation pool {text} is not valid.", type="InvalidAllocationPool")
        if not all(addresses.contains(cidr, str(end), router=True) for end in (first, last)):
            raise Invalid(
                f"The allocation pool {text} spans beyond the subnet cidr {cidr}.",
                type="OutOfBoundsAllocationPool",
            )
    spans.sort(key=lambda span: int(span[0]))
    for one, other in pairwise(spans):
        if int(other[0]) <= int(one[1]):
            raise Conflict(
                f"Found overlapping allocation pools: {one[0]}-{one[1]} {other[0]}-{other[1]} "
                f"for subnet {cidr}.",
                type="OverlappingAllocationPools",
            )
    return [Pool(str(first), str(last)) for first, last in spans]


def _span(pool: Pool) -> "tuple[IpAddress, IpAddress]":
    start = spelling.ip_address(pool.start, "allocation_pools")
    end = spelling.ip_address(pool.end, "allocation_pools")
    return ipaddress.ip_address(start), ipaddress.ip_address(end)


IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_gateway_outside(gateway_ip: str | None, pools: Sequence[Pool]) -> None:
    """Refuse a gateway that the pools might hand out."""
    if gateway_ip is None:
        return
    key = allocations.key_of(gateway_ip)
    for pool in pools:
        if allocations.key_of(pool.start) <= key <= allocations.key_of(pool.end):
            raise Conflict(
                f"Gateway ip {gateway_ip} conflicts with allocation pool {pool.start}-{pool.end}.",
                type="GatewayConflictWithAllocationPools",
            )


# Neutron's own check takes the word compute: for a list of letters, and clients rely on it.
_SERVICES = ("network:", "neutron:", "baremetal:", "loadbalancer:", *"compute:")


def checked_service_types(types: Sequence[str]) -> list[str]:
    """Return for which kinds of ports a subnet is, or refuse what is none."""
    for one in types:
        if not one.startswith(_SERVICES):
            raise Invalid(
                f"Subnet service type {one} does not correspond to a valid device owner.",
                type="InvalidSubnetServiceType",
            )
    spelling.check_unique(types, "service_types")
    return list(types)


def checked_dns(settings: NetworkSettings, servers: Sequence[str]) -> list[str]:
    """Return name servers in their one spelling, or refuse them."""
    if len(servers) > settings.max_dns_nameservers:
        raise Invalid(
            "Unable to complete operation for new subnet. The number of DNS nameservers exceeds "
            f"the limit {settings.max_dns_nameservers}.",
            type="DNSNameServersExhausted",
        )
    spelled = [spelling.ip_address(server, "dns_nameservers") for server in servers]
    spelling.check_unique(spelled, "dns_nameservers")
    return spelled


def checked_routes(
    settings: NetworkSettings, routes: Sequence[Route], ip_version: int
) -> list[Route]:
    """Return routes for guests in their one spelling, or refuse them."""
    if len(routes) > settings.max_subnet_host_routes:
        raise Invalid(
            "Unable to complete operation for new subnet. The number of host routes exceeds the "
            f"limit {settings.max_subnet_host_routes}.",
            type="HostRoutesExhausted",
        )
    spelled = [spelling.route(route, "host_routes") for route in routes]
    for route in spelled:
        versions = {ipaddress.ip_network(route.destination).version}
        versions.add(ipaddress.ip_address(route.nexthop).version)
        if versions != {ip_version}:
            raise refusals.invalid_input(f"Invalid route: {route.destination} {route.nexthop}")
    spelling.check_unique(spelled, "host_routes")
    return spelled


def _give_automatic(tx: Tx, subnet: Subnet) -> None:
    """Give the ports that are there the addresses their guests will give themselves."""
    if not addresses.is_automatic(subnet):
        return
    ports = port_store.ports_of_network(tx, subnet.network_id)
    have = allocations.allocation_map(tx, [port.id for port in ports])
    for port in ports:
        holder = addresses.Holder(port.id, port.network_id, port.mac_address, port.device_owner)
        for position, fixed in enumerate(addresses.automatic(holder, [subnet])):
            allocations.allocation_insert(tx, port.id, fixed, len(have[port.id]) + position)
    changes.mark(tx, "port", [port.id for port in ports])


def update_subnet(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    subnet: Subnet,
    wanted: SubnetChange,
    revision: int | None,
) -> Subnet:
    """Change a subnet as it stands at `revision`, if one is given."""
    values = _changed_values(settings, subnet, wanted)
    if "gateway_ip" in values:
        _check_gateway_free(tx, subnet, values["gateway_ip"])
    if wanted.segment_id is not UNSET:
        segment_reach.check_new_tie(tx, subnet, wanted.segment_id)
    if not standard.change(tx, tables.subnet, subnet.id, revision=revision, **values):
        raise LostRace
    network = network_get(tx, subnet.network_id)
    metadata.ensure_port(tx, settings, network)
    changes.mark(tx, "network", [subnet.network_id])
    changes.mark(tx, "router", router_store.routers_on_network(tx, subnet.network_id))
    found = subnet_get(tx, subnet.id)
    journal.updated(tx, ctx, "subnet", subnet, found)
    return found


def _changed_values(
    settings: NetworkSettings, subnet: Subnet, wanted: SubnetChange
) -> dict[str, object]:
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if wanted.service_types is not UNSET:
        values["service_types"] = checked_service_types(wanted.service_types)
    if wanted.dns_nameservers is not UNSET:
        values["dns_nameservers"] = checked_dns(settings, wanted.dns_nameservers)
    if wanted.host_routes is not UNSET:
        values["host_routes"] = checked_routes(settings, wanted.host_routes, subnet.ip_version)
    gateway_ip, pools = subnet.gateway_ip, subnet.allocation_pools
    if wanted.allocation_pools is not UNSET:
        pools = values["allocation_pools"] = checked_pools(wanted.allocation_pools, subnet.cidr)
    if wanted.gateway_ip is not UNSET:
        gateway_ip = values["gateway_ip"] = _gateway(wanted.gateway_ip, subnet.cidr)
    if {"gateway_ip", "allocation_pools"} & values.keys():
        check_gateway_outside(gateway_ip, pools)
    if wanted.enable_dhcp is True and not subnet.enable_dhcp:
        check_dhcp(ipaddress.ip_network(subnet.cidr))
    automatic = subnet.ipv6_ra_mode or subnet.ipv6_address_mode
    if wanted.enable_dhcp is False and automatic:
        raise refusals.invalid_input("Cannot disable enable_dhcp with ipv6 attributes set")
    return values


def _check_gateway_free(tx: Tx, subnet: Subnet, gateway_ip: object) -> None:
    """Refuse to move the gateway away from a router that is it."""
    if gateway_ip == subnet.gateway_ip or subnet.gateway_ip is None:
        return
    held = allocations.allocation_holder(tx, subnet.id, subnet.gateway_ip)
    if held and router_store.leg_of_port(tx, held):
        raise Conflict(
            f"Current gateway ip {subnet.gateway_ip} already in use by port {held}. "
            "Unable to update.",
            type="GatewayIpInUse",
        )


def delete_subnet(tx: Tx, ctx: Context, settings: NetworkSettings, subnet: Subnet) -> None:
    """Forget a subnet in which nothing but the cloud's own ports has an address."""
    holders = port_store.ports_by_id(tx, allocations.subnet_ports(tx, subnet.id)).values()
    for port in holders:
        automatic = addresses.is_automatic(subnet) and not addresses.is_router(port.device_owner)
        if port.device_owner not in _OWN and not automatic:
            raise Conflict(
                f"Unable to complete operation on subnet {subnet.id}: One or more ports have an "
                "IP allocation from this subnet.",
                type="SubnetInUse",
            )
    allocations.allocation_delete_subnet(tx, subnet.id)
    tags.forget(tx, subnet.id)
    if not standard.remove(tx, tables.subnet, subnet.id):
        raise refusals.subnet_not_found(subnet.id)
    quotas.give_back(tx, subnet.project_id, "subnet")
    standard.change(tx, tables.network, subnet.network_id)
    metadata.ensure_port(tx, settings, network_get(tx, subnet.network_id))
    changes.mark(tx, "port", [port.id for port in holders])
    changes.mark(tx, "network", [subnet.network_id])
    journal.deleted(tx, ctx, "subnet", subnet)


def subnet_get(tx: Tx, subnet_id: str) -> Subnet:
    """Return a subnet, whoever owns it."""
    found = store.subnet_find(tx, subnet_id)
    if found is None:
        raise refusals.subnet_not_found(subnet_id)
    return found
