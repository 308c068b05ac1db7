"""Groups, through which users have roles together."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.identity.changes import Changes
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent, check_unchanged
from cumulo.services.identity.store import groups as store
from cumulo.services.identity.store.assignments import (
    assignment_list,
    assignments_forget_actor,
    of_actor,
)
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.groups import Group as Group
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.projects import project_find
from cumulo.services.identity.store.tables import group as columns
from cumulo.services.identity.store.users import (
    User,
    tokens_void,
    user_find,
    users_of_group,
)
from cumulo.services.identity.users import facts as user_facts
from cumulo.services.identity.users import user_visible


def group_visible(tx: Tx, ctx: Context, group_id: str, rule: str = "identity:get_group") -> Group:
    """Return a group that `rule` lets the caller reach."""
    group = store.group_find(tx, group_id)
    ctx.require(rule, **facts(group))
    if group is None:
        raise absent("group", group_id)
    return group


def facts(group: Group | None) -> dict[str, object]:
    """Return what rules may ask of a group."""
    return {"target.group.domain_id": group.domain_id} if group else {"target.group.id": None}


def group_list(tx: Tx, ctx: Context, listing: Listing) -> Page[Group]:
    """Return groups; a token of a domain sees only that domain's."""
    ctx.require("identity:list_groups", **{"target.group.domain_id": ctx.domain_id})
    own = [columns.c.domain_id == ctx.domain_id] if ctx.domain_id else []
    return store.group_page(tx, listing, *own)


def of_user(tx: Tx, ctx: Context, user_id: str, listing: Listing) -> Page[Group]:
    """Return the groups that a user belongs to, as far as the caller's domain goes."""
    user = user_visible(tx, ctx, user_id, "identity:list_groups_for_user")
    found = store.groups_of_user(tx, user.id, listing)
    if ctx.domain_id is None:
        return found
    own = [group for group in found.members if group.domain_id == ctx.domain_id]
    return Page(own, found.is_truncated)


def members(tx: Tx, ctx: Context, group_id: str, listing: Listing) -> Page[User]:
    """Return the users in a group, as far as the caller's domain goes."""
    group = group_visible(tx, ctx, group_id, "identity:list_users_in_group")
    found = users_of_group(tx, group.id, listing)
    if ctx.domain_id is None:
        return found
    own = [user for user in found.members if user.domain_id == ctx.domain_id]
    return Page(own, found.is_truncated)


def create_group(tx: Tx, ctx: Context, new: Group) -> Group:
    """Record a group in a domain that is there."""
    ctx.require("identity:create_group", **facts(new))
    domain = project_find(tx, new.domain_id)
    if domain is None or not domain.is_domain:
        raise absent("domain", new.domain_id)
    new = msgspec.structs.replace(new, name=new.name.strip())
    store.group_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_group(tx: Tx, ctx: Context, group_id: str, changes: Changes) -> Group:
    """Change a group's name, description or attributes."""
    before = group_visible(tx, ctx, group_id, "identity:update_group")
    check_unchanged("ID", changes.get("id"), before.id)
    check_unchanged("Domain ID", changes.get("domain_id"), before.domain_id)
    values = {k: v for k, v in changes.items() if k not in ("id", "domain_id")}
    if isinstance(values.get("name"), str):
        values["name"] = str(values["name"]).strip()
    if isinstance(values.get("extra"), dict):
        values["extra"] = {**before.extra, **dict(values["extra"])}  # type: ignore[call-overload]
    after = store.group_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_group(tx: Tx, ctx: Context, group_id: str) -> None:
    """Delete a group and every role it has."""
    if store.group_find(tx, group_id) is None:
        raise absent("group", group_id)  # as in Keystone, here even who may not learns it
    erase_group(tx, ctx, group_visible(tx, ctx, group_id, "identity:delete_group"))


def erase_group(tx: Tx, ctx: Context, group: Group) -> None:
    """Remove a group; whoever had a role through it must log in again."""
    generation = generation_advance(tx)
    if assignment_list(tx, of_actor("group", group.id)):
        tokens_void(tx, store.member_ids(tx, {group.id})[group.id], generation)
    assignments_forget_actor(tx, "group", group.id)
    store.group_delete(tx, group.id)
    note(tx, ctx, "delete", before=group)


def member_add(tx: Tx, ctx: Context, group_id: str, user_id: str) -> None:
    """Make a user a member, or find it one."""
    group, user = _pair(tx, ctx, group_id, user_id, "identity:add_user_to_group")
    generation_advance(tx)
    store.member_add(tx, group.id, user.id)
    note(tx, ctx, "add_user", after=group)


def member_remove(tx: Tx, ctx: Context, group_id: str, user_id: str) -> None:
    """End a membership; the user must log in again."""
    group, user = _pair(tx, ctx, group_id, user_id, "identity:remove_user_from_group")
    generation = generation_advance(tx)
    if not store.member_remove(tx, group.id, user.id):
        raise _no_member(group_id, user_id)
    tokens_void(tx, [user.id], generation)
    note(tx, ctx, "remove_user", after=group)


def check_member(tx: Tx, ctx: Context, group_id: str, user_id: str) -> None:
    """Raise unless a user is a member."""
    group, user = _pair(tx, ctx, group_id, user_id, "identity:check_user_in_group")
    if not store.member_exists(tx, group.id, user.id):
        raise _no_member(group_id, user_id)


def _pair(tx: Tx, ctx: Context, group_id: str, user_id: str, rule: str) -> tuple[Group, User]:
    group, user = store.group_find(tx, group_id), user_find(tx, user_id)
    ctx.require(rule, **facts(group), **user_facts(user, user_id))
    if group is None:
        raise absent("group", group_id)
    if user is None:
        raise absent("user", user_id)
    return group, user


def _no_member(group_id: str, user_id: str) -> NotFound:
    return NotFound(f"User '{user_id}' not found in group '{group_id}'", user_id=user_id)
