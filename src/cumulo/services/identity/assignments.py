"""Role assignments: as they were made, or as what they amount to for each user."""

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.identity.implications import Implications
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.store.assignments import (
    SYSTEM,
    Assignment,
    assignment_list,
    is_inherited,
    of_actor,
    of_actors,
    on_target,
)
from cumulo.services.identity.store.groups import (
    Group,
    group_ids_of,
    groups_by_ids,
    member_ids,
)
from cumulo.services.identity.store.projects import (
    Project,
    project_find,
    project_parents,
    project_subtree,
    projects_by_ids,
    projects_of_domain,
)
from cumulo.services.identity.store.roles import Role, roles_all
from cumulo.services.identity.store.tables import assignment as columns
from cumulo.services.identity.store.users import User, users_by_ids


class Wanted(msgspec.Struct, frozen=True):
    """Which assignments a client asks for."""

    role_id: str | None = None
    user_id: str | None = None
    group_id: str | None = None
    system: bool = False
    domain_id: str | None = None
    project_id: str | None = None
    inherited: bool | None = None
    effective: bool = False
    include_subtree: bool = False


class Indirect(msgspec.Struct, frozen=True):
    """By which way a role came to a user: a group, a place above, a role that implies it."""

    group_id: str | None = None
    target_kind: str | None = None
    target_id: str | None = None
    role_id: str | None = None


class Shown(msgspec.Struct, frozen=True):
    """An assignment, and where it comes from when it was not made like this."""

    made: Assignment
    indirect: Indirect = Indirect()


class Names(msgspec.Struct, frozen=True):
    """What the ids in a list of assignments stand for."""

    users: dict[str, User]
    groups: dict[str, Group]
    projects: dict[str, Project]
    roles: dict[str, Role]


def assignments_visible(tx: Tx, ctx: Context, wanted: Wanted) -> list[Shown]:
    """Return assignments; a token of a domain sees those on it and on its projects."""
    if wanted.include_subtree:
        project = project_find(tx, wanted.project_id) if wanted.project_id else None
        domain_id = project.domain_id if project else None
        ctx.require("identity:list_role_assignments_for_tree", **{"target.domain_id": domain_id})
    else:
        ctx.require("identity:list_role_assignments", **{"target.domain_id": ctx.domain_id})
    _check_sense(wanted)
    shown = _effective(tx, wanted) if wanted.effective else _as_made(tx, wanted)
    if ctx.domain_id is None:
        return shown
    own = {ctx.domain_id, *(project.id for project in projects_of_domain(tx, ctx.domain_id))}
    return [one for one in shown if one.made.target_id in own]


def names(tx: Tx, shown: Iterable[Shown]) -> Names:
    """Look up everything that a list of assignments mentions, with the domains around it."""
    made = [one.made for one in shown]
    users = users_by_ids(tx, {one.actor_id for one in made if one.actor_kind == "user"})
    groups = groups_by_ids(tx, {one.actor_id for one in made if one.actor_kind == "group"})
    projects = projects_by_ids(tx, {one.target_id for one in made if one.target_kind != "system"})
    roles = roles_all(tx)
    domains = {one.domain_id for one in users.values()} | {g.domain_id for g in groups.values()}
    domains |= {one.domain_id for one in projects.values() if one.domain_id}
    domains |= {one.domain_id for one in roles.values() if one.domain_id}
    projects |= projects_by_ids(tx, domains - projects.keys())
    return Names(users, groups, projects, roles)


def _check_sense(wanted: Wanted) -> None:
    if wanted.include_subtree and not wanted.project_id:
        raise Invalid(
            "scope.project.id must be specified if include_subtree is also specified",
            field="scope.project.id",
        )
    if wanted.domain_id and wanted.project_id:
        raise Invalid("Specify a domain or project, not both", field="scope.domain.id")
    if wanted.domain_id and wanted.system:
        raise Invalid("Specify system or domain, not both", field="scope.system")
    if wanted.project_id and wanted.system:
        raise Invalid("Specify system or project, not both", field="scope.system")
    if wanted.user_id and wanted.group_id:
        raise Invalid("Specify a user or group, not both", field="user.id")
    if wanted.effective and wanted.group_id:
        raise Invalid(
            "Combining effective and group filter will always result in an empty list.",
            field="group.id",
        )
    if wanted.effective and wanted.inherited and wanted.domain_id:
        raise Invalid(
            "Combining effective, domain and inherited filters will always result in an empty "
            "list.",
            field="scope.OS-INHERIT:inherited_to",
        )


