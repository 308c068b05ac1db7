"""A router's legs inside: into a subnet, or through a port that is there."""

import ipaddress
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.network import journal, ports, refusals, router_subnets
from cumulo.services.network.addresses import ROUTER_INTERFACE, FixedIpSpec
from cumulo.services.network.networks import network_get
from cumulo.services.network.port_changes import discard_port
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id
from cumulo.services.network.store import allocations, changes, sharing, standard, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import port_forwardings as forwarding_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.routers import INTERFACE, Leg, Router
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.values import FixedIp
from cumulo.services.network.subnets import subnet_visible


class InterfaceSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Where a client wants a leg, or wants it no more."""

    subnet_id: Id | UnsetType = UNSET
    port_id: Id | UnsetType = UNSET


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A leg that came or went, as the API tells it."""

    id: str
    tenant_id: str
    project_id: str
    port_id: str
    network_id: str
    subnet_id: str
    subnet_ids: list[str]
    tags: list[str] = []


def add_interface(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: InterfaceSpec
) -> Interface:
    """Give the router a leg in a subnet, at its gateway address, or through a port."""
    if wanted.port_id and wanted.subnet_id:
        raise refusals.bad_request("router", "Cannot specify both subnet-id and port-id")
    if not standard.change(tx, tables.router, router.id, revision=router.revision_number):
        raise LostRace
    if wanted.port_id:
        port, subnet_ids = _add_port(tx, ctx, router, wanted.port_id)
    elif wanted.subnet_id:
        port, subnet_ids = _add_subnet(tx, ctx, settings, router, wanted.subnet_id)
    else:
        raise _neither()
    changes.mark(tx, "port", [port.id])
    changes.mark(tx, "router", [router.id])
    _log(tx, ctx, router)
    return _shown(router, port, subnet_ids)


def _neither() -> Invalid:
    return refusals.bad_request("router", "Either subnet_id or port_id must be specified")


def _shown(router: Router, port: Port, subnet_ids: Sequence[str]) -> Interface:
    return Interface(
        id=router.id,
        tenant_id=port.project_id,
        project_id=port.project_id,
        port_id=port.id,
        network_id=port.network_id,
        subnet_id=subnet_ids[-1],
        subnet_ids=list(subnet_ids),
    )


def _add_subnet(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, subnet_id: str
) -> tuple[Port, list[str]]:
    subnet = subnet_visible(tx, ctx, subnet_id)
    if not subnet.gateway_ip:
        raise refusals.bad_request("router", "Subnet for router interface must have a gateway IP")
    _check_owner(tx, ctx, subnet)
    _check_mode(subnet)
    router_subnets.check_apart(tx, router.id, [subnet])
    port = _v6_leg(tx, router.id, subnet) if subnet.ip_version == 6 else None
    fixed = FixedIp(subnet.id, subnet.gateway_ip)
    if port is not None:
        _extend(tx, port, fixed)
    else:
        spec = ports.PortSpec(
            network_id=subnet.network_id,
            project_id=router.project_id,
            device_id=router.id,
            device_owner=ROUTER_INTERFACE,
            fixed_ips=[FixedIpSpec(fixed.subnet_id, fixed.ip_address)],
        )
        network = network_get(tx, subnet.network_id)
        port = ports.create_service_port(tx, ctx, settings, network, spec)
        store.leg_insert(tx, Leg(router.id, port.id, INTERFACE))
    store.router_subnets_insert(tx, Leg(router.id, port.id, INTERFACE), [subnet.id])
    return port, [subnet.id]


def _check_owner(tx: Tx, ctx: Context, subnet: Subnet) -> None:
    """Let only those put a router into a subnet who own it, or to whom it was lent by name."""
    if ctx.is_admin or subnet.project_id == ctx.project_id:
        return
    lent_to = sharing.targets(tx, subnet.network_id, sharing.SHARED)
    if ctx.project_id not in lent_to:
        raise refusals.bad_request(
            "router",
            f"Cannot add interface to router because subnet {subnet.id} is not owned by project "
            "making the request",
        )


