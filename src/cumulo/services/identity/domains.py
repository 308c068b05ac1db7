"""Domains: projects at the root, which hold users, groups and other projects."""

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden
from cumulo.services.identity.changes import Changes, check_deletable, check_mutable
from cumulo.services.identity.groups import erase_group
from cumulo.services.identity.projects import change_project, erase_project, record_project
from cumulo.services.identity.refusals import absent, check_unchanged
from cumulo.services.identity.roles import erase_role
from cumulo.services.identity.store.assignments import assignment_list, of_actors
from cumulo.services.identity.store.groups import group_ids_of, group_page
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.projects import (
    Project as Project,
)
from cumulo.services.identity.store.projects import (
    project_find,
    project_page,
    project_subtree,
    projects_by_ids,
)
from cumulo.services.identity.store.roles import role_page
from cumulo.services.identity.store.tables import project as columns
from cumulo.services.identity.store.users import user_page
from cumulo.services.identity.users import erase_user

DEFAULT = "default"


def domain_find(tx: Tx, domain_id: str) -> Project | None:
    """Return a domain, if it is there and is one."""
    found = project_find(tx, domain_id)
    return found if found and found.is_domain else None


def domain_visible(
    tx: Tx, ctx: Context, domain_id: str, rule: str = "identity:get_domain"
) -> Project:
    """Return a domain that `rule` lets the caller reach."""
    domain = domain_find(tx, domain_id)
    ctx.require(rule, **{"target.domain.id": domain.id if domain else None})
    if domain is None:
        raise absent("domain", domain_id)
    return domain


def domain_list(tx: Tx, ctx: Context, listing: Listing) -> Page[Project]:
    """Return domains; a token of a domain sees only that one."""
    ctx.require("identity:list_domains", **{"target.domain.id": ctx.domain_id})
    where: list[sa.ColumnElement[bool]] = [columns.c.is_domain == sa.true()]
    if ctx.domain_id:
        where.append(columns.c.id == ctx.domain_id)
    return project_page(tx, listing, *where)


def create_domain(tx: Tx, ctx: Context, new: Project) -> Project:
    """Record a domain."""
    return record_project(tx, ctx, msgspec.structs.replace(new, is_domain=True))


def update_domain(tx: Tx, ctx: Context, domain_id: str, changes: Changes) -> Project:
    """Change a domain; disabling it voids every token in it."""
    before = domain_find(tx, domain_id)
    if before is None:  # as in Keystone, here even who may not learns it
        raise absent("domain", domain_id)
    ctx.require("identity:update_domain", **{"target.domain.id": before.id})
    check_unchanged("ID", changes.get("id"), before.id)
    wanted = {name: value for name, value in changes.items() if name != "id"}
    check_mutable("domain", before, wanted)
    return change_project(tx, ctx, before, wanted)


def delete_domain(tx: Tx, ctx: Context, domain_id: str) -> None:
    """Delete a disabled domain and everything in it."""
    domain = domain_visible(tx, ctx, domain_id, "identity:delete_domain")
    check_deletable("domain", domain)
    if domain.enabled:
        raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
    everything = Listing(equals={"domain_id": domain.id})
    for user in user_page(tx, everything).members:
        erase_user(tx, ctx, user)
    for group in group_page(tx, everything).members:
        erase_group(tx, ctx, group)
    for role in role_page(tx, everything).members:
        erase_role(tx, ctx, role)
    for project in reversed(project_subtree(tx, domain.id)):
        erase_project(tx, ctx, project)
    erase_project(tx, ctx, domain)


def of_user(tx: Tx, user_id: str) -> list[Project]:
    """Return the domains a user has any role on."""
    held = assignment_list(tx, of_actors(user_id, group_ids_of(tx, user_id)))
    ids = {a.target_id for a in held if a.target_kind == "domain" and not a.inherited}
    return sorted(projects_by_ids(tx, ids).values(), key=lambda domain: domain.id)


def domain_for_new(ctx: Context, asked: str | None) -> str:
    """Return the domain of something new: the one asked for, the caller's, or the default."""
    return asked or ctx.domain_id or DEFAULT


def check_domain(tx: Tx, domain_id: str) -> None:
    """Raise unless there is such a domain."""
    if domain_find(tx, domain_id) is None:
        raise absent("domain", domain_id)
