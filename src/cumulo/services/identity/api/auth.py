"""What the owner of a token may get a scope for, and the catalog."""

import msgspec

from cumulo.kit.errors import Forbidden
from cumulo.services.identity import catalog, domains, projects, standing
from cumulo.services.identity.api.tokens import ServiceView, catalog_view
from cumulo.services.identity.api.views import show_domain, show_project
from cumulo.services.identity.api.wire import Call, collection, link
from cumulo.services.identity.listings import Page
from cumulo.services.identity.standing import Scope
from cumulo.web import Routes

routes = Routes()


class CatalogBody(msgspec.Struct):
    """A catalog in an answer."""

    catalog: list[ServiceView]
    links: dict[str, object]


class SystemBody(msgspec.Struct):
    """The system scopes that can be had."""

    system: list[dict[str, bool]]
    links: dict[str, object]


@routes.get("/v3/auth/projects", policy="identity:get_auth_projects")
def list_own_projects(call: Call) -> dict[str, object]:
    """List the projects that the caller can get a token for."""
    found = call.db.read(projects.of_user, call.ctx.user_id)
    return collection(call, "projects", Page(found), lambda one: show_project(call, one))


@routes.get("/v3/auth/domains", policy="identity:get_auth_domains")
def list_own_domains(call: Call) -> dict[str, object]:
    """List the domains that the caller can get a token for."""
    found = call.db.read(domains.of_user, call.ctx.user_id)
    return collection(call, "domains", Page(found), lambda one: show_domain(call, one))


@routes.get("/v3/auth/system", policy="identity:get_auth_system")
def list_own_systems(call: Call) -> SystemBody:
    """Say whether the caller can get a token for the whole system."""
    roles = call.db.read(standing.roles_on, call.ctx.user_id, Scope("system"))
    return SystemBody([{"all": True}] if roles else [], link(call, "auth", "system"))


@routes.get("/v3/auth/catalog", policy="identity:get_auth_catalog")
def show_catalog(call: Call) -> CatalogBody:
    """Show the services and endpoints that the caller's project can use."""
    if call.ctx.project_id is None:
        raise Forbidden("A project-scoped token is required to produce a service catalog.")
    ids = {"user_id": call.ctx.user_id, "project_id": call.ctx.project_id}
    entries = call.db.read(lambda tx: catalog.catalog(tx, **ids))
    return CatalogBody(catalog_view(entries), link(call, "auth", "catalog"))
