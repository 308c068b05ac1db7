"""Routers over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import router_interfaces, router_routes, router_views, routers
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.permissions import check_action
from cumulo.services.network.api.requests import within
from cumulo.services.network.refusals import router_not_found
from cumulo.services.network.router_gateways import GatewaysSpec
from cumulo.services.network.router_interfaces import Interface, InterfaceSpec
from cumulo.services.network.router_routes import RoutesSpec
from cumulo.services.network.router_views import Details, FixedIp, Route
from cumulo.services.network.routers import RouterChange, RouterSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One router, or many at once."""

    router: RouterSpec | UnsetType = UNSET
    routers: Annotated[list[RouterSpec], within("router")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    router: RouterChange


class RoutesBody(msgspec.Struct, forbid_unknown_fields=True):
    """The routes to add or remove."""

    router: RoutesSpec


class GatewaysBody(msgspec.Struct, forbid_unknown_fields=True):
    """The ways out to add, change or remove."""

    router: GatewaysSpec


class GatewayView(msgspec.Struct):
    """A router's way out as clients see it."""

    network_id: str
    enable_snat: bool
    external_fixed_ips: list[FixedIp]


class RouterView(StandardView, kw_only=True, gc=False):
    """A router as clients see it."""

    admin_state_up: bool | UnsetType
    status: str | UnsetType
    external_gateway_info: GatewayView | UnsetType | None
    external_gateways: list[GatewayView] | UnsetType
    routes: list[Route] | UnsetType
    ha: bool | UnsetType
    distributed: bool | UnsetType
    enable_default_route_ecmp: bool | UnsetType
    enable_default_route_bfd: bool | UnsetType
    availability_zone_hints: list[str] | UnsetType
    availability_zones: list[str] | UnsetType


@routes.get("/v2.0/routers", policy="regular_user")
def list_routers(call: Call[Tools]) -> Answer:
    """List the routers of the project."""
    return ROUTER.listed(call, router_views.list_routers)


@routes.post("/v2.0/routers", policy="create_router", status=201)
def create_router(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a router, or several at once."""
    return ROUTER.created(call, body, _create)


@routes.get("/v2.0/routers/{router_id}", policy="regular_user")
def show_router(call: Call[Tools], router_id: str) -> Answer:
    """Show a router."""
    return ROUTER.shown(call, _details, router_id)


@routes.put("/v2.0/routers/{router_id}", policy="regular_user")
def update_router(call: Call[Tools], router_id: str, body: UpdateBody) -> Answer:
    """Change a router, its way out, its routes."""
    return ROUTER.changed(call, call.db.write(_update, call, router_id, body.router))


@routes.delete("/v2.0/routers/{router_id}", policy="regular_user", status=204)
def delete_router(call: Call[Tools], router_id: str) -> None:
    """Delete a router that stands in no subnet."""
    call.db.write(_delete, call, router_id)


@routes.put("/v2.0/routers/{router_id}/add_router_interface", policy="regular_user")
def add_router_interface(call: Call[Tools], router_id: str, body: InterfaceSpec) -> Interface:
    """Put the router into a subnet, at its gateway address or through a port."""
    return call.db.write(_add_interface, call, router_id, body)


@routes.put("/v2.0/routers/{router_id}/remove_router_interface", policy="regular_user")
def remove_router_interface(call: Call[Tools], router_id: str, body: InterfaceSpec) -> Interface:
    """Take the router out of a subnet."""
    return call.db.write(_remove_interface, call, router_id, body)


@routes.put("/v2.0/routers/{router_id}/add_extraroutes", policy="regular_user")
def add_extraroutes(call: Call[Tools], router_id: str, body: RoutesBody) -> Answer:
    """Add routes, whatever others add at the same time."""
    found = call.db.write(_change_routes, call, router_id, body.router, "add_extraroutes")
    return ROUTER.changed(call, found)


@routes.put("/v2.0/routers/{router_id}/remove_extraroutes", policy="regular_user")
def remove_extraroutes(call: Call[Tools], router_id: str, body: RoutesBody) -> Answer:
    """Remove routes, whatever others do at the same time."""
    found = call.db.write(_change_routes, call, router_id, body.router, "remove_extraroutes")
    return ROUTER.changed(call, found)


@routes.put("/v2.0/routers/{router_id}/add_external_gateways", policy="regular_user")
def add_external_gateways(call: Call[Tools], router_id: str, body: GatewaysBody) -> Answer:
    """Give a router more ways out, also several into one network."""
    found = call.db.write(_change_gateways, call, router_id, body.router, "add_external_gateways")
    return ROUTER.changed(call, found)


@routes.put("/v2.0/routers/{router_id}/update_external_gateways", policy="regular_user")
def update_external_gateways(call: Call[Tools], router_id: str, body: GatewaysBody) -> Answer:
    """Give some of a router's ways out other addresses."""
    found = call.db.write(
        _change_gateways, call, router_id, body.router, "update_external_gateways"
    )
    return ROUTER.changed(call, found)


@routes.put("/v2.0/routers/{router_id}/remove_external_gateways", policy="regular_user")
def remove_external_gateways(call: Call[Tools], router_id: str, body: GatewaysBody) -> Answer:
    """Take some of a router's ways out."""
    found = call.db.write(
        _change_gateways, call, router_id, body.router, "remove_external_gateways"
    )
    return ROUTER.changed(call, found)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[RouterSpec]) -> list[Details]:
    made = []
    for spec in specs:
        ROUTER.check_create(call, spec)
        made.append(routers.create_router(tx, call.ctx, call.tools.settings, spec))
    return router_views.details(tx, made)


def _details(tx: Tx, call: Call[Tools], router_id: str) -> Details:
    return router_views.details(tx, [routers.router_visible(tx, call.ctx, router_id)])[0]


def _update(tx: Tx, call: Call[Tools], router_id: str, wanted: RouterChange) -> Details:
    before = _details(tx, call, router_id)
    # The router changes only as it was when its revision was looked at.
    ROUTER.check_update(call, before, wanted)
    settings = call.tools.settings
    after = routers.update_router(tx, call.ctx, settings, before.router, wanted)
    return router_views.details(tx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], router_id: str) -> None:
    found = _details(tx, call, router_id)
    ROUTER.check_delete(call, found)
    routers.delete_router(tx, call.ctx, call.tools.settings, found.router)


