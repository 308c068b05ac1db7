"""Routers over HTTP."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import revisions, router_interfaces, router_routes, routers
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import (
    expected_revision,
    log_create,
    log_delete,
    log_update,
    several,
)
from cumulo.services.network.refusals import router_not_found
from cumulo.services.network.router_interfaces import Interface, InterfaceSpec
from cumulo.services.network.router_routes import RoutesSpec
from cumulo.services.network.router_views import Details, FixedIp, Route, details
from cumulo.services.network.router_views import list_routers as find_routers
from cumulo.services.network.routers import RouterChange, RouterSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One router, or many at once."""

    router: RouterSpec | UnsetType = UNSET
    routers: list[RouterSpec] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    router: RouterChange


class RoutesBody(msgspec.Struct, forbid_unknown_fields=True):
    """The routes to add or remove."""

    router: RoutesSpec


class GatewayView(msgspec.Struct):
    """A router's way out as clients see it."""

    network_id: str
    enable_snat: bool
    external_fixed_ips: list[FixedIp]


class RouterView(msgspec.Struct, kw_only=True):
    """A router as clients see it."""

    id: str | UnsetType
    name: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    admin_state_up: bool | UnsetType
    status: str | UnsetType
    external_gateway_info: GatewayView | UnsetType | None
    routes: list[Route] | UnsetType
    availability_zone_hints: list[str] | UnsetType
    availability_zones: list[str] | UnsetType
    description: str | UnsetType
    tags: list[str] | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/routers", policy="regular_user")
def list_routers(call: Call[Tools]) -> Answer:
    """List the routers of the project."""
    found = call.db.read(find_routers, call.ctx, listing_of(call))
    return page(call, "routers", [d.router for d in found], _shown(call, found))


@routes.post("/v2.0/routers", policy="create_router", status=201)
def create_router(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a router, or several at once."""
    specs = several(body.router, body.routers, "router")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"routers": views} if body.router is UNSET else {"router": views[0]}


@routes.get("/v2.0/routers/{router_id}", policy="regular_user")
def show_router(call: Call[Tools], router_id: str) -> Answer:
    """Show a router."""
    views = _shown(call, call.db.read(_details, call, router_id))
    if not views:
        raise router_not_found(router_id)
    return {"router": select(views[0], fields_of(call))}


@routes.put("/v2.0/routers/{router_id}", policy="regular_user")
def update_router(call: Call[Tools], router_id: str, body: UpdateBody) -> Answer:
    """Change a router, its way out, its routes."""
    return {"router": _shown(call, call.db.write(_update, call, router_id, body.router))[0]}


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
    return {"router": _shown(call, found)[0]}


@routes.put("/v2.0/routers/{router_id}/remove_extraroutes", policy="regular_user")
def remove_extraroutes(call: Call[Tools], router_id: str, body: RoutesBody) -> Answer:
    """Remove routes, whatever others do at the same time."""
    found = call.db.write(_change_routes, call, router_id, body.router, "remove_extraroutes")
    return {"router": _shown(call, found)[0]}


def _create(tx: Tx, call: Call[Tools], specs: Sequence[RouterSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        check_create(ctx, "router", spec, **ctx.own())
        router = routers.create_router(tx, ctx, call.tools.settings, spec)
        log_create(tx, ctx, "router", router)
        made.append(router)
    return details(tx, made)


def _details(tx: Tx, call: Call[Tools], router_id: str) -> list[Details]:
    return details(tx, [routers.router_visible(tx, call.ctx, router_id)])


def _update(tx: Tx, call: Call[Tools], router_id: str, wanted: RouterChange) -> list[Details]:
    ctx, revision = call.ctx, expected_revision(call)
    before = routers.router_visible(tx, ctx, router_id)
    check_update(ctx, "router", wanted, project_id=before.project_id)
    revisions.check(before, revision)
    after = routers.update_router(tx, ctx, call.tools.settings, before, wanted)
    log_update(tx, ctx, "router", before, after)
    return details(tx, [after])


def _delete(tx: Tx, call: Call[Tools], router_id: str) -> None:
    router = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require("delete_router", project_id=router.project_id)
    revisions.check(router, expected_revision(call))
    routers.delete_router(tx, call.ctx, call.tools.settings, router)
    log_delete(tx, call.ctx, "router", router)


def _add_interface(tx: Tx, call: Call[Tools], router_id: str, wanted: InterfaceSpec) -> Interface:
    before = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require("add_router_interface", project_id=before.project_id)
    settings = call.tools.settings
    made = router_interfaces.add_interface(tx, call.ctx, settings, before, wanted)
    log_update(tx, call.ctx, "router", before, routers.router_get(tx, router_id))
    return made


def _remove_interface(
    tx: Tx, call: Call[Tools], router_id: str, wanted: InterfaceSpec
) -> Interface:
    before = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require("remove_router_interface", project_id=before.project_id)
    gone = router_interfaces.remove_interface(tx, before, wanted)
    log_update(tx, call.ctx, "router", before, routers.router_get(tx, router_id))
    return gone


def _change_routes(
    tx: Tx, call: Call[Tools], router_id: str, wanted: RoutesSpec, action: str
) -> list[Details]:
    before = routers.router_visible(tx, call.ctx, router_id)
    call.ctx.require(action, project_id=before.project_id)
    change = router_routes.CHANGES[action]
    after = change(tx, call.tools.settings, before, wanted.routes)
    log_update(tx, call.ctx, "router", before, after)
    return details(tx, [after])


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[RouterView]:
    sight, views = Sight(call.ctx, "router"), []
    zone = call.tools.settings.default_availability_zone
    for one in found:
        hidden = sight.hidden(project_id=one.router.project_id)
        if hidden is not None:
            view = _view(one, zone)
            hide(view, hidden)
            views.append(view)
    return views


def _view(found: Details, zone: str) -> RouterView:
    router, gateway = found.router, None
    if found.gateway_network_id:
        gateway = GatewayView(found.gateway_network_id, router.enable_snat, found.gateway_ips)
    return RouterView(
        id=router.id,
        name=router.name,
        tenant_id=router.project_id,
        project_id=router.project_id,
        admin_state_up=router.admin_state_up,
        status=router.status,
        external_gateway_info=gateway,
        routes=router.routes,
        availability_zone_hints=router.availability_zone_hints,
        availability_zones=[zone] if gateway else [],
        description=router.description,
        tags=found.tags,
        created_at=iso_z(router.created_at),
        updated_at=iso_z(router.updated_at),
        revision_number=router.revision_number,
    )
