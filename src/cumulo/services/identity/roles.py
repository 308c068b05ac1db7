"""Roles: names that rules ask for, of which one may imply others."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, Invalid, NotFound
from cumulo.services.identity.changes import (
    Changes,
    check_deletable,
    check_mutable,
    laid_over,
)
from cumulo.services.identity.implications import Implications
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent, check_unchanged
from cumulo.services.identity.store import roles as store
from cumulo.services.identity.store.assignments import assignments_forget_role
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.roles import Role as Role

# A role that others could imply would make admins of people whom nobody made admins.
_NEVER_IMPLIED = {"admin"}


def role_visible(tx: Tx, ctx: Context, role_id: str, verb: str = "get") -> Role:
    """Return a role; those of a domain have rules of their own."""
    role = _role(tx, role_id)  # as in Keystone, even who may not learns that it is gone
    noun = "domain_role" if role.domain_id else "role"
    ctx.require(f"identity:{verb}_{noun}", **facts(role))
    return role


def facts(role: Role | None) -> dict[str, object]:
    """Return what rules may ask of a role."""
    if role is None:
        return {"target.role.id": None}
    return {"target.role.name": role.name, "target.role.domain_id": role.domain_id}


def role_list(tx: Tx, ctx: Context, listing: Listing) -> Page[Role]:
    """Return the global roles, or those of the one domain asked for."""
    domain_id = listing.equals.get("domain_id") or ""
    ctx.require("identity:list_domain_roles" if domain_id else "identity:list_roles")
    equals = {**listing.equals, "domain_id": domain_id}
    return store.role_page(tx, msgspec.structs.replace(listing, equals=equals))


def create_role(tx: Tx, ctx: Context, new: Role) -> Role:
    """Record a role."""
    rule = "identity:create_domain_role" if new.domain_id else "identity:create_role"
    ctx.require(rule, **facts(new))
    store.role_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_role(tx: Tx, ctx: Context, role_id: str, changes: Changes) -> Role:
    """Change a role; its domain cannot change."""
    before = role_visible(tx, ctx, role_id, "update")
    check_unchanged("ID", changes.get("id"), before.id)
    if changes.get("domain_id", before.domain_id) != before.domain_id:
        raise Invalid("Update of `domain_id` is not allowed.", field="domain_id")
    wanted = {k: v for k, v in changes.items() if k not in ("id", "domain_id")}
    check_mutable("role", before, wanted)
    generation_advance(tx)
    after = store.role_change(tx, before, **laid_over(before, wanted))
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_role(tx: Tx, ctx: Context, role_id: str) -> None:
    """Delete a role and take it back from everyone."""
    role = role_visible(tx, ctx, role_id, "delete")
    check_deletable("role", role)
    erase_role(tx, ctx, role)


def erase_role(tx: Tx, ctx: Context, role: Role) -> None:
    """Remove a role and what refers to it."""
    generation_advance(tx)
    assignments_forget_role(tx, role.id)
    store.role_delete(tx, role.id)
    note(tx, ctx, "delete", before=role)


def inferences(tx: Tx) -> list[tuple[Role, list[Role]]]:
    """Return each role that implies others, with those it implies directly."""
    known = Implications(tx)
    return [
        (known.roles[prior], [known.roles[one] for one in implied])
        for prior, implied in known.pairs().items()
    ]


def implied_by(tx: Tx, ctx: Context, prior_role_id: str) -> tuple[Role, list[Role]]:
    """Return a role and those it implies directly."""
    ctx.require("identity:list_implied_roles")
    prior = _role(tx, prior_role_id)
    known = Implications(tx)
    return prior, [known.roles[one] for one in known.pairs().get(prior.id, [])]


def implication(
    tx: Tx, ctx: Context, prior_role_id: str, implied_role_id: str, rule: str
) -> tuple[Role, Role]:
    """Return two roles of which the first implies the second."""
    ctx.require(rule)
    prior, implied = _role(tx, prior_role_id), _role(tx, implied_role_id)
    if implied.id not in Implications(tx).pairs().get(prior.id, []):
        raise _not_implied(prior, implied)
    return prior, implied


def imply(tx: Tx, ctx: Context, prior_role_id: str, implied_role_id: str) -> tuple[Role, Role]:
    """Let one role imply another from now on."""
    ctx.require("identity:create_implied_role")
    implied, prior = _role(tx, implied_role_id), _role(tx, prior_role_id)
    if implied.name in _NEVER_IMPLIED or (prior.domain_id is None and implied.domain_id):
        raise Forbidden(f"{implied.id} cannot be an implied roles.")
    generation_advance(tx)
    store.implied_insert(tx, prior.id, implied.id)
    note(tx, ctx, "imply", before=implied, after=prior)
    return prior, implied


def imply_no_more(tx: Tx, ctx: Context, prior_role_id: str, implied_role_id: str) -> None:
    """End an implication."""
    ctx.require("identity:delete_implied_role")
    prior, implied = _role(tx, prior_role_id), _role(tx, implied_role_id)
    generation_advance(tx)
    if not store.implied_delete(tx, prior.id, implied.id):
        raise _not_implied(prior, implied)
    note(tx, ctx, "imply_no_more", before=implied, after=prior)


def _role(tx: Tx, role_id: str) -> Role:
    role = store.role_find(tx, role_id)
    if role is None:
        raise absent("role", role_id)
    return role


def _not_implied(prior: Role, implied: Role) -> NotFound:
    return NotFound(f"{prior.id} does not imply {implied.id}.")
