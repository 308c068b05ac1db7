"""Routers: what may be done with them and what follows."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, quotas, refusals, router_gateways, tags, zones
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.router_gateways import GatewaySpec, GatewaysSpec
from cumulo.services.network.router_routes import check_routes, spelled
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import LooseBool, Text
from cumulo.services.network.store import auto_topologies, changes, sharing, standard, tables
from cumulo.services.network.store import routers as store
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
    ha: LooseBool | UnsetType | None = UNSET
    distributed: LooseBool | UnsetType | None = UNSET
    enable_default_route_ecmp: LooseBool = False
    enable_default_route_bfd: LooseBool = False


class RouterChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a router."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    admin_state_up: LooseBool | UnsetType = UNSET
    external_gateway_info: GatewaySpec | UnsetType | None = UNSET
    routes: list[Route] | UnsetType | None = UNSET
    ha: LooseBool | UnsetType = UNSET
    distributed: LooseBool | UnsetType = UNSET
    enable_default_route_ecmp: LooseBool | UnsetType = UNSET
    enable_default_route_bfd: LooseBool | UnsetType = UNSET


_PLAIN = (
    *("name", "description", "admin_state_up", "ha", "distributed"),
    *("enable_default_route_ecmp", "enable_default_route_bfd"),
)


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
        ha=spec.ha if isinstance(spec.ha, bool) else settings.l3_ha,
        distributed=(
            spec.distributed if isinstance(spec.distributed, bool) else settings.router_distributed
        ),
        enable_default_route_ecmp=spec.enable_default_route_ecmp,
        enable_default_route_bfd=spec.enable_default_route_bfd,
    )
    store.router_insert(tx, router)
    if gateway.network_id:
        router_gateways.set_gateway(tx, ctx, settings, router, gateway)
    changes.mark(tx, "router", [router.id])
    journal.created(tx, ctx, "router", router)
    return router


def update_router(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    router: Router,
    wanted: RouterChange,
) -> Router:
    """Change a router as it stands."""
    values = {name: value for name in _PLAIN if (value := getattr(wanted, name)) is not UNSET}
    _check_down(router, values)
    gateway = wanted.external_gateway_info
    if gateway is not UNSET:
        values["enable_snat"] = gateway is None or gateway.enable_snat is not False
    if wanted.routes is not UNSET:
        values["routes"] = spelled(wanted.routes or [])
    # The revision keeps two changes of one router from seeing each other's legs half made.
    if not standard.change(tx, tables.router, router.id, revision=router.revision_number, **values):
        raise LostRace
    if gateway is not UNSET:
        router_gateways.set_gateway(tx, ctx, settings, router, gateway or GatewaySpec())
    if wanted.routes is not UNSET:
        check_routes(tx, settings, router.id, values["routes"])
    changes.mark(tx, "router", [router.id])
    found = router_get(tx, router.id)
    journal.updated(tx, ctx, "router", router, found)
    return found


def change_gateways(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    router: Router,
    wanted: tuple[str, GatewaysSpec],
) -> Router:
    """Add, change or remove ways out, as the router stands."""
    action, specs = wanted[0], wanted[1].external_gateways
    values, revision = _snat_of_first(tx, router, action, specs), router.revision_number
    if not standard.change(tx, tables.router, router.id, revision=revision, **values):
        raise LostRace
    before, router = router, msgspec.structs.replace(router, **values)
    match action:
        case "add_external_gateways":
            router_gateways.add_gateways(tx, ctx, settings, router, specs)
        case "update_external_gateways":
            router_gateways.update_gateways(tx, ctx, settings, router, specs)
        case _:
            router_gateways.remove_gateways(tx, ctx, router, specs)
    changes.mark(tx, "router", [router.id])
    found = router_get(tx, router.id)
    journal.updated(tx, ctx, "router", before, found)
    return found


def _snat_of_first(
    tx: Tx, router: Router, action: str, specs: Sequence[GatewaySpec]
) -> dict[str, bool]:
    """Return what the first way out that a router gets says of translation, for all of them."""
    said = specs[0].enable_snat if specs and action == "add_external_gateways" else UNSET
    if said is UNSET or router_gateways.gateway_of(tx, router.id) is not None:
        return {}
    return {"enable_snat": said}


def _check_down(router: Router, values: Mapping[str, object]) -> None:
    """Refuse to move the traffic of a router that carries some."""
    for name, what in (("ha", "HA"), ("distributed", "distributed")):
        changes_it = name in values and values[name] != getattr(router, name)
        if changes_it and values.get("admin_state_up", router.admin_state_up):
            raise refusals.bad_request(
                "router",
                f"Cannot change {what} attribute of active routers. Please set router "
                "admin_state_up to False prior to upgrade",
            )


def delete_router(tx: Tx, ctx: Context, settings: NetworkSettings, router: Router) -> None:
    """Forget a router without legs inside; its way out goes with it."""
    inside = [leg.port_id for leg in store.legs_of(tx, [router.id]) if leg.kind == store.INTERFACE]
    if inside:
        raise Conflict(
            f"Router {router.id} has ports still attached: {', '.join(inside)}",
            type="RouterInUse",
        )
    router_gateways.close_all(tx, ctx, router)
    tags.forget(tx, router.id)
    auto_topologies.forget(tx, router_id=router.id)
    if not standard.remove(tx, tables.router, router.id):
        raise refusals.router_not_found(router.id)
    quotas.give_back(tx, router.project_id, "router")
    changes.mark(tx, "router", [router.id])
    journal.deleted(tx, ctx, "router", router)
