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


def gateway_of(tx: Tx, router_id: str) -> Port | None:
    """Return the router's port in an external network, if it has one."""
    legs = [leg.port_id for leg in store.legs_of(tx, [router_id]) if leg.kind == GATEWAY]
    return port_store.port_find(tx, legs[0]) if legs else None


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
        _open(tx, ctx, settings, router, wanted)


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
    if floatingip_store.floatingips_of_routers(tx, [router.id]):
        raise Conflict(
            f"Gateway cannot be updated for router {router.id}, since a gateway to external "
            f"network {present.network_id} is required by one or more floating IPs.",
            type="RouterExternalGatewayInUseByFloatingIp",
        )
    discard_port(tx, ctx, present)


def _open(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: GatewaySpec
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
    store.leg_insert(tx, Leg(router.id, port.id, GATEWAY))


def _readdress(tx: Tx, settings: NetworkSettings, port: Port, wanted: GatewaySpec) -> None:
    if not wanted.external_fixed_ips:
        return
    asked = ports.checked_fixed_ips(settings, wanted.external_fixed_ips)
    ports.check_subnets_exist(tx, asked)
    subnets = subnet_store.subnets_of(tx, [port.network_id])
    current = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    addresses.reassign(tx, ports.holder_of(port), subnets, current, asked)
    changes.mark(tx, "port", [port.id])
