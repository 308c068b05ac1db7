"""From rows to plans: what the backend is to have, unit by unit."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from cumulo.services.network.drivers.base import (
    AddressPair,
    BandwidthPlan,
    FloatingIpPlan,
    GatewayPlan,
    NetworkPlan,
    PortForwardingPlan,
    PortPlan,
    Route,
    RouterPlan,
    RouterPortPlan,
    RulePlan,
    SecurityGroupPlan,
    SegmentPlan,
    SubnetPlan,
)
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import values
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.port_forwardings import PortForwarding
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.qos_policies import QosRule
from cumulo.services.network.store.routers import GATEWAY, INTERFACE, Router
from cumulo.services.network.store.security_groups import Rule, SecurityGroup
from cumulo.services.network.store.segments import Segment
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.trunks import Carried
from cumulo.services.network.store.values import FixedIp

_LEGS = {INTERFACE: "network:router_interface", GATEWAY: "network:router_gateway"}


class Surroundings(msgspec.Struct, frozen=True):
    """What routers' legs stand in."""

    networks: Mapping[str, Network]
    subnets: Mapping[str, Subnet]
    macs: Mapping[str, str]  # of floating IPs' own ports
    scopes: Mapping[str, str]  # address scopes, by subnet
    forwardings: Mapping[str, Sequence[PortForwarding]]  # by floating IP
    qos: Mapping[str, Sequence[QosRule]]  # by policy


class Leg(msgspec.Struct, frozen=True):
    """A router's leg with its port and addresses."""

    kind: str
    port: Port
    fixed_ips: Sequence[FixedIp]


class Plugged(msgspec.Struct, frozen=True):
    """A port with what is kept outside of its row and concerns its packets."""

    port: Port
    fixed_ips: Sequence[FixedIp]
    security_groups: list[str]


def network_plan(
    network: Network,
    subnets: Iterable[Subnet],
    metadata_ips: Iterable[FixedIp],
    more_segments: Iterable[Segment] = (),
) -> NetworkPlan:
    """Return what the backend is to have of a network."""
    metadata = {fixed.subnet_id: fixed.ip_address for fixed in metadata_ips}
    return NetworkPlan(
        id=network.id,
        name=network.name,
        network_type=network.network_type,
        physical_network=network.physical_network,
        segmentation_id=network.segmentation_id,
        mtu=network.mtu,
        external=network.external,
        admin_state_up=network.admin_state_up,
        dns_domain=network.dns_domain,
        vlan_transparent=bool(network.vlan_transparent),
        more_segments=[
            SegmentPlan(
                network_type=one.network_type,
                physical_network=one.physical_network,
                segmentation_id=one.segmentation_id,
            )
            for one in more_segments
        ],
        subnets=[_subnet_plan(subnet, metadata.get(subnet.id)) for subnet in subnets],
    )


def _subnet_plan(subnet: Subnet, metadata_ip: str | None) -> SubnetPlan:
    return SubnetPlan(
        id=subnet.id,
        cidr=subnet.cidr,
        gateway_ip=subnet.gateway_ip,
        enable_dhcp=subnet.enable_dhcp,
        dns_nameservers=subnet.dns_nameservers,
        host_routes=_routes(subnet.host_routes),
        ipv6_ra_mode=subnet.ipv6_ra_mode,
        ipv6_address_mode=subnet.ipv6_address_mode,
        metadata_ip=metadata_ip,
    )


def _routes(routes: Iterable[values.Route]) -> list[Route]:
    return [Route(destination=one.destination, nexthop=one.nexthop) for one in routes]


def port_plan(
    plugged: Plugged,
    leg: store.Leg | None,
    network: Network,
    qos: Sequence[QosRule] = (),
    carried: Carried | None = None,
) -> PortPlan:
    """Return what the backend is to have of a port.

    What a client wrote as the device's owner makes no port a part of the network: that would
    free a guest from its security groups.
    """
    port = plugged.port
    device_owner = _LEGS[leg.kind] if leg else port.device_owner
    if device_owner.startswith("network:") and not leg and port.made_for != port.network_id:
        device_owner = ""
    return PortPlan(
        id=port.id,
        network_id=port.network_id,
        name=port.name,
        mac=port.mac_address,
        fixed_ips=[(fixed.subnet_id, fixed.ip_address) for fixed in plugged.fixed_ips],
        device_id=port.device_id,
        device_owner=device_owner,
        admin_state_up=port.admin_state_up,
        port_security=port.port_security_enabled,
        security_group_ids=plugged.security_groups,
        address_pairs=_pairs(port),
        host=port.host,
        router_id=leg.router_id if leg else None,
        dhcp_options=_options(port, 4),
        dhcpv6_options=_options(port, 6),
        hostname=port.dns_name.rstrip("."),
        dns_domain=(port.dns_domain or network.dns_domain).rstrip("."),
        bandwidth=_bandwidth(qos),
        min_kbps=_minimum(qos) if network.physical_network else None,
        dscp_mark=_mark(qos),
        parent_id=carried.parent_id if carried else "",
        tag=carried.tag if carried else None,
    )


def _pairs(port: Port) -> list[AddressPair]:
    pairs = port.allowed_address_pairs
    return [AddressPair(mac=pair.mac_address, ip=pair.ip_address) for pair in pairs]


def _bandwidth(rules: Sequence[QosRule]) -> list[BandwidthPlan]:
    """Return the limits; a burst that nobody named is four fifths of a second."""
    return [
        BandwidthPlan(
            direction=one.direction,
            max_kbps=one.max_kbps,
            max_burst_kbps=one.max_burst_kbps or one.max_kbps * 4 // 5,
        )
        for one in rules
        if one.max_kbps is not None
    ]


