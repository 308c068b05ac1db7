"""A router's routes besides those to the subnets it stands in."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network import journal, spelling
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import allocations, changes, standard, tables
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.routers import Router
from cumulo.services.network.store.values import Route


class RoutesSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Routes to add to a router's, or to take from them."""

    routes: list[Route]


def add_routes(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: Sequence[Route]
) -> Router:
    """Add the routes that the router does not have."""
    new = [route for route in spelled(wanted) if route not in router.routes]
    return _set(tx, ctx, settings, router, [*router.routes, *new])


def remove_routes(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, wanted: Sequence[Route]
) -> Router:
    """Take the routes away that the router has."""
    gone = spelled(wanted)
    return _set(tx, ctx, settings, router, [route for route in router.routes if route not in gone])


Change: TypeAlias = Callable[[Tx, Context, NetworkSettings, Router, Sequence[Route]], Router]
CHANGES: Mapping[str, Change] = {
    "add_extraroutes": add_routes,
    "remove_extraroutes": remove_routes,
}


def _set(
    tx: Tx, ctx: Context, settings: NetworkSettings, router: Router, routes: Sequence[Route]
) -> Router:
    if not standard.change(
        tx, tables.router, router.id, revision=router.revision_number, routes=routes
    ):
        raise LostRace
    check_routes(tx, settings, router.id, routes)
    changes.mark(tx, "router", [router.id])
    found = store.routers_by_id(tx, [router.id])[router.id]
    journal.updated(tx, ctx, "router", router, found)
    return found


def spelled(routes: Iterable[Route]) -> list[Route]:
    """Return routes in their one spelling, or refuse them."""
    return [spelling.route(route, "routes") for route in routes]


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
