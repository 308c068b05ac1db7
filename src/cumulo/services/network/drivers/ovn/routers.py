"""Routers as logical routers: legs, the way out, routes and translations."""

import ipaddress
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from cumulo.services.network.drivers.base import GatewayPlan, RouterPlan, RouterPortPlan
from cumulo.services.network.drivers.ovn.names import router_port_name, switch_name
from cumulo.services.network.drivers.ovn.qos import qos_cells, qos_rows
from cumulo.services.network.drivers.ovn.rows import Parent, Row, Value, row_id, unit_mark

_RA_MODES = {
    "slaac": "slaac",
    "dhcpv6-stateful": "dhcpv6_stateful",
    "dhcpv6-stateless": "dhcpv6_stateless",
}


def router_rows(
    plan: RouterPlan, gateway_hosts: Mapping[str, Sequence[str]], *, distributed: bool
) -> list[Row]:
    """Return a router with all that belongs to it.

    `gateway_hosts` are chassis for each way out, by its port, the best first.  A `distributed`
    floating IP is answered for on its guest's host, which then must have the external network.
    """
    unit = unit_mark("router", plan.id)
    router = Row(
        table="Logical_Router",
        key=plan.id,
        unit=unit,
        columns={
            "name": switch_name(plan.id),
            "enabled": frozenset({plan.admin_state_up}),
            "options": {
                "always_learn_from_arp_request": "false",
                "dynamic_neigh_routers": "true",
                "mac_binding_age_threshold": "300",
            },
        },
        ids={"neutron:router_name": plan.name},
    )
    rows = [router, *(_leg(router, leg) for leg in plan.ports)]
    for way in plan.gateways:
        rows += _gateway(router, plan, way, gateway_hosts.get(way.port_id, ()))
        rows += _own_addresses(router, plan, way)
    if plan.gateway is not None:
        rows += _floating_ips(router, plan, distributed=distributed)
        rows += _forwardings(router, plan)
        rows += _limits(router, plan)
    for route in plan.routes:
        rows.append(_route(router, route.destination, route.nexthop))
    return rows


def _leg(router: Row, leg: RouterPortPlan) -> Row:
    has_v6 = any(":" in cidr for cidr in leg.cidrs)
    mode = _RA_MODES.get(leg.ipv6_ra_mode or "")
    advertise = (
        {"address_mode": mode, "send_periodic": "true", "mtu": str(leg.mtu)}
        if mode is not None and has_v6
        else {}
    )
    return _router_port(router, leg.port_id, leg.mac, leg.cidrs, {"ipv6_ra_configs": advertise})


def _gateway(
    router: Row, plan: RouterPlan, gateway: GatewayPlan, hosts: Sequence[str]
) -> list[Row]:
    # What comes in may be longer than the narrowest network inside takes.
    mtu = min((leg.mtu for leg in plan.ports), default=gateway.mtu)
    options = {"gateway_mtu": str(mtu)} if mtu < gateway.mtu else {}
    port = _router_port(
        router,
        gateway.port_id,
        gateway.mac,
        gateway.cidrs,
        {"options": options, "ipv6_ra_configs": {}},
    )
    rows = [port]
    for index, host in enumerate(hosts):
        rows.append(
            Row(
                table="Gateway_Chassis",
                key=f"{gateway.port_id} {host}",
                unit=router.unit,
                columns={
                    "name": f"{router_port_name(gateway.port_id)}_{host}",
                    "chassis_name": host,
                    "priority": len(hosts) - index,
                },
                parent=Parent(port.table, port.id, "gateway_chassis"),
            )
        )
    # Without equal ways only the first is taken for what is nowhere else.
    taken = plan.spreads or gateway == plan.gateway
    for nexthop in gateway.nexthops if taken else ():
        rows += _default_route(router, plan, gateway, nexthop)
    return rows


def _default_route(router: Row, plan: RouterPlan, gateway: GatewayPlan, nexthop: str) -> list[Row]:
    """Return the route out by a gateway, and the probe that it depends on, if there is one."""
    everywhere, out = "::/0" if ":" in nexthop else "0.0.0.0/0", router_port_name(gateway.port_id)
    route = _route(router, everywhere, nexthop, out)
    if gateway != plan.gateway:
        route = msgspec.structs.replace(route, key=f"{route.key} {gateway.port_id}")
    if not plan.probes:
        return [route]
    probe = Row(
        table="BFD",
        key=f"{gateway.port_id} {nexthop}",
        unit=router.unit,
        columns={"logical_port": out, "dst_ip": nexthop},
    )
    watched = {**route.columns, "bfd": frozenset({probe.id})}
    return [probe, msgspec.structs.replace(route, columns=watched)]


