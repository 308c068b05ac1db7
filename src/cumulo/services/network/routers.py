"""Routers: what may be done with them and what follows."""

import ipaddress
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid
from cumulo.kit.ids import new_id
from cumulo.services.network import quotas, refusals, router_gateways, spelling, tags, zones
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.router_gateways import GatewaySpec
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import LooseBool, Text
from cumulo.services.network.store import allocations, changes, sharing, standard, tables
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.routers import Router
from cumulo.services.network.store.values import Route


class RouterSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a router it wants."""

    name: Text = ""
    description: Text = ""
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET
    admin_state_up: LooseBool = True
    external_gateway_info: GatewaySpec | None = None
    availability_zone_hints: list[Text] = []


class RouterChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a router."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    admin_state_up: LooseBool | UnsetType = UNSET
    external_gateway_info: GatewaySpec | UnsetType | None = UNSET
    routes: list[Route] | UnsetType | None = UNSET


def router_visible(tx: Tx, ctx: Context, router_id: str) -> Router:
    """Return a router the caller may know of; to anyone else it does not exist."""
    found = store.router_find(tx, router_id, sharing.owned(tables.router, viewer(ctx)))
    if found is None:
        raise refusals.router_not_found(router_id)
    return found


def router_get(tx: Tx, router_id: str) -> Router:
    """Return a router, whoever owns it."""
    found = store.router_find(tx, router_id)
    if found is None:
        raise refusals.router_not_found(router_id)
    return found


def create_router(tx: Tx, ctx: Context, settings: NetworkSettings, spec: RouterSpec) -> Router:
    """Record a new router, with a way out if one is wanted."""
    project_id, now = owner(ctx, spec.project_id, spec.tenant_id), clock.now()
    zones.check(settings, spec.availability_zone_hints)
    quotas.take(tx, settings, project_id, "router")
    gateway = spec.external_gateway_info or GatewaySpec()
    router = Router(
        id=new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        admin_state_up=spec.admin_state_up,
        status="ACTIVE",
        enable_snat=gateway.enable_snat is not False,
        routes=[],
        availability_zone_hints=spec.availability_zone_hints,
    )
    store.router_insert(tx, router)
    if gateway.network_id:
        router_gateways.set_gateway(tx, ctx, settings, router, gateway)
    changes.mark(tx, "router", [router.id])
    return router


def update_router(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    router: Router,
    wanted: RouterChange,
    revision: int | None,
) -> Router:
    """Change a router as it stands at `revision`, if one is given."""
    values = {
        name: value
        for name in ("name", "description", "admin_state_up")
        if (value := getattr(wanted, name)) is not UNSET
    }
    gateway = wanted.external_gateway_info
    if gateway is not UNSET:
        values["enable_snat"] = gateway is None or gateway.enable_snat is not False
    if wanted.routes is not UNSET:
        values["routes"] = [spelling.route(route, "routes") for route in wanted.routes or []]
    # The revision also keeps two changes of one router from seeing each other's legs half made.
    at = router.revision_number if revision is None else revision
    if not standard.change(tx, tables.router, router.id, revision=at, **values):
        raise LostRace
    if gateway is not UNSET:
        router_gateways.set_gateway(tx, ctx, settings, router, gateway or GatewaySpec())
    if wanted.routes is not UNSET:
        check_routes(tx, settings, router.id, values["routes"])
    changes.mark(tx, "router", [router.id])
    return router_get(tx, router.id)


def check_routes(
    tx: Tx, settings: NetworkSettings, router_id: str, routes: Sequence[Route]
) -> None:
    """Refuse routes by a next hop that the router does not reach at once, or is itself."""
    spelling.check_unique(routes, "routes")
    if len(routes) > settings.max_routes:
        raise Invalid(
            f"Unable to complete operation for {router_id}. The number of routes exceeds the "
            f"maximum {settings.max_routes}.",
            type="RoutesExhausted",
        )
    legs = [leg.port_id for leg in store.legs_of(tx, [router_id])]
    fixed = [ip for ips in allocations.allocation_map(tx, legs).values() for ip in ips]
    subnets = subnet_store.subnets_by_id(tx, {ip.subnet_id for ip in fixed})
    cidrs = [ipaddress.ip_network(subnet.cidr) for subnet in subnets.values()]
    own = {ip.ip_address for ip in fixed}
    for route in routes:
        hop = ipaddress.ip_address(route.nexthop)
        if not any(hop in cidr for cidr in cidrs if cidr.version == hop.version):
            raise _invalid_routes(routes, "the nexthop is not connected with router")
        if route.nexthop in own:
            raise _invalid_routes(routes, "the nexthop is used by router")


def _invalid_routes(routes: Iterable[Route], reason: str) -> Invalid:
    spelled = [{"destination": r.destination, "nexthop": r.nexthop} for r in routes]
    return Invalid(f"Invalid format for routes: {spelled}, {reason}", type="InvalidRoutes")


def delete_router(tx: Tx, ctx: Context, settings: NetworkSettings, router: Router) -> None:
    """Forget a router without legs inside; its way out goes with it."""
    inside = [leg.port_id for leg in store.legs_of(tx, [router.id]) if leg.kind == store.INTERFACE]
    if inside:
        raise Conflict(
            f"Router {router.id} has ports still attached: {', '.join(inside)}",
            type="RouterInUse",
        )
    router_gateways.set_gateway(tx, ctx, settings, router, GatewaySpec())
    tags.forget(tx, router.id)
    if not standard.remove(tx, tables.router, router.id):
        raise refusals.router_not_found(router.id)
    quotas.give_back(tx, router.project_id, "router")
    changes.mark(tx, "router", [router.id])
