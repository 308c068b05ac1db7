"""Users and their passwords."""

import dataclasses
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import domains, groups, password_policy, projects, users
from cumulo.services.identity.api.views import show_group, show_project, show_user
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    DomainNamedQuery,
    Id,
    Name255,
    NamedQuery,
    collection,
    flag,
    given,
    listing,
    options_set,
    split,
)
from cumulo.services.identity.authentication import password_is_right
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.scoping import UserRef
from cumulo.services.identity.users import User
from cumulo.web import LooseBool, Routes

routes = Routes()

ProjectId = Annotated[str, Meta(max_length=64)]
Methods = Annotated[list[str], Meta(min_length=1)]


class UserOptions(msgspec.Struct, forbid_unknown_fields=True):
    """Options that only users have."""

    ignore_change_password_upon_first_use: LooseBool | UnsetType | None = UNSET
    ignore_password_expiry: LooseBool | UnsetType | None = UNSET
    ignore_lockout_failure_attempts: LooseBool | UnsetType | None = UNSET
    lock_password: LooseBool | UnsetType | None = UNSET
    ignore_user_inactivity: LooseBool | UnsetType | None = UNSET
    multi_factor_auth_rules: list[Methods] | UnsetType | None = UNSET
    multi_factor_auth_enabled: LooseBool | UnsetType | None = UNSET


class UserSpec(msgspec.Struct, kw_only=True):
    """What a client says about the user it wants."""

    name: Name255
    domain_id: Id | None = None
    enabled: LooseBool = True
    password: str | None = None
    default_project_id: ProjectId | None = None
    options: UserOptions | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"UserSpec({self.name})"


class UserPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    name: Name255 | UnsetType = UNSET
    domain_id: str | UnsetType = UNSET
    enabled: LooseBool | UnsetType = UNSET
    password: str | UnsetType | None = UNSET
    default_project_id: ProjectId | UnsetType | None = UNSET
    options: UserOptions | UnsetType = UNSET

    def __repr__(self) -> str:
        return "UserPatch()"


class UserBody(msgspec.Struct, forbid_unknown_fields=True):
    """A user in a request."""

    user: Attributes


class PasswordSpec(msgspec.Struct):
    """The password that was and the one that is to be."""

    original_password: str
    password: str

    def __repr__(self) -> str:
        return "PasswordSpec()"


class PasswordBody(msgspec.Struct):
    """A change of password."""

    user: PasswordSpec


class UserQuery(DomainNamedQuery, kw_only=True):
    """Which users; the last three ask for federated ones, of which there are none."""

    enabled: str | None = None
    password_expires_at: str | None = None
    idp_id: str | None = None
    protocol_id: str | None = None
    unique_id: str | None = None


@routes.get("/v3/users", policy="identity:list_users", on_target=True)
def list_users(call: Call, query: UserQuery) -> dict[str, object]:
    """List users."""
    is_federated = query.idp_id or query.protocol_id or query.unique_id
    nobody = {"id": ""} if is_federated else {}
    wanted = listing(call, query, enabled=flag(query.enabled, "enabled"), **nobody)
    page = call.db.read(users.user_list, call.ctx, wanted)
    return collection(call, "users", page, lambda one: show_user(call, one))


@routes.post("/v3/users", policy="identity:create_user", status=201, on_target=True)
def create_user(call: Call, body: UserBody) -> dict[str, object]:
    """Create a user."""
    spec, extra = split(UserSpec, body.user)
    # Whoever may only in one domain has to name it, as in Keystone.
    call.ctx.require("identity:create_user", **{"target.user.domain_id": spec.domain_id})
    domain_id = domains.domain_for_new(call.ctx, spec.domain_id)
    new = User(
        id=new_hex_id(),
        name=spec.name,
        domain_id=domain_id,
        enabled=spec.enabled,
        default_project_id=spec.default_project_id,
        options=options_set(spec.options),
        extra=extra,
    )
    if spec.password:
        password_policy.check_strength(call.tools.settings, spec.password)
        hashed = call.tools.passwords.hash(spec.password)
        new = users.with_password(call.tools.settings, new, hashed)
    return {"user": show_user(call, call.db.write(users.create_user, call.ctx, new))}


