"""Projects: a tree under each domain, in which what is disabled stays whole."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx, ring_after_commit
from cumulo.kit.errors import Forbidden, Invalid, NotFound
from cumulo.services.identity.changes import (
    Changes,
    check_deletable,
    check_mutable,
    laid_over,
)
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent, check_unchanged
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store import projects as store
from cumulo.services.identity.store.application_credentials import application_credentials_forget
from cumulo.services.identity.store.assignments import (
    assignment_list,
    assignments_forget_target,
    of_actors,
)
from cumulo.services.identity.store.credentials import credentials_forget_project
from cumulo.services.identity.store.domain_configs import config_unset
from cumulo.services.identity.store.endpoint_groups import shown_forget
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.groups import group_ids_of
from cumulo.services.identity.store.limits import limits_forget
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.projects import Project as Project
from cumulo.services.identity.store.tables import project as columns
from cumulo.services.identity.store.users import default_project_forget
from cumulo.services.identity.trusts import erase_trusts_for_project

# What a token says about its project or decides whether it holds.
# Rung when a project is no more.
PROJECT_GONE = "identity.project.gone"
_TOKENS_SAY = {"name", "enabled"}


def project_visible(
    tx: Tx, ctx: Context, project_id: str, rule: str = "identity:get_project"
) -> Project:
    """Return a project that `rule` lets the caller reach; strangers do not learn if it is there."""
    project = store.project_find(tx, project_id)
    ctx.require(rule, **_facts(project))
    if project is None:
        raise absent("project", project_id)
    return project


def project_list(
    tx: Tx, ctx: Context, listing: Listing, tags: "Tags | None" = None
) -> Page[Project]:
    """Return projects; a token of a domain sees only that domain's."""
    ctx.require("identity:list_projects", **{"target.domain_id": ctx.domain_id})
    where = [columns.c.domain_id == ctx.domain_id] if ctx.domain_id else []
    if tags is None:
        return store.project_page(tx, listing, *where)
    everything = store.project_page(tx, msgspec.structs.replace(listing, limit=None), *where)
    found = [project for project in everything.members if tags.hold(set(project.tags))]
    is_truncated = listing.limit is not None and len(found) >= listing.limit
    return Page(found[: listing.limit], is_truncated)


class Tags(msgspec.Struct, frozen=True):
    """Filters on tags; each is a set of which all or any must be there, or must not."""

    all_of: frozenset[str] = frozenset()
    any_of: frozenset[str] = frozenset()
    not_all_of: frozenset[str] = frozenset()
    not_any_of: frozenset[str] = frozenset()

    def hold(self, have: set[str]) -> bool:
        """Say whether a project with these tags passes every filter that was given."""
        return (
            self.all_of <= have
            and (not self.any_of or bool(self.any_of & have))
            and not (self.not_all_of and self.not_all_of <= have)
            and not self.not_any_of & have
        )


def create_project(tx: Tx, ctx: Context, settings: IdentitySettings, new: Project) -> Project:
    """Record a project; without a parent it stands directly under its domain."""
    ctx.require("identity:create_project", **_facts(new))
    if new.is_domain:
        if new.parent_id or new.domain_id:
            raise Invalid("only root projects are allowed to act as domains.", field="parent_id")
        return record_project(tx, ctx, new)
    new = msgspec.structs.replace(new, parent_id=new.parent_id or new.domain_id)
    _check_place(tx, settings, new)
    return record_project(tx, ctx, new)


def record_project(tx: Tx, ctx: Context, new: Project) -> Project:
    """Store a project or domain whose place was checked."""
    new = msgspec.structs.replace(new, name=new.name.strip())
    store.project_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_project(
    tx: Tx, ctx: Context, project_id: str, changes: Changes, rule: str = "identity:update_project"
) -> Project:
    """Change a project; its place in the tree cannot change."""
    before = project_visible(tx, ctx, project_id, rule)
    check_unchanged("ID", changes.get("id"), before.id)
    check_unchanged("Domain ID", changes.get("domain_id"), before.domain_id)
    if changes.get("parent_id", before.parent_id) != before.parent_id:
        raise Forbidden("Update of `parent_id` is not allowed.")
    if changes.get("is_domain", before.is_domain) != before.is_domain:
        raise Invalid("Update of `is_domain` is not allowed.", field="is_domain")
    fixed = {"id", "domain_id", "parent_id", "is_domain"}
    wanted = {name: value for name, value in changes.items() if name not in fixed}
    check_mutable("domain" if before.is_domain else "project", before, wanted)
    return change_project(tx, ctx, before, wanted)


def change_project(tx: Tx, ctx: Context, before: Project, changes: Changes) -> Project:
    """Write a permitted change; disabling voids every token for what is disabled."""
    values = laid_over(before, changes)
    if isinstance(values.get("name"), str):
        values["name"] = str(values["name"]).strip()
    if values.get("enabled", before.enabled) != before.enabled:
        _check_branch(tx, before, enabling=not before.enabled)
    if _TOKENS_SAY & values.keys():
        generation = generation_advance(tx)
        if before.enabled and values.get("enabled") is False:
            values["tokens_since"] = generation
    after = store.project_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_project(tx: Tx, ctx: Context, project_id: str) -> None:
    """Delete a project without children, and every role on it."""
    project = project_visible(tx, ctx, project_id, "identity:delete_project")
    check_deletable("domain" if project.is_domain else "project", project)
    if project.is_domain and project.enabled:
        raise Invalid(
            "cannot delete an enabled project acting as a domain. Please disable the project "
            f"{project.id} first.",
            field="enabled",
        )
    if store.project_subtree(tx, project.id):
        raise Forbidden(
            f"Cannot delete the project {project.id} since it is not a leaf in the hierarchy. "
            "Use the cascade option if you want to delete a whole subtree."
        )
    erase_project(tx, ctx, project)


