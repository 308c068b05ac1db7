"""Role assignments, across users, groups and scopes."""

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.services.identity import assignments
from cumulo.services.identity.api.wire import Call, asked
from cumulo.services.identity.assignments import Names, Shown, Wanted
from cumulo.web import Routes

routes = Routes()


class DomainName(msgspec.Struct):
    """A domain, by name when names were asked for."""

    id: str
    name: str | UnsetType = UNSET


class Party(msgspec.Struct):
    """A user, group, project or role, by name when names were asked for."""

    id: str
    name: str | UnsetType = UNSET
    domain: DomainName | UnsetType = UNSET


class ScopeView(msgspec.Struct):
    """On what a role is held."""

    project: Party | UnsetType = UNSET
    domain: DomainName | UnsetType = UNSET
    system: dict[str, bool] | UnsetType = UNSET
    inherited_to: str | UnsetType = msgspec.field(name="OS-INHERIT:inherited_to", default=UNSET)


class AssignmentView(msgspec.Struct):
    """An assignment as clients see it."""

    links: dict[str, str]
    scope: ScopeView
    role: Party
    user: Party | UnsetType = UNSET
    group: Party | UnsetType = UNSET


class AssignmentsBody(msgspec.Struct):
    """Assignments in an answer."""

    role_assignments: list[AssignmentView]
    links: dict[str, str | None]


class AssignmentQuery(msgspec.Struct, kw_only=True):
    """Which assignments."""

    role_id: str | None = msgspec.field(name="role.id", default=None)
    user_id: str | None = msgspec.field(name="user.id", default=None)
    group_id: str | None = msgspec.field(name="group.id", default=None)
    system: str | None = msgspec.field(name="scope.system", default=None)
    domain_id: str | None = msgspec.field(name="scope.domain.id", default=None)
    project_id: str | None = msgspec.field(name="scope.project.id", default=None)
    inherited_to: str | None = msgspec.field(name="scope.OS-INHERIT:inherited_to", default=None)


@routes.get("/v3/role_assignments", policy="identity:list_role_assignments", on_target=True)
def list_assignments(call: Call, query: AssignmentQuery) -> AssignmentsBody:
    """List role assignments as they were made, or what they amount to for each user."""
    wanted = Wanted(
        role_id=query.role_id,
        user_id=query.user_id,
        group_id=query.group_id,
        system=query.system == "all",
        domain_id=query.domain_id,
        project_id=query.project_id,
        inherited=None if query.inherited_to is None else query.inherited_to == "projects",
        effective=asked(call, "effective"),
        include_subtree=asked(call, "include_subtree"),
    )
    found = call.db.read(assignments.assignments_visible, call.ctx, wanted)
    names = call.db.read(assignments.names, found) if asked(call, "include_names") else None
    shown = [_show(call, one, names) for one in found]
    here = f"{call.url}{call.path}"
    return AssignmentsBody(shown, {"next": None, "self": here, "previous": None})


def _show(call: Call, one: Shown, names: Names | None) -> AssignmentView:
    made = one.made
    actor = _actor(made.actor_kind, made.actor_id, names)
    return AssignmentView(
        links=_links(call, one),
        scope=_scope(one, names),
        role=_role(made.role_id, names),
        user=actor if made.actor_kind == "user" else UNSET,
        group=actor if made.actor_kind == "group" else UNSET,
    )


def _actor(kind: str, actor_id: str, names: Names | None) -> Party:
    if names is None:
        return Party(actor_id)
    known = names.users.get(actor_id) if kind == "user" else names.groups.get(actor_id)
    if known is None:
        return Party(actor_id, "", DomainName("", ""))
    return Party(actor_id, known.name, _domain(known.domain_id, names))


def _role(role_id: str, names: Names | None) -> Party:
    role = names.roles.get(role_id) if names else None
    if role is None:
        return Party(role_id)
    return Party(role_id, role.name, _domain(role.domain_id, names) if role.domain_id else UNSET)


def _scope(one: Shown, names: Names | None) -> ScopeView:
    made = one.made
    view = ScopeView()
    if made.target_kind == "system":
        view.system = {"all": True}
    elif made.target_kind == "domain":
        view.domain = _domain(made.target_id, names)
    else:
        project = names.projects.get(made.target_id) if names else None
        view.project = Party(made.target_id)
        if project and project.domain_id:
            domain = _domain(project.domain_id, names)
            view.project = Party(project.id, project.name, domain)
    if made.inherited or one.indirect.target_id:
        view.inherited_to = "projects"
    return view


def _domain(domain_id: str, names: Names | None) -> DomainName:
    known = names.projects.get(domain_id) if names else None
    return DomainName(domain_id, known.name if known else UNSET)


def _links(call: Call, one: Shown) -> dict[str, str]:
    """Return where the assignment was made and, if by a group or implication, how it came."""
    made, come = one.made, one.indirect
    kind, target_id = come.target_kind or made.target_kind, come.target_id or made.target_id
    place = "/system" if kind == "system" else f"/{kind}s/{target_id}"
    holder = f"/{made.actor_kind}s/{made.actor_id}"
    links = {}
    if come.group_id:
        holder = f"/groups/{come.group_id}"
        links["membership"] = f"{call.url}/v3{holder}/users/{made.actor_id}"
    path = f"{place}{holder}/roles/{come.role_id or made.role_id}"
    if made.inherited or come.target_id:
        path = f"/OS-INHERIT{path}/inherited_to_projects"
    links["assignment"] = f"{call.url}/v3{path}"
    if come.role_id:
        links["prior_role"] = f"{call.url}/v3/prior_role/{made.role_id}/implies/{come.role_id}"
    return links