@routes.get("/v3/users/{user_id}", policy="identity:get_user", on_target=True)
def get_user(call: Call, user_id: str) -> dict[str, object]:
    """Show a user."""
    return {"user": show_user(call, call.db.read(users.user_visible, call.ctx, user_id))}


@routes.patch("/v3/users/{user_id}", policy="identity:update_user", on_target=True)
def update_user(call: Call, user_id: str, body: UserBody) -> dict[str, object]:
    """Change a user; a new password or disabling it ends its tokens."""
    changes = given(*split(UserPatch, body.user))
    call.db.read(users.user_visible, call.ctx, user_id, "identity:update_user")
    if "password" in changes:
        password = changes.pop("password")
        if password:
            password_policy.check_strength(call.tools.settings, str(password))
        changes["password_hash"] = call.tools.passwords.hash(str(password)) if password else None
    user = call.db.write(users.update_user, call.ctx, call.tools.settings, user_id, changes)
    # Keystone repeats the attributes of the client's own under this key, here only.
    return {"user": {**show_user(call, user), "extra": user.extra}}


@routes.delete("/v3/users/{user_id}", policy="identity:delete_user", status=204, on_target=True)
def delete_user(call: Call, user_id: str) -> None:
    """Delete a user."""
    call.db.write(users.delete_user, call.ctx, user_id)


@routes.post("/v3/users/{user_id}/password", policy=None, status=204)
def change_password(call: Call, user_id: str, body: PasswordBody) -> None:
    """Change one's own password, which ends one's tokens; the old one is all that is needed."""
    ref = UserRef(id=user_id, password=body.user.original_password)
    user = password_is_right(call.db, call.tools, ref)
    if user is None:
        raise unknown_caller()
    settings, passwords = call.tools.settings, call.tools.passwords
    password_policy.check_may_change(settings, user)
    password_policy.check_strength(settings, body.user.password)
    used = call.db.read(password_policy.used_hashes, settings, user)
    password_policy.check_unused(settings, passwords, used, body.user.password)
    new_hash = passwords.hash(body.user.password)
    who = dataclasses.replace(call.ctx, user_id=user.id)
    call.db.write(users.set_password, who, settings, user, new_hash)


@routes.get("/v3/users/{user_id}/groups", policy="identity:list_groups_for_user", on_target=True)
def list_user_groups(call: Call, user_id: str, query: NamedQuery) -> dict[str, object]:
    """List the groups that a user belongs to."""
    page = call.db.read(groups.of_user, call.ctx, user_id, listing(call, query))
    return collection(
        call,
        "groups",
        page,
        lambda one: {**show_group(call, one), "membership_expires_at": None},
    )


@routes.get("/v3/users/{user_id}/projects", policy="identity:list_user_projects", on_target=True)
def list_user_projects(call: Call, user_id: str, query: DomainNamedQuery) -> dict[str, object]:
    """List the projects on which a user has a role."""
    found = call.db.read(_projects_of, call, user_id, listing(call, query))
    return collection(call, "projects", found, lambda one: show_project(call, one))


@routes.delete(
    "/v3/users/{user_id}/tokens",
    policy="identity:revoke_tokens_for_user",
    status=204,
    on_target=True,
)
def revoke_user_tokens(call: Call, user_id: str) -> None:
    """End every token of a user."""
    call.db.write(users.revoke_tokens, call.ctx, user_id)


def _projects_of(tx: Tx, call: Call, user_id: str, wanted: Listing) -> Page[projects.Project]:
    user = users.user_visible(tx, call.ctx, user_id, "identity:list_user_projects")
    return Page(
        [
            project
            for project in projects.of_user(tx, user.id)
            if all(getattr(project, field) == value for field, value in wanted.equals.items())
        ]
    )
