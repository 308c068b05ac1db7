"""Endpoint filtering: OS-EP-FILTER."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import endpoint_groups as groups
from cumulo.services.identity.api.views import show_endpoint as endpoint_view
from cumulo.services.identity.api.views import show_project
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    Name255,
    NamedQuery,
    collection,
    given,
    link,
    listing,
    split,
)
from cumulo.services.identity.endpoint_groups import EndpointGroup
from cumulo.services.identity.listings import Page
from cumulo.web import LooseBool, Routes

routes = Routes()

_GROUPS = "/v3/OS-EP-FILTER/endpoint_groups"
_GROUP = _GROUPS + "/{endpoint_group_id}"
_SHOWN_GROUP = _GROUP + "/projects/{project_id}"
_SHOWN_ENDPOINT = "/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}"


class Filters(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What the endpoints of a group have in common."""

    service_id: str | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET
    interface: Annotated[str, Meta(pattern=r"^(admin|internal|public)\Z")] | UnsetType = UNSET
    enabled: LooseBool | UnsetType = UNSET


class GroupSpec(msgspec.Struct, kw_only=True):
    """What a client says about the endpoint group it wants."""

    name: Name255
    filters: Filters
    description: str | None = None


class GroupPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    name: Name255 | UnsetType = UNSET
    filters: Filters | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class GroupBody(msgspec.Struct, forbid_unknown_fields=True):
    """An endpoint group in a request."""

    endpoint_group: Attributes


@routes.get(_GROUPS, policy="identity:list_endpoint_groups")
def list_endpoint_groups(call: Call, query: NamedQuery) -> dict[str, object]:
    """List endpoint groups."""
    found = call.db.read(groups.group_list, listing(call, query))
    return collection(call, "endpoint_groups", found, lambda one: _show(call, one))


@routes.post(_GROUPS, policy="identity:create_endpoint_group", status=201)
def create_endpoint_group(call: Call, body: GroupBody) -> dict[str, object]:
    """Name the endpoints that have some facts in common."""
    spec, _ = split(GroupSpec, body.endpoint_group)
    new = EndpointGroup(new_hex_id(), spec.name, spec.description, _told(spec.filters))
    return {"endpoint_group": _show(call, call.db.write(groups.create_group, call.ctx, new))}


@routes.get(_GROUP, policy="identity:get_endpoint_group")
def get_endpoint_group(call: Call, endpoint_group_id: str) -> dict[str, object]:
    """Show an endpoint group."""
    return {"endpoint_group": _show(call, call.db.read(groups.group_get, endpoint_group_id))}


@routes.patch(_GROUP, policy="identity:update_endpoint_group")
def update_endpoint_group(call: Call, endpoint_group_id: str, body: GroupBody) -> dict[str, object]:
    """Change an endpoint group."""
    patch, _ = split(GroupPatch, body.endpoint_group)
    changes = given(patch, {})
    if isinstance(changes.get("filters"), Filters):
        changes["filters"] = _told(changes["filters"])
    group = call.db.write(groups.update_group, call.ctx, endpoint_group_id, changes)
    return {"endpoint_group": _show(call, group)}


@routes.delete(_GROUP, policy="identity:delete_endpoint_group", status=204)
def delete_endpoint_group(call: Call, endpoint_group_id: str) -> None:
    """Delete an endpoint group."""
    call.db.write(groups.delete_group, call.ctx, endpoint_group_id)


@routes.get(_GROUP + "/endpoints", policy="identity:list_endpoints_associated_with_endpoint_group")
def list_group_endpoints(call: Call, endpoint_group_id: str) -> dict[str, object]:
    """List the endpoints in an endpoint group."""
    found = Page(call.db.read(groups.endpoints_in, endpoint_group_id))
    return collection(call, "endpoints", found, lambda one: endpoint_view(call, one))


@routes.get(_GROUP + "/projects", policy="identity:list_projects_associated_with_endpoint_group")
def list_group_projects(call: Call, endpoint_group_id: str) -> dict[str, object]:
    """List the projects that show an endpoint group."""
    found = Page(call.db.read(groups.projects_showing_group, endpoint_group_id))
    return collection(call, "projects", found, lambda one: show_project(call, one))


@routes.get(_SHOWN_GROUP, policy="identity:get_endpoint_group_in_project")
def get_shown_group(call: Call, endpoint_group_id: str, project_id: str) -> dict[str, object]:
    """Show an endpoint group that a project shows."""
    group = call.db.read(groups.check_group_shown, project_id, endpoint_group_id)
    return {"endpoint_group": _show(call, group)}


@routes.put(_SHOWN_GROUP, policy="identity:add_endpoint_group_to_project", status=204)
def show_group(call: Call, endpoint_group_id: str, project_id: str) -> None:
    """Let a project show an endpoint group."""
    call.db.write(groups.show_group, call.ctx, project_id, endpoint_group_id)


@routes.delete(_SHOWN_GROUP, policy="identity:remove_endpoint_group_from_project", status=204)
def hide_group(call: Call, endpoint_group_id: str, project_id: str) -> None:
    """Let a project show an endpoint group no more."""
    call.db.write(groups.hide_group, call.ctx, project_id, endpoint_group_id)


@routes.get(
    "/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
    policy="identity:list_projects_for_endpoint",
)
def list_endpoint_projects(call: Call, endpoint_id: str) -> dict[str, object]:
    """List the projects that show an endpoint."""
    found = Page(call.db.read(groups.projects_showing_endpoint, endpoint_id))
    return collection(call, "projects", found, lambda one: show_project(call, one))


@routes.get(
    "/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups",
    policy="identity:list_endpoint_groups_for_project",
)
def list_project_groups(call: Call, project_id: str) -> dict[str, object]:
    """List the endpoint groups that a project shows."""
    found = Page(call.db.read(groups.groups_shown, project_id))
    return collection(call, "endpoint_groups", found, lambda one: _show(call, one))


@routes.get(
    "/v3/OS-EP-FILTER/projects/{project_id}/endpoints",
    policy="identity:list_endpoints_for_project",
)
def list_project_endpoints(call: Call, project_id: str) -> dict[str, object]:
    """List the endpoints that a project shows."""
    found = Page(call.db.read(groups.endpoints_shown, project_id))
    return collection(call, "endpoints", found, lambda one: endpoint_view(call, one))


@routes.get(_SHOWN_ENDPOINT, policy="identity:check_endpoint_in_project", status=204)
def check_shown_endpoint(call: Call, project_id: str, endpoint_id: str) -> None:
    """Say whether a project shows an endpoint by name."""
    call.db.read(groups.check_endpoint_shown, project_id, endpoint_id)


@routes.put(_SHOWN_ENDPOINT, policy="identity:add_endpoint_to_project", status=204)
def show_endpoint(call: Call, project_id: str, endpoint_id: str) -> None:
    """Let a project show an endpoint."""
    call.db.write(groups.show_endpoint, call.ctx, project_id, endpoint_id)


@routes.delete(_SHOWN_ENDPOINT, policy="identity:remove_endpoint_from_project", status=204)
def hide_endpoint(call: Call, project_id: str, endpoint_id: str) -> None:
    """Let a project show an endpoint no more."""
    call.db.write(groups.hide_endpoint, call.ctx, project_id, endpoint_id)


def _told(filters: object) -> dict[str, object]:
    assert isinstance(filters, Filters), "checked by the body's type"
    values = msgspec.structs.asdict(filters)
    return {name: value for name, value in values.items() if value is not UNSET}


def _show(call: Call, group: EndpointGroup) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(group),
        "links": link(call, "OS-EP-FILTER", "endpoint_groups", group.id),
    }
