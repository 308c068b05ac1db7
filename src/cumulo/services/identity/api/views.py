"""Resources as clients see them, for the operations that show more than one kind."""

from cumulo.kit.clock import iso_micro_z
from cumulo.services.identity.api.wire import Call, link
from cumulo.services.identity.catalog import Endpoint
from cumulo.services.identity.groups import Group
from cumulo.services.identity.projects import Project
from cumulo.services.identity.roles import Role
from cumulo.services.identity.users import User


def show_domain(call: Call, domain: Project) -> dict[str, object]:
    """Return a domain as clients see it."""
    return {
        **domain.extra,
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": domain.tags,
        "options": domain.options,
        "links": link(call, "domains", domain.id),
    }


def show_project(call: Call, project: Project) -> dict[str, object]:
    """Return a project as clients see it."""
    return {
        **project.extra,
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "parent_id": project.parent_id,
        "description": project.description,
        "enabled": project.enabled,
        "is_domain": project.is_domain,
        "tags": project.tags,
        "options": project.options,
        "links": link(call, "projects", project.id),
    }


def show_user(call: Call, user: User) -> dict[str, object]:
    """Return a user as clients see it."""
    expires_at = user.password_expires_at
    view: dict[str, object] = {
        **user.extra,
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "password_expires_at": iso_micro_z(expires_at) if expires_at else None,
        "options": user.options,
        "links": link(call, "users", user.id),
    }
    if user.default_project_id is not None:
        view["default_project_id"] = user.default_project_id
    return view


def show_group(call: Call, group: Group) -> dict[str, object]:
    """Return a group as clients see it."""
    return {
        **group.extra,
        "id": group.id,
        "name": group.name,
        "domain_id": group.domain_id,
        "description": group.description,
        "links": link(call, "groups", group.id),
    }


def show_role(call: Call, role: Role) -> dict[str, object]:
    """Return a role as clients see it."""
    return {
        **role.extra,
        "id": role.id,
        "name": role.name,
        "domain_id": role.domain_id,
        "description": role.description,
        "options": role.options,
        "links": link(call, "roles", role.id),
    }


def show_endpoint(call: Call, endpoint: Endpoint) -> dict[str, object]:
    """Return an endpoint as clients see it."""
    return {
        **endpoint.extra,
        "id": endpoint.id,
        "interface": endpoint.interface,
        "region_id": endpoint.region_id,
        "region": endpoint.region_id,
        "service_id": endpoint.service_id,
        "url": endpoint.url,
        "enabled": endpoint.enabled,
        "links": link(call, "endpoints", endpoint.id),
    }