def _minimum(rules: Sequence[QosRule]) -> int | None:
    """Return what a port may send whatever others do; no host rules over what it receives."""
    found = [one.min_kbps for one in rules if one.direction == "egress"]
    return next((rate for rate in found if rate is not None), None)


def _mark(rules: Sequence[QosRule]) -> int | None:
    return next((one.dscp_mark for one in rules if one.dscp_mark is not None), None)


def _options(port: Port, version: int) -> dict[str, str]:
    options = port.extra_dhcp_opts
    return {one.opt_name: one.opt_value for one in options if one.ip_version == version}


def router_plan(
    router: Router, legs: Iterable[Leg], floating: Sequence[FloatingIp], around: Surroundings
) -> RouterPlan:
    """Return what the backend is to have of a router."""
    legs = list(legs)
    inside = [leg for leg in legs if leg.kind != GATEWAY]
    outs = [leg for leg in legs if leg.kind == GATEWAY]
    outside = outs[0] if outs else None
    beyond = {leg.port.network_id: leg.port.id for leg in reversed(outs)}
    return RouterPlan(
        id=router.id,
        name=router.name,
        admin_state_up=router.admin_state_up,
        ha=router.ha,
        distributed=router.distributed,
        ports=[_router_port_plan(leg, around, _scopes(outside, around)) for leg in inside],
        gateway=_gateway_plan(outside, router, around) if outside else None,
        more_gateways=[_gateway_plan(leg, router, around) for leg in outs[1:]],
        spreads=router.enable_default_route_ecmp,
        probes=router.enable_default_route_bfd,
        routes=_routes(router.routes),
        floating_ips=[
            _floating_plan(one, beyond.get(one.floating_network_id, ""), around)
            for one in floating
            if one.port_id
        ],
        port_forwardings=[
            _forwarding_plan(one, each)
            for one in floating
            for each in around.forwardings.get(one.id, [])
        ],
    )


def _floating_plan(one: FloatingIp, gateway_port_id: str, around: Surroundings) -> FloatingIpPlan:
    qos = around.qos.get(one.qos_policy_id or "", [])
    return FloatingIpPlan(
        id=one.id,
        address=one.floating_ip_address,
        fixed_ip=one.fixed_ip_address or "",
        port_id=one.port_id or "",
        mac=around.macs[one.floating_port_id],
        gateway_port_id=gateway_port_id,
        bandwidth=_bandwidth(qos),
        dscp_mark=_mark(qos),
    )


def _forwarding_plan(floatingip: FloatingIp, one: PortForwarding) -> PortForwardingPlan:
    return PortForwardingPlan(
        id=one.id,
        floatingip_id=floatingip.id,
        protocol=one.protocol,
        address=floatingip.floating_ip_address,
        port=one.external_port,
        fixed_ip=one.internal_ip_address,
        fixed_port=one.internal_port,
    )


def _scopes(leg: Leg | None, around: Surroundings) -> set[str]:
    """Return the address scopes of IPv4 that a leg stands in."""
    v4 = [] if leg is None else [ip for ip in leg.fixed_ips if ":" not in ip.ip_address]
    return {around.scopes[ip.subnet_id] for ip in v4 if ip.subnet_id in around.scopes}


def _router_port_plan(leg: Leg, around: Surroundings, outside: set[str]) -> RouterPortPlan:
    subnets = [around.subnets[fixed.subnet_id] for fixed in leg.fixed_ips]
    modes = [subnet.ipv6_ra_mode for subnet in subnets if subnet.ipv6_ra_mode]
    return RouterPortPlan(
        port_id=leg.port.id,
        network_id=leg.port.network_id,
        mac=leg.port.mac_address,
        cidrs=_cidrs(leg, around),
        ipv6_ra_mode=modes[0] if modes else None,
        mtu=around.networks[leg.port.network_id].mtu,
        is_public=not outside.isdisjoint(_scopes(leg, around)),
    )


def _gateway_plan(leg: Leg, router: Router, around: Surroundings) -> GatewayPlan:
    subnets = [around.subnets[fixed.subnet_id] for fixed in leg.fixed_ips]
    return GatewayPlan(
        port_id=leg.port.id,
        network_id=leg.port.network_id,
        mac=leg.port.mac_address,
        cidrs=_cidrs(leg, around),
        nexthops=[subnet.gateway_ip for subnet in subnets if subnet.gateway_ip],
        enable_snat=router.enable_snat,
        mtu=around.networks[leg.port.network_id].mtu,
    )


def _cidrs(leg: Leg, around: Surroundings) -> list[str]:
    lengths = {
        fixed.subnet_id: ipaddress.ip_network(around.subnets[fixed.subnet_id].cidr).prefixlen
        for fixed in leg.fixed_ips
    }
    return [f"{fixed.ip_address}/{lengths[fixed.subnet_id]}" for fixed in leg.fixed_ips]


def security_group_plan(
    group: SecurityGroup, rules: Iterable[Rule], addresses: Mapping[str, list[str]]
) -> SecurityGroupPlan:
    """Return what the backend is to have of a security group."""
    return SecurityGroupPlan(
        id=group.id,
        name=group.name,
        stateful=group.stateful,
        rules=[
            RulePlan(
                id=rule.id,
                direction=rule.direction,
                ethertype=rule.ethertype,
                protocol=rule.protocol,
                port_range_min=rule.port_range_min,
                port_range_max=rule.port_range_max,
                remote_ip_prefix=rule.remote_ip_prefix,
                remote_group_id=rule.remote_group_id,
                remote_addresses=addresses.get(rule.remote_address_group_id or ""),
            )
            for rule in rules
        ],
    )