def erase_project(tx: Tx, ctx: Context, project: Project) -> None:
    """Remove a project or domain and what refers to it."""
    generation_advance(tx)
    assignments_forget_target(tx, project.id)
    credentials_forget_project(tx, project.id)
    application_credentials_forget(tx, project_id=project.id)
    erase_trusts_for_project(tx, ctx, project.id)
    shown_forget(tx, project_id=project.id)
    limits_forget(tx, holder=project.id)
    config_unset(tx, project.id)
    default_project_forget(tx, project.id)
    store.project_delete(tx, project.id)
    ring_after_commit(tx, PROJECT_GONE)
    note(tx, ctx, "delete", before=project)


def parents(tx: Tx, project: Project) -> list[Project]:
    """Return what is above a project, the nearest first, its domain last."""
    return store.project_parents(tx, project)


def subtree(tx: Tx, project: Project) -> list[Project]:
    """Return what is below a project."""
    return store.project_subtree(tx, project.id)


def of_user(tx: Tx, user_id: str) -> list[Project]:
    """Return the projects a user has any role on, by whatever way."""
    held = assignment_list(tx, of_actors(user_id, group_ids_of(tx, user_id)))
    direct = {a.target_id for a in held if a.target_kind == "project" and not a.inherited}
    found = store.projects_by_ids(tx, direct)
    for one in held:
        if one.inherited and one.target_kind == "domain":
            below = store.projects_of_domain(tx, one.target_id)
        elif one.inherited:
            below = store.project_subtree(tx, one.target_id)
        else:
            continue
        found |= {project.id: project for project in below}
    return sorted(found.values(), key=lambda project: project.id)


def tag_add(tx: Tx, ctx: Context, project_id: str, tag: str) -> None:
    """Put one more tag on a project; it may have it already."""
    before = project_visible(tx, ctx, project_id, "identity:create_project_tag")
    _tag(tx, ctx, before, [*before.tags, tag])


def tags_replace(tx: Tx, ctx: Context, project_id: str, tags: list[str], rule: str) -> list[str]:
    """Give a project these tags and no others."""
    before = project_visible(tx, ctx, project_id, rule)
    return _tag(tx, ctx, before, tags)


def tag_remove(tx: Tx, ctx: Context, project_id: str, tag: str) -> None:
    """Take one tag off a project."""
    before = project_visible(tx, ctx, project_id, "identity:delete_project_tag")
    check_tagged(before, tag)
    _tag(tx, ctx, before, [one for one in before.tags if one != tag])


def check_tagged(project: Project, tag: str) -> None:
    """Raise unless a project has a tag."""
    if tag not in project.tags:
        raise NotFound(f"Could not find project tag: {tag}.", tag=tag)


def _tag(tx: Tx, ctx: Context, before: Project, tags: list[str]) -> list[str]:
    if before.is_immutable:
        raise Forbidden(
            f"Cannot update project tags for {before.id}, project is immutable. "  # noqa: S608
            'Set "immutable" option to false before creating project tags.'
        )
    distinct = list(dict.fromkeys(tag.strip() for tag in tags))
    if len(distinct) > _MOST_TAGS:
        raise Invalid(f"A project has at most {_MOST_TAGS} tags.", field="tags")
    change_project(tx, ctx, before, {"tags": distinct})
    return distinct


_MOST_TAGS = 80


def _facts(project: Project | None) -> dict[str, object]:
    if project is None:
        return {"target.project.id": None}
    return {"target.project.id": project.id, "target.project.domain_id": project.domain_id}


def _check_place(tx: Tx, settings: IdentitySettings, new: Project) -> None:
    """Raise unless the parent is in the same domain, enabled up to the root, and not too deep."""
    domain = store.project_find(tx, new.domain_id or "")
    parent = store.project_find(tx, new.parent_id or "")
    if domain is None or not domain.is_domain:
        raise Invalid(f"Could not find domain: {new.domain_id}.", field="domain_id")
    if parent is None:
        raise Invalid(f"Could not find project: {new.parent_id}.", field="parent_id")
    if parent.is_domain and parent.id != domain.id:
        raise Invalid(
            f"Cannot create project, the parent ({parent.id}) is acting as a domain, but this "
            f"project's domain id ({domain.id}) does not match the parent's id.",
            field="domain_id",
        )
    if not parent.is_domain and parent.domain_id != domain.id:
        raise Invalid(
            f"Cannot create project, since it specifies its domain_id {domain.id}, but specifies "
            f"a parent in a different domain ({parent.domain_id}).",
            field="parent_id",
        )
    branch = [parent, *store.project_parents(tx, parent)]
    for above in branch:
        if not above.enabled:
            raise Invalid(
                f"cannot create a project in a branch containing a disabled project: {above.id}",
                field="parent_id",
            )
    if settings.enforcement_model == "strict_two_level" and not parent.is_domain:
        raise Forbidden(
            f"Limits are strict on two levels: a project below {parent.id} would be on a third."
        )
    if len(branch) > settings.max_project_tree_depth:
        raise Forbidden(f"Max hierarchy depth reached for {parent.id} branch.")


def _check_branch(tx: Tx, project: Project, *, enabling: bool) -> None:
    if enabling:
        if not all(parent.enabled for parent in store.project_parents(tx, project)):
            raise Forbidden(f"Cannot enable project {project.id} since it has disabled parents")
    elif not project.is_domain and any(p.enabled for p in store.project_subtree(tx, project.id)):
        raise Forbidden(
            f"Cannot disable project {project.id} since its subtree contains enabled projects."
        )