def _check_mode(subnet: Subnet) -> None:
    if subnet.ip_version == 6 and subnet.ipv6_address_mode and not subnet.ipv6_ra_mode:
        raise refusals.bad_request(
            "router",
            f"IPv6 subnet {subnet.id} configured to receive RAs from an external router cannot "
            "be added to Neutron Router.",
        )


def _v6_leg(tx: Tx, router_id: str, subnet: Subnet) -> Port | None:
    """Return the router's leg in that network that has v6 addresses: there is but one."""
    legs = [leg.port_id for leg in store.legs_of(tx, [router_id]) if leg.kind == INTERFACE]
    ips = allocations.allocation_map(tx, legs)
    for port in port_store.ports_by_id(tx, legs).values():
        has_v6 = any(":" in fixed.ip_address for fixed in ips[port.id])
        if port.network_id == subnet.network_id and has_v6:
            return port
    return None


def _extend(tx: Tx, port: Port, fixed: FixedIp) -> None:
    place = len(allocations.allocation_map(tx, [port.id])[port.id])
    if not allocations.allocation_insert(tx, port.id, fixed, place):
        raise refusals.address_in_use(port.network_id, fixed.ip_address)
    standard.change(tx, tables.port, port.id)


def _add_port(tx: Tx, ctx: Context, router: Router, port_id: str) -> tuple[Port, list[str]]:
    port = ports.port_visible(tx, ctx, port_id)
    if port.device_id:
        raise Conflict(
            f"Unable to complete operation on port {port.id} for network {port.network_id}. "
            f"Port already has an attached device {port.device_id}.",
            type="PortInUse",
        )
    fixed = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    if not fixed:
        raise refusals.bad_request("router", "Router port must have at least one fixed IP")
    found = subnet_store.subnets_by_id(tx, {ip.subnet_id for ip in fixed})
    subnets = [found[ip.subnet_id] for ip in fixed]
    if sum(subnet.ip_version == 4 for subnet in subnets) > 1:
        raise refusals.bad_request("router", "Cannot have multiple IPv4 subnets on router port")
    for subnet in subnets:
        _check_mode(subnet)
    _check_in_pools(ctx, port, fixed, found)
    router_subnets.check_apart(tx, router.id, subnets)
    values = {"device_id": router.id, "device_owner": ROUTER_INTERFACE}
    if not standard.change(tx, tables.port, port.id, revision=port.revision_number, **values):
        raise LostRace
    port_store.groups_set(tx, port.id, [])
    leg = Leg(router.id, port.id, INTERFACE)
    store.leg_insert(tx, leg)
    subnet_ids = list(dict.fromkeys(ip.subnet_id for ip in fixed))
    store.router_subnets_insert(tx, leg, subnet_ids)
    return port, subnet_ids


def _check_in_pools(
    ctx: Context, port: Port, fixed: Sequence[FixedIp], subnets: dict[str, Subnet]
) -> None:
    """Keep a guest of a shared network from becoming its gateway."""
    for ip in fixed:
        subnet, key = subnets[ip.subnet_id], allocations.key_of(ip.ip_address)
        inside = any(
            allocations.key_of(pool.start) <= key <= allocations.key_of(pool.end)
            for pool in subnet.allocation_pools
        )
        if not (inside or ctx.is_admin or subnet.project_id == ctx.project_id):
            raise refusals.bad_request(
                "router",
                f"Cannot add interface to router because specified port {port.id} has an IP "
                f"address out of the allocation pool of subnet {subnet.id}, which is not owned "
                "by the project making the request",
            )