def _own_addresses(router: Row, plan: RouterPlan, gateway: GatewayPlan) -> list[Row]:
    """Return the translations of what goes out by a way to the router's address there."""
    own = next((cidr.split("/")[0] for cidr in gateway.cidrs if ":" not in cidr), None)
    inside = {
        str(ipaddress.ip_interface(cidr).network)
        for leg in plan.ports
        for cidr in leg.cidrs
        if ":" not in cidr and not leg.is_public
    }
    if not gateway.enable_snat or own is None:
        return []
    first = gateway == plan.gateway
    place = _beyond(plan, gateway.port_id)
    return [
        _nat(
            router,
            f"{plan.id} {cidr}" if first else f"{plan.id} {cidr} {gateway.port_id}",
            ("snat", own, cidr),
            place,
        )
        for cidr in sorted(inside)
    ]


def _floating_ips(router: Row, plan: RouterPlan, *, distributed: bool) -> list[Row]:
    rows: list[Row] = []
    for address in filter(lambda each: each.fixed_ip, plan.floating_ips):
        place = _beyond(plan, address.gateway_port_id)
        if distributed and address.port_id and address.mac:
            place |= {
                "logical_port": frozenset({address.port_id}),
                "external_mac": frozenset({address.mac}),
            }
        nat = ("dnat_and_snat", address.address, address.fixed_ip)
        rows.append(_nat(router, address.id, nat, place))
    return rows


def _limits(router: Row, plan: RouterPlan) -> list[Row]:
    """Return how fast floating IPs may be, beyond the router, where their addresses are seen."""
    ways = {way.port_id: way for way in plan.gateways}
    rows: list[Row] = []
    for one in plan.floating_ips:
        way = ways.get(one.gateway_port_id, plan.gateway)
        assert way is not None
        cells = qos_cells(one.bandwidth, one.dscp_mark)
        rows += qos_rows(one.id, router.unit, (way.network_id, way.port_id), cells, one.address)
    return rows


def _beyond(plan: RouterPlan, port_id: str) -> dict[str, Value]:
    """Return by which way out a translation is; of one way OVN knows without being told."""
    if not plan.more_gateways or not port_id:
        return {}
    return {"gateway_port": frozenset({row_id("Logical_Router_Port", port_id)})}


def _forwardings(router: Row, plan: RouterPlan) -> list[Row]:
    """Return port forwardings as load balancers with one backend, one row a protocol."""
    vips: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for one in plan.port_forwardings:
        vips[one.protocol][f"{one.address}:{one.port}"] = f"{one.fixed_ip}:{one.fixed_port}"
    return [
        Row(
            table="Load_Balancer",
            key=f"{plan.id} {protocol}",
            unit=router.unit,
            columns={
                "name": f"pf-{plan.id}-{protocol}",
                "vips": found,
                "protocol": frozenset({protocol}),
                "options": {},
            },
            parent=Parent(router.table, router.id, "load_balancer"),
        )
        for protocol, found in sorted(vips.items())
    ]


def _router_port(
    router: Row, port_id: str, mac: str, cidrs: list[str], cells: dict[str, Value]
) -> Row:
    return Row(
        table="Logical_Router_Port",
        key=port_id,
        unit=router.unit,
        columns={
            "name": router_port_name(port_id),
            "mac": mac,
            "networks": frozenset(cidrs),
            "enabled": frozenset(),
            "options": {},
            **cells,
        },
        parent=Parent(router.table, router.id, "ports"),
    )


def _route(router: Row, destination: str, nexthop: str, out: str | None = None) -> Row:
    return Row(
        table="Logical_Router_Static_Route",
        key=f"{router.key} {destination} {nexthop}",
        unit=router.unit,
        columns={
            "ip_prefix": destination,
            "nexthop": nexthop,
            "output_port": frozenset() if out is None else frozenset({out}),
            "policy": frozenset({"dst-ip"}),
            "bfd": frozenset(),
        },
        parent=Parent(router.table, router.id, "static_routes"),
    )


def _nat(
    router: Row, key: str, nat: tuple[str, str, str], place: dict[str, Value] | None = None
) -> Row:
    kind, external, logical = nat
    return Row(
        table="NAT",
        key=key,
        unit=router.unit,
        columns={
            "type": kind,
            "external_ip": external,
            "logical_ip": logical,
            "logical_port": frozenset(),
            "external_mac": frozenset(),
            "gateway_port": frozenset(),
            "options": {},
            **(place or {}),
        },
        parent=Parent(router.table, router.id, "nat"),
    )