def _add_interface(tx: Tx, call: Call[Tools], router_id: str, wanted: InterfaceSpec) -> Interface:
    router = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require("add_router_interface", project_id=router.project_id)
    settings = call.tools.settings
    return router_interfaces.add_interface(tx, call.ctx, settings, router, wanted)


def _remove_interface(
    tx: Tx, call: Call[Tools], router_id: str, wanted: InterfaceSpec
) -> Interface:
    router = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require("remove_router_interface", project_id=router.project_id)
    return router_interfaces.remove_interface(tx, call.ctx, router, wanted)


def _change_routes(
    tx: Tx, call: Call[Tools], router_id: str, wanted: RoutesSpec, action: str
) -> Details:
    router = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require(action, project_id=router.project_id)
    change = router_routes.CHANGES[action]
    after = change(tx, call.ctx, call.tools.settings, router, wanted.routes)
    return router_views.details(tx, [after])[0]


def _change_gateways(
    tx: Tx, call: Call[Tools], router_id: str, wanted: GatewaysSpec, action: str
) -> Details:
    router = routers.router_visible(tx, call.ctx, router_id)
    check_action(call.ctx, action, wanted, project_id=router.project_id)
    after = routers.change_gateways(tx, call.ctx, call.tools.settings, router, (action, wanted))
    return router_views.details(tx, [after])[0]


def _view(call: Call[Tools], found: Details) -> RouterView:
    router = found.router
    gateways = [
        GatewayView(one.network_id, router.enable_snat, one.fixed_ips) for one in found.gateways
    ]
    return RouterView(
        **standard(router, found.tags),
        admin_state_up=router.admin_state_up,
        status=router.status,
        external_gateway_info=gateways[0] if gateways else None,
        external_gateways=gateways,
        routes=router.routes,
        ha=router.ha,
        distributed=router.distributed,
        enable_default_route_ecmp=found.router.enable_default_route_ecmp,
        enable_default_route_bfd=found.router.enable_default_route_bfd,
        availability_zone_hints=router.availability_zone_hints,
        availability_zones=[call.tools.settings.default_availability_zone] if gateways else [],
    )


ROUTER: Noun[Details] = Noun(
    "router", "routers", lambda found: found.router, _view, router_not_found
)
