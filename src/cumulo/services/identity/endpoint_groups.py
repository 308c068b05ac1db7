"""Endpoint filtering: a project that names endpoints sees no others in its catalog."""

from collections.abc import Iterable

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.identity.changes import Changes
from cumulo.services.identity.journal import note
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.store import endpoint_groups as store
from cumulo.services.identity.store.catalog import (
    Endpoint,
    endpoint_find,
    endpoint_page,
    service_find,
)
from cumulo.services.identity.store.endpoint_groups import EndpointGroup as EndpointGroup
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.projects import Project, project_find, projects_by_ids


def group_get(tx: Tx, group_id: str) -> EndpointGroup:
    """Return an endpoint group."""
    group = store.endpoint_group_find(tx, group_id)
    if group is None:
        raise absent("endpoint group", group_id)
    return group


def group_list(tx: Tx, listing: Listing) -> Page[EndpointGroup]:
    """Return endpoint groups."""
    return store.endpoint_group_page(tx, listing)


def create_group(tx: Tx, ctx: Context, new: EndpointGroup) -> EndpointGroup:
    """Record an endpoint group."""
    _check_filters(tx, new.filters)
    store.endpoint_group_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_group(tx: Tx, ctx: Context, group_id: str, changes: Changes) -> EndpointGroup:
    """Change an endpoint group, and with it the catalogs of projects that show it."""
    before = group_get(tx, group_id)
    filters = changes.get("filters")
    if isinstance(filters, dict):
        _check_filters(tx, filters)
    generation_advance(tx)
    after = store.endpoint_group_change(tx, before, **changes)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_group(tx: Tx, ctx: Context, group_id: str) -> None:
    """Delete an endpoint group."""
    group = group_get(tx, group_id)
    generation_advance(tx)
    store.endpoint_group_delete(tx, group.id)
    note(tx, ctx, "delete", before=group)


def endpoints_in(tx: Tx, group_id: str) -> list[Endpoint]:
    """Return the endpoints that an endpoint group has now."""
    group = group_get(tx, group_id)
    return [one for one in endpoint_page(tx, Listing()).members if _is_in(group, one)]


def projects_showing_group(tx: Tx, group_id: str) -> list[Project]:
    """Return the projects that show an endpoint group."""
    group_get(tx, group_id)
    return _projects(tx, store.projects_of_group(tx, group_id))


def projects_showing_endpoint(tx: Tx, endpoint_id: str) -> list[Project]:
    """Return the projects that show an endpoint, by name or in a group."""
    endpoint = _endpoint(tx, endpoint_id)
    found = set(store.projects_of_endpoint(tx, endpoint.id))
    for group in store.endpoint_group_page(tx, Listing()).members:
        if _is_in(group, endpoint):
            found |= set(store.projects_of_group(tx, group.id))
    return _projects(tx, found)


def groups_shown(tx: Tx, project_id: str) -> list[EndpointGroup]:
    """Return the endpoint groups that a project shows."""
    return store.groups_of_project(tx, _project(tx, project_id).id)


def endpoints_shown(tx: Tx, project_id: str) -> list[Endpoint]:
    """Return the endpoints that a project shows, by name or in a group."""
    project = _project(tx, project_id)
    wanted = filter_of(tx, project.id)
    everything = endpoint_page(tx, Listing()).members
    return [one for one in everything if wanted is not None and wanted(one)]


def filter_of(tx: Tx, project_id: str) -> "Filter | None":
    """Return what a project's catalog is limited to, if it is."""
    named = store.endpoints_of_project(tx, project_id)
    groups = store.groups_of_project(tx, project_id)
    return Filter(named, groups) if named or groups else None


class Filter:
    """Says whether a project shows an endpoint."""

    def __init__(self, named: Iterable[str], groups: list[EndpointGroup]) -> None:
        self._named, self._groups = frozenset(named), groups

    def __call__(self, endpoint: Endpoint) -> bool:
        """Say whether it is named, or in a group that is."""
        is_named = endpoint.id in self._named
        return is_named or any(_is_in(group, endpoint) for group in self._groups)


def check_group_shown(tx: Tx, project_id: str, group_id: str) -> EndpointGroup:
    """Return an endpoint group that a project shows."""
    group, project = group_get(tx, group_id), _project(tx, project_id)
    if project.id not in store.projects_of_group(tx, group.id):
        raise NotFound("Endpoint Group Project Association not found")
    return group


def show_group(tx: Tx, ctx: Context, project_id: str, group_id: str) -> None:
    """Let a project show an endpoint group."""
    group, project = group_get(tx, group_id), _project(tx, project_id)
    generation_advance(tx)
    store.group_show(tx, project.id, group.id)
    note(tx, ctx, "show", before=project, after=group)


def hide_group(tx: Tx, ctx: Context, project_id: str, group_id: str) -> None:
    """Let a project show an endpoint group no more."""
    group = check_group_shown(tx, project_id, group_id)
    generation_advance(tx)
    store.group_hide(tx, project_id, group.id)
    note(tx, ctx, "hide", before=group)


def check_endpoint_shown(tx: Tx, project_id: str, endpoint_id: str) -> Endpoint:
    """Return an endpoint that a project shows by name."""
    endpoint, project = _endpoint(tx, endpoint_id), _project(tx, project_id)
    if endpoint.id not in store.endpoints_of_project(tx, project.id):
        raise absent("endpoint", endpoint_id)
    return endpoint


def show_endpoint(tx: Tx, ctx: Context, project_id: str, endpoint_id: str) -> None:
    """Let a project show an endpoint."""
    endpoint, project = _endpoint(tx, endpoint_id), _project(tx, project_id)
    generation_advance(tx)
    store.endpoint_show(tx, project.id, endpoint.id)
    note(tx, ctx, "show", before=project, after=endpoint)


def hide_endpoint(tx: Tx, ctx: Context, project_id: str, endpoint_id: str) -> None:
    """Let a project show an endpoint no more."""
    endpoint = check_endpoint_shown(tx, project_id, endpoint_id)
    generation_advance(tx)
    store.endpoint_hide(tx, project_id, endpoint.id)
    note(tx, ctx, "hide", before=endpoint)


def _is_in(group: EndpointGroup, endpoint: Endpoint) -> bool:
    return all(getattr(endpoint, name, None) == value for name, value in group.filters.items())


def _check_filters(tx: Tx, filters: dict[str, object]) -> None:
    service_id = filters.get("service_id")
    if isinstance(service_id, str) and service_find(tx, service_id) is None:
        raise absent("service", service_id)


def _endpoint(tx: Tx, endpoint_id: str) -> Endpoint:
    endpoint = endpoint_find(tx, endpoint_id)
    if endpoint is None:
        raise absent("endpoint", endpoint_id)
    return endpoint


def _project(tx: Tx, project_id: str) -> Project:
    project = project_find(tx, project_id)
    if project is None:
        raise absent("project", project_id)
    return project


def _projects(tx: Tx, ids: Iterable[str]) -> list[Project]:
    found = projects_by_ids(tx, set(ids))
    return [found[project_id] for project_id in sorted(found)]