def remove_interface(tx: Tx, ctx: Context, router: Router, wanted: InterfaceSpec) -> Interface:
    """Take the router's leg away, and with it a port that has no other subnet."""
    if not wanted.port_id and not wanted.subnet_id:
        raise _neither()
    if not standard.change(tx, tables.router, router.id, revision=router.revision_number):
        raise LostRace
    port, subnet_ids = _leg(tx, router, wanted)
    gone = subnet_ids if wanted.port_id else [wanted.subnet_id or ""]
    for subnet_id in gone:
        _check_unused(tx, router, subnet_id)
    if set(gone) == set(subnet_ids):
        discard_port(tx, ctx, port)
    else:
        _shrink(tx, router, port, gone[0])
    changes.mark(tx, "router", [router.id])
    _log(tx, ctx, router)
    return _shown(router, port, gone)


def _log(tx: Tx, ctx: Context, before: Router) -> None:
    journal.updated(tx, ctx, "router", before, store.routers_by_id(tx, [before.id])[before.id])


def _leg(tx: Tx, router: Router, wanted: InterfaceSpec) -> tuple[Port, list[str]]:
    port_id = wanted.port_id or store.leg_in_subnet(tx, router.id, wanted.subnet_id or "")
    leg = store.leg_of_port(tx, port_id) if port_id else None
    if leg is None or (leg.router_id, leg.kind) != (router.id, INTERFACE):
        raise _no_leg(router.id, wanted)
    fixed = allocations.allocation_map(tx, [leg.port_id])[leg.port_id]
    subnet_ids = list(dict.fromkeys(ip.subnet_id for ip in fixed))
    if wanted.subnet_id and wanted.subnet_id not in subnet_ids:
        raise Invalid(
            f"Subnet on port {leg.port_id} does not match the requested subnet {wanted.subnet_id}.",
            type="SubnetMismatchForPort",
        )
    return ports.port_get(tx, leg.port_id), subnet_ids


def _no_leg(router_id: str, wanted: InterfaceSpec) -> NotFound:
    if wanted.port_id:
        return NotFound(
            f"Router {router_id} does not have an interface with id {wanted.port_id}",
            type="RouterInterfaceNotFound",
        )
    return NotFound(
        f"Router {router_id} has no interface on subnet {wanted.subnet_id}",
        type="RouterInterfaceNotFoundForSubnet",
    )


def _carries_floating(router: Router, subnet_id: str) -> Conflict:
    return Conflict(
        f"Router interface for subnet {subnet_id} on router {router.id} cannot be "
        "deleted, as it is required by one or more floating IPs.",
        type="RouterInterfaceInUseByFloatingIP",
    )


def _check_unused(tx: Tx, router: Router, subnet_id: str) -> None:
    subnet = subnet_store.subnets_by_id(tx, [subnet_id])[subnet_id]
    cidr = ipaddress.ip_network(subnet.cidr)
    inside = set(allocations.subnet_ports(tx, subnet_id))
    for one in floatingip_store.floatingips_of_routers(tx, [router.id]):
        if one.port_id in inside and ipaddress.ip_address(one.fixed_ip_address or "") in cidr:
            raise _carries_floating(router, subnet_id)
    carried = [one.id for one in floatingip_store.floatingips_of_routers(tx, [router.id])]
    forwardings = forwarding_store.forwardings_of(tx, carried).values()
    if any(one.internal_port_id in inside for found in forwardings for one in found):
        raise _carries_floating(router, subnet_id)
    if any(ipaddress.ip_address(route.nexthop) in cidr for route in router.routes):
        raise Conflict(
            f"Router interface for subnet {subnet_id} on router {router.id} cannot be deleted, "
            "as it is required by one or more routes.",
            type="RouterInterfaceInUseByRoute",
        )


def _shrink(tx: Tx, router: Router, port: Port, subnet_id: str) -> None:
    for fixed in allocations.allocation_map(tx, [port.id])[port.id]:
        if fixed.subnet_id == subnet_id:
            allocations.allocation_delete(tx, port.id, fixed)
    store.router_subnet_delete(tx, router.id, subnet_id)
    standard.change(tx, tables.port, port.id)
    changes.mark(tx, "port", [port.id])
