"""A router's way out: a port in an external network."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import addresses, ports, refusals, router_subnets
from cumulo.services.network.addresses import FixedIpSpec
from cumulo.services.network.networks import network_visible
from cumulo.services.network.port_changes import discard_port
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseBool
from cumulo.services.network.store import allocations, changes
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.routers import GATEWAY, Leg, Router

OWNER = "network:router_gateway"


class GatewaySpec(msgspec.Struct, forbid_unknown_fields=True):
    """A way out that a client wants; without a network, none."""

    network_id: Id | None = None
    enable_snat: LooseBool | UnsetType = UNSET
    external_fixed_ips: list[FixedIpSpec] | UnsetType = UNSET


class GatewaysSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Ways out that a client means."""

    external_gateways: list[GatewaySpec]


def gateways_of(tx: Tx, router_id: str) -> list[Port]:
    """Return the router's ports in external networks, in order."""
    legs = [leg.port_id for leg in store.legs_of(tx, [router_id]) if leg.kind == GATEWAY]
    found = port_store.ports_by_id(tx, legs)
    return [found[port_id] for port_id in legs]


def gateway_of(tx: Tx, router_id: str) -> Port | None:
    """Return the router's first port in an external network, if it has one."""
    found = gateways_of(tx, router_id)
    return found[0] if found else None


def add_gateways(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: Sequence[GatewaySpec]
) -> None:
    """Give the router more ways out; the first that it has stays the first."""
    for spec in wanted:
        _check_spec(router, spec)
        _check(tx, ctx, router, spec.network_id or "", spec.external_fixed_ips or [])
        _open(tx, ctx, settings, router, spec)


def update_gateways(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: Sequence[GatewaySpec]
) -> None:
    """Give those of the router's ways out that are meant other addresses.

    A router without any gets its first, which is how clients set a gateway.
    """
    for spec in wanted:
        _check_spec(router, spec)
        if not gateways_of(tx, router.id):
            _check(tx, ctx, router, spec.network_id or "", spec.external_fixed_ips or [])
            _open(tx, ctx, settings, router, spec, first=True)
            continue
        _readdress(tx, settings, _meant(tx, router, spec), spec)


def remove_gateways(tx: Tx, ctx: Context, router: Router, gone: Sequence[GatewaySpec]) -> None:
    """Take those of the router's ways out that are meant."""
    for spec in gone:
        _close(tx, ctx, router, _meant(tx, router, spec))


def close_all(tx: Tx, ctx: Context, router: Router) -> None:
    """Take all ways out of a router that goes away."""
    for port in gateways_of(tx, router.id):
        _close(tx, ctx, router, port)


def _check_spec(router: Router, spec: GatewaySpec) -> None:
    if not spec.network_id:
        raise refusals.bad_request("router", "Each external gateway needs a network_id")
    if spec.enable_snat is not UNSET and spec.enable_snat != router.enable_snat:
        raise refusals.bad_request(
            "router",
            f"enable_snat is {router.enable_snat} for all external gateways of router "
            f"{router.id}; change it with external_gateway_info",
        )


def _meant(tx: Tx, router: Router, spec: GatewaySpec) -> Port:
    """Return the way out in a network, of several there that with one of the addresses."""
    found = [one for one in gateways_of(tx, router.id) if one.network_id == spec.network_id]
    if len(found) > 1 and spec.external_fixed_ips:
        named = {one.ip_address for one in spec.external_fixed_ips if one.ip_address}
        ips = allocations.allocation_map(tx, [port.id for port in found])
        found = [port for port in found if named & {ip.ip_address for ip in ips[port.id]}] or found
    if not found:
        raise refusals.bad_request(
            "router", f"Router {router.id} has no external gateway in {spec.network_id}"
        )
    return found[0]


def set_gateway(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: GatewaySpec
) -> None:
    """Give the router the way out that is wanted, or none."""
    present = gateway_of(tx, router.id)
    if present and present.network_id == wanted.network_id:
        _readdress(tx, settings, present, wanted)
        return
    if wanted.network_id:
        _check(tx, ctx, router, wanted.network_id, wanted.external_fixed_ips or [])
    if present:
        _close(tx, ctx, router, present)
    if wanted.network_id:
        _open(tx, ctx, settings, router, wanted, first=True)


def _check(
    tx: Tx, ctx: Context, router: Router, network_id: str, wanted: Sequence[FixedIpSpec]
) -> None:
    network = network_visible(tx, ctx, network_id)
    if not network.external:
        raise refusals.bad_request("router", f"Network {network_id} is not an external network")
    subnets = subnet_store.subnets_of(tx, [network_id])
    gateways = {subnet.gateway_ip for subnet in subnets if subnet.gateway_ip}
    for spec in wanted:
        if spec.ip_address in gateways:
            raise refusals.bad_request(
                "router", f"External IP {spec.ip_address} is the same as the gateway IP"
            )
    router_subnets.check_apart(tx, router.id, subnets)


def _close(tx: Tx, ctx: Context, router: Router, present: Port) -> None:
    carried = floatingip_store.floatingips_of_routers(tx, [router.id])
    others = [one for one in gateways_of(tx, router.id) if one.id != present.id]
    left = {one.network_id for one in others}
    if any(one.floating_network_id not in left for one in carried):
        raise Conflict(
            f"Gateway cannot be updated for router {router.id}, since a gateway to external "
            f"network {present.network_id} is required by one or more floating IPs.",
            type="RouterExternalGatewayInUseByFloatingIp",
        )
    discard_port(tx, ctx, present)


def _open(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    router: Router,
    wanted: GatewaySpec,
    *,
    first: bool = False,
) -> None:
    network = network_visible(tx, ctx, wanted.network_id or "")
    spec = ports.PortSpec(
        network_id=network.id,
        project_id="",
        device_id=router.id,
        device_owner=OWNER,
        fixed_ips=wanted.external_fixed_ips or UNSET,
    )
    port = ports.create_service_port(tx, ctx, settings, network, spec)
    legs = [leg for leg in store.legs_of(tx, [router.id]) if leg.kind == GATEWAY]
    places = [leg.position for leg in legs] or [0]
    place = min(places) - 1 if first else max(places) + 1
    store.leg_insert(tx, Leg(router.id, port.id, GATEWAY, place))


def _readdress(tx: Tx, settings: NetworkSettings, port: Port, wanted: GatewaySpec) -> None:
    if not wanted.external_fixed_ips:
        return
    asked = ports.checked_fixed_ips(settings, wanted.external_fixed_ips)
    ports.check_subnets_exist(tx, asked)
    subnets = subnet_store.subnets_of(tx, [port.network_id])
    current = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    addresses.reassign(tx, ports.holder_of(port), subnets, current, asked)
    changes.mark(tx, "port", [port.id])