def _as_made(tx: Tx, wanted: Wanted) -> list[Shown]:
    where: list[sa.ColumnElement[bool]] = []
    if wanted.role_id:
        where.append(columns.c.role_id == wanted.role_id)
    if wanted.user_id:
        where.append(of_actor("user", wanted.user_id))
    if wanted.group_id:
        where.append(of_actor("group", wanted.group_id))
    if wanted.inherited is not None:
        where.append(is_inherited(wanted.inherited))
    if wanted.system:
        where.append(on_target("system", SYSTEM))
    if wanted.domain_id:
        where.append(on_target("domain", wanted.domain_id))
    if wanted.project_id:
        where.append(on_target("project", *_branch(tx, wanted, wanted.project_id)))
    return [Shown(one) for one in assignment_list(tx, *where)]


def _effective(tx: Tx, wanted: Wanted) -> list[Shown]:
    """Replace groups by their members, inheritance by the projects reached, and add implied roles.

    As in Keystone, roles on the system appear here only when it is asked for.
    """
    made = assignment_list(tx, *_sources(tx, wanted))
    placed = [shown for one in made for shown in _placed(tx, wanted, one)]
    each = _per_user(tx, wanted, placed)
    known = Implications(tx)
    found = [implied for one in each for implied in (one, *_implied(known, one))]
    is_global = {role.id for role in known.roles.values() if role.domain_id is None}
    return [
        one
        for one in found
        if one.made.role_id in is_global
        and (wanted.role_id is None or one.made.role_id == wanted.role_id)
    ]


def _sources(tx: Tx, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """Select the assignments that can amount to something that is asked for."""
    where: list[sa.ColumnElement[bool]] = []
    if wanted.user_id:
        where.append(of_actors(wanted.user_id, group_ids_of(tx, wanted.user_id)))
    if wanted.inherited is not None:
        where.append(is_inherited(wanted.inherited))
    if wanted.system:
        where.append(on_target("system", SYSTEM))
    elif wanted.domain_id:
        where += [on_target("domain", wanted.domain_id), is_inherited(False)]
    elif wanted.project_id:
        where.append(_reaching(tx, wanted, wanted.project_id))
    else:
        where.append(columns.c.target_kind != "system")
    return where


def _reaching(tx: Tx, wanted: Wanted, project_id: str) -> sa.ColumnElement[bool]:
    project = project_find(tx, project_id)
    if project is None:
        raise absent("project", project_id)
    branch = _branch(tx, wanted, project_id)
    above = [one.id for one in project_parents(tx, project) if not one.is_domain]
    inheriting = [*above, *(branch if wanted.include_subtree else [])]
    ways = [sa.and_(on_target("project", *branch), is_inherited(False))]
    if inheriting:
        ways.append(sa.and_(on_target("project", *inheriting), is_inherited(True)))
    if project.domain_id:
        ways.append(sa.and_(on_target("domain", project.domain_id), is_inherited(True)))
    return sa.or_(*ways)


def _branch(tx: Tx, wanted: Wanted, project_id: str) -> list[str]:
    """Return the project asked for and, if those are too, the ones below it."""
    if not wanted.include_subtree:
        return [project_id]
    return [project_id, *(project.id for project in project_subtree(tx, project_id))]


def _placed(tx: Tx, wanted: Wanted, made: Assignment) -> list[Shown]:
    """Return an assignment on each project where it holds, if it is inherited by some."""
    if not made.inherited:
        return [Shown(made)]
    if made.target_kind == "domain":
        reached = [project.id for project in projects_of_domain(tx, made.target_id)]
    else:
        reached = [project.id for project in project_subtree(tx, made.target_id)]
    if wanted.project_id:
        branch = set(_branch(tx, wanted, wanted.project_id))
        reached = [project_id for project_id in reached if project_id in branch]
    come = Indirect(target_kind=made.target_kind, target_id=made.target_id)
    return [
        Shown(
            msgspec.structs.replace(
                made, target_kind="project", target_id=project_id, inherited=False
            ),
            come,
        )
        for project_id in reached
    ]


def _per_user(tx: Tx, wanted: Wanted, placed: list[Shown]) -> list[Shown]:
    group_ids = {one.made.actor_id for one in placed if one.made.actor_kind == "group"}
    members = member_ids(tx, group_ids) if group_ids else {}
    each: list[Shown] = []
    for one in placed:
        if one.made.actor_kind == "user":
            each.append(one)
            continue
        group_id = one.made.actor_id
        for user_id in members[group_id]:
            if wanted.user_id in (None, user_id):
                made = msgspec.structs.replace(one.made, actor_kind="user", actor_id=user_id)
                come = msgspec.structs.replace(one.indirect, group_id=group_id)
                each.append(Shown(made, come))
    return each


def _implied(known: Implications, one: Shown) -> list[Shown]:
    return [
        Shown(
            msgspec.structs.replace(one.made, role_id=role_id),
            msgspec.structs.replace(one.indirect, role_id=prior),
        )
        for role_id, prior in known.brought_by(one.made.role_id).items()
    ]
