"""Users: who may log in, and what becomes of their tokens when something about them changes."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.identity import password_policy
from cumulo.services.identity.changes import Changes, laid_over
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent, check_unchanged, unknown_caller
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store import users as store
from cumulo.services.identity.store.access_rules import access_rules_forget_user
from cumulo.services.identity.store.application_credentials import application_credentials_forget
from cumulo.services.identity.store.assignments import assignments_forget_actor
from cumulo.services.identity.store.credentials import credentials_forget_user
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.passwords import hashes_forget
from cumulo.services.identity.store.projects import project_find
from cumulo.services.identity.store.tables import user as columns
from cumulo.services.identity.store.users import User as User
from cumulo.services.identity.trusts import erase_trusts_of_user

_TOKENS_SAY = {"name", "enabled", "password_hash"}


def user_visible(tx: Tx, ctx: Context, user_id: str, rule: str = "identity:get_user") -> User:
    """Return a user that `rule` lets the caller reach; strangers do not learn if it is there."""
    user = store.user_find(tx, user_id)
    ctx.require(rule, **facts(user, user_id))
    if user is None:
        raise absent("user", user_id)
    return user


def facts(user: User | None, user_id: str) -> dict[str, object]:
    """Return what rules may ask of a user; `user_id` is the one in the path."""
    known: dict[str, object] = {"user_id": user_id}
    if user is not None:
        known |= {"target.user.id": user.id, "target.user.domain_id": user.domain_id}
    return known


def user_list(tx: Tx, ctx: Context, listing: Listing) -> Page[User]:
    """Return users; a token of a domain sees only that domain's."""
    ctx.require("identity:list_users", **{"target.domain_id": ctx.domain_id})
    own = [columns.c.domain_id == ctx.domain_id] if ctx.domain_id else []
    return store.user_page(tx, listing, *own)


def create_user(tx: Tx, ctx: Context, new: User) -> User:
    """Record a user in a domain that is there."""
    ctx.require("identity:create_user", **{"target.user.domain_id": new.domain_id})
    domain = project_find(tx, new.domain_id)
    if domain is None or not domain.is_domain:
        raise absent("domain", new.domain_id)
    _check_default_project(tx, new.default_project_id)
    new = msgspec.structs.replace(new, name=new.name.strip())
    store.user_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def with_password(settings: IdentitySettings, new: User, password_hash: str) -> User:
    """Return a new user with the password that somebody else chose for it."""
    chosen = password_policy.columns(settings, new.options, password_hash, own=False)
    return msgspec.structs.replace(new, **chosen)


def update_user(
    tx: Tx, ctx: Context, settings: IdentitySettings, user_id: str, changes: Changes
) -> User:
    """Change a user; disabling it or setting its password voids its tokens."""
    before = user_visible(tx, ctx, user_id, "identity:update_user")
    check_unchanged("user ID", changes.get("id"), before.id)
    check_unchanged("Domain ID", changes.get("domain_id"), before.domain_id)
    fixed = {"id", "domain_id"}
    values = laid_over(before, {k: v for k, v in changes.items() if k not in fixed})
    if isinstance(values.get("name"), str):
        values["name"] = str(values["name"]).strip()
    default_project_id = values.get("default_project_id")
    _check_default_project(tx, str(default_project_id) if default_project_id else None)
    if _TOKENS_SAY & values.keys():
        generation = generation_advance(tx)
        if values.get("enabled") is False or "password_hash" in values:
            values["tokens_since"] = generation
    if "password_hash" in values:
        new_hash = values["password_hash"]
        options = values.get("options", before.options)
        assert isinstance(new_hash, str | None), "hashed by the operation"
        assert isinstance(options, dict), "laid over those that were"
        values |= password_policy.columns(settings, options, new_hash, own=before.id == ctx.user_id)
        password_policy.keep_hash(tx, settings, before)
    if values.get("enabled") is True:
        values |= {"failed_auth_count": 0, "failed_auth_at": None}
    after = store.user_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def set_password(
    tx: Tx, ctx: Context, settings: IdentitySettings, user: User, new_hash: str
) -> None:
    """Replace the password that was just verified, unless somebody else did meanwhile."""
    since = generation_advance(tx)
    columns = password_policy.columns(settings, user.options, new_hash, own=True)
    password_policy.keep_hash(tx, settings, user)
    old_hash = user.password_hash or ""
    if not store.password_change(tx, user.id, old_hash=old_hash, columns=columns, since=since):
        raise unknown_caller()
    note(tx, ctx, "update_password", after=user)


def revoke_tokens(tx: Tx, ctx: Context, user_id: str) -> None:
    """Void every token a user has."""
    user = user_visible(tx, ctx, user_id, "identity:revoke_tokens_for_user")
    store.tokens_void(tx, [user.id], generation_advance(tx))
    note(tx, ctx, "revoke_tokens", before=user, after=user)


def delete_user(tx: Tx, ctx: Context, user_id: str) -> None:
    """Delete a user, its memberships and every role it has."""
    erase_user(tx, ctx, user_visible(tx, ctx, user_id, "identity:delete_user"))


def erase_user(tx: Tx, ctx: Context, user: User) -> None:
    """Remove a user and what refers to it."""
    generation_advance(tx)
    assignments_forget_actor(tx, "user", user.id)
    credentials_forget_user(tx, user.id)
    application_credentials_forget(tx, user_id=user.id)
    hashes_forget(tx, user.id)
    access_rules_forget_user(tx, user.id)
    erase_trusts_of_user(tx, ctx, user.id)
    store.user_delete(tx, user.id)
    note(tx, ctx, "delete", before=user)


def _check_default_project(tx: Tx, project_id: str | None) -> None:
    project = project_find(tx, project_id) if project_id else None
    if project and project.is_domain:
        raise Invalid(
            f"User's default project ID cannot be a domain ID: {project_id}",
            field="default_project_id",
        )
