"""Groups and who belongs to them."""

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import domains, groups
from cumulo.services.identity.api.views import show_group, show_user
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    DomainNamedQuery,
    Id,
    Name64,
    collection,
    flag,
    given,
    listing,
    split,
)
from cumulo.services.identity.groups import Group
from cumulo.web import Routes

routes = Routes()


class GroupSpec(msgspec.Struct, kw_only=True):
    """What a client says about the group it wants."""

    name: Name64
    domain_id: Id | None = None
    description: str | None = ""


class GroupPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    name: Name64 | UnsetType = UNSET
    domain_id: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class GroupBody(msgspec.Struct, forbid_unknown_fields=True):
    """A group in a request."""

    group: Attributes


class MemberQuery(DomainNamedQuery, kw_only=True):
    """Which members."""

    enabled: str | None = None
    password_expires_at: str | None = None


@routes.get("/v3/groups", policy="identity:list_groups", on_target=True)
def list_groups(call: Call, query: DomainNamedQuery) -> dict[str, object]:
    """List groups."""
    page = call.db.read(groups.group_list, call.ctx, listing(call, query))
    return collection(call, "groups", page, lambda one: show_group(call, one))


@routes.post("/v3/groups", policy="identity:create_group", status=201, on_target=True)
def create_group(call: Call, body: GroupBody) -> dict[str, object]:
    """Create a group."""
    spec, extra = split(GroupSpec, body.group)
    domain_id = domains.domain_for_new(call.ctx, spec.domain_id)
    new = Group(new_hex_id(), spec.name, domain_id, spec.description, extra)
    return {"group": show_group(call, call.db.write(groups.create_group, call.ctx, new))}


@routes.get("/v3/groups/{group_id}", policy="identity:get_group", on_target=True)
def get_group(call: Call, group_id: str) -> dict[str, object]:
    """Show a group."""
    return {"group": show_group(call, call.db.read(groups.group_visible, call.ctx, group_id))}


@routes.patch("/v3/groups/{group_id}", policy="identity:update_group", on_target=True)
def update_group(call: Call, group_id: str, body: GroupBody) -> dict[str, object]:
    """Change a group."""
    changes = given(*split(GroupPatch, body.group))
    group = call.db.write(groups.update_group, call.ctx, group_id, changes)
    return {"group": show_group(call, group)}


@routes.delete("/v3/groups/{group_id}", policy="identity:delete_group", status=204, on_target=True)
def delete_group(call: Call, group_id: str) -> None:
    """Delete a group."""
    call.db.write(groups.delete_group, call.ctx, group_id)


@routes.get("/v3/groups/{group_id}/users", policy="identity:list_users_in_group", on_target=True)
def list_group_users(call: Call, group_id: str, query: MemberQuery) -> dict[str, object]:
    """List the users in a group."""
    wanted = listing(call, query, enabled=flag(query.enabled, "enabled"))
    page = call.db.read(groups.members, call.ctx, group_id, wanted)
    return collection(call, "users", page, lambda one: show_user(call, one))


@routes.get(
    "/v3/groups/{group_id}/users/{user_id}",
    policy="identity:check_user_in_group",
    status=204,
    on_target=True,
)
def check_group_user(call: Call, group_id: str, user_id: str) -> None:
    """Say whether a user belongs to a group."""
    call.db.read(groups.check_member, call.ctx, group_id, user_id)


@routes.put(
    "/v3/groups/{group_id}/users/{user_id}",
    policy="identity:add_user_to_group",
    status=204,
    on_target=True,
)
def add_group_user(call: Call, group_id: str, user_id: str) -> None:
    """Put a user into a group."""
    call.db.write(groups.member_add, call.ctx, group_id, user_id)


@routes.delete(
    "/v3/groups/{group_id}/users/{user_id}",
    policy="identity:remove_user_from_group",
    status=204,
    on_target=True,
)
def remove_group_user(call: Call, group_id: str, user_id: str) -> None:
    """Take a user out of a group, which ends its tokens."""
    call.db.write(groups.member_remove, call.ctx, group_id, user_id)
