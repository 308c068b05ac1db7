"""Roles of users and groups on projects, domains and the system.

One operation serves many paths, which all say the same: whose role, on what, which.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from cumulo.services.identity import grants
from cumulo.services.identity.api.views import show_role
from cumulo.services.identity.api.wire import Call, collection
from cumulo.services.identity.grants import SYSTEM, Holding
from cumulo.services.identity.listings import Page
from cumulo.web import Routes

routes = Routes()
F = TypeVar("F", bound=Callable[..., dict[str, object] | None])

_ALL = (
    "/v3/projects/{project_id}/users/{user_id}/roles",
    "/v3/projects/{project_id}/groups/{group_id}/roles",
    "/v3/domains/{domain_id}/users/{user_id}/roles",
    "/v3/domains/{domain_id}/groups/{group_id}/roles",
    "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects",
    "/v3/system/users/{user_id}/roles",
    "/v3/system/groups/{group_id}/roles",
)
_ONE = (
    "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}",
    "/v3/projects/{project_id}/groups/{group_id}/roles/{role_id}",
    "/v3/domains/{domain_id}/users/{user_id}/roles/{role_id}",
    "/v3/domains/{domain_id}/groups/{group_id}/roles/{role_id}",
    "/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects",
    "/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
    "/v3/system/users/{user_id}/roles/{role_id}",
    "/v3/system/groups/{group_id}/roles/{role_id}",
)
_PATH = re.compile(
    r"/v3(?P<inherit>/OS-INHERIT)?/(?:(?P<target>project|domain)s/(?P<target_id>[^/]+)|system)"
    r"/(?P<actor>user|group)s/(?P<actor_id>[^/]+)/roles"
    r"(?:/(?!inherited_to_projects$)(?P<role_id>[^/]+))?(?:/inherited_to_projects)?"
)


def _on(method: str, paths: tuple[str, ...], verb: str, status: int) -> Callable[[F], F]:
    """Declare an operation on several paths; the system has rules of its own."""

    def declare(function: F) -> F:
        noun = "grants" if verb == "list" else "grant"
        for path in paths:
            actor = "user" if "/users/" in path else "group"
            system = f"{verb}_system_{noun}_for_{actor}"
            rule = system if path.startswith("/v3/system") else f"{verb}_{noun}"
            facts = {"policy": f"identity:{rule}", "status": status, "on_target": True}
            routes.add(method, path, **facts)(function)  # type: ignore[arg-type]
        return function

    return declare


@_on("GET", _ALL, "list", 200)
def list_grants(call: Call) -> dict[str, object]:
    """List the roles that were given, without those that follow from them."""
    holding, _ = _said(call)
    found = call.db.read(grants.grant_list, call.ctx, holding)
    return collection(call, "roles", Page(found), lambda one: show_role(call, one))


@_on("GET", _ONE, "check", 204)
def check_grant(call: Call) -> None:
    """Say whether exactly this role was given."""
    call.db.read(grants.check_grant, call.ctx, *_said(call))


@_on("PUT", _ONE, "create", 204)
def create_grant(call: Call) -> None:
    """Give a role."""
    call.db.write(grants.create_grant, call.ctx, *_said(call))


@_on("DELETE", _ONE, "revoke", 204)
def revoke_grant(call: Call) -> None:
    """Take a role back."""
    call.db.write(grants.revoke_grant, call.ctx, *_said(call))


def _said(call: Call) -> tuple[Holding, str]:
    """Return who holds what on what, and the role, as the path says it."""
    said = _PATH.fullmatch(call.path)
    assert said is not None, "every path above is of this form"
    holding = Holding(
        actor_kind=said["actor"],
        actor_id=said["actor_id"],
        target_kind=said["target"] or "system",
        target_id=said["target_id"] or SYSTEM,
        inherited=said["inherit"] is not None,
    )
    return holding, said["role_id"] or ""
