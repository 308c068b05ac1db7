"""Giving and taking roles: one user or group, one role, one project, domain or the system."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, Invalid, NotFound
from cumulo.services.identity import groups, roles, users
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.store import assignments as store
from cumulo.services.identity.store.application_credentials import application_credentials_forget
from cumulo.services.identity.store.assignments import SYSTEM as SYSTEM
from cumulo.services.identity.store.assignments import Assignment
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.groups import Group, group_find
from cumulo.services.identity.store.projects import Project, project_find
from cumulo.services.identity.store.roles import Role, role_find, roles_all
from cumulo.services.identity.store.users import User, user_find


class Holding(msgspec.Struct, frozen=True):
    """Who holds roles on what; `inherited` means on everything below it instead."""

    actor_kind: str
    actor_id: str
    target_kind: str
    target_id: str = SYSTEM
    inherited: bool = False

    def of(self, role_id: str) -> Assignment:
        """Return the assignment of one role."""
        return Assignment(
            self.actor_kind,
            self.actor_id,
            self.target_kind,
            self.target_id,
            role_id,
            self.inherited,
        )


class _Parties(msgspec.Struct, frozen=True):
    """What is really there of a holding."""

    actor: User | Group | None
    target: Project | None


def grant_list(tx: Tx, ctx: Context, holding: Holding) -> list[Role]:
    """Return the roles given by name, not those that follow from them."""
    _permit(tx, ctx, holding, None, _rule("list", holding))
    held = store.assignment_list(
        tx,
        store.of_actor(holding.actor_kind, holding.actor_id),
        store.on_target(holding.target_kind, holding.target_id),
        store.is_inherited(holding.inherited),
    )
    known = roles_all(tx)
    return [known[one.role_id] for one in held if one.role_id in known]


def check_grant(tx: Tx, ctx: Context, holding: Holding, role_id: str) -> None:
    """Raise unless exactly this role was given."""
    _permit(tx, ctx, holding, role_id, _rule("check", holding))
    if not store.assignment_exists(tx, holding.of(role_id)):
        raise _no_grant(holding, role_id)


def create_grant(tx: Tx, ctx: Context, holding: Holding, role_id: str) -> None:
    """Give a role, or find it given."""
    parties, role = _permit(tx, ctx, holding, role_id, _rule("create", holding))
    assert role is not None, "a role was named"
    if role.domain_id and holding.target_kind == "system":
        raise Invalid(
            f"Role {role.id} is a domain-specific role. Unable to use a domain-specific role in "
            "a system assignment.",
            field="role_id",
        )
    if role.domain_id and parties.target and parties.target.domain_id not in (role.domain_id, None):
        raise Forbidden(
            f"Project {parties.target.id} must be in the same domain as the role {role.id} being "
            "assigned."
        )
    generation_advance(tx)
    store.assignment_ensure(tx, holding.of(role.id))
    note(tx, ctx, "grant", after=holding.of(role.id))


def revoke_grant(tx: Tx, ctx: Context, holding: Holding, role_id: str) -> None:
    """Take a role back; tokens that live from it are void at once."""
    _permit(tx, ctx, holding, role_id, _rule("revoke", holding))
    generation_advance(tx)
    if not store.assignment_delete(tx, holding.of(role_id)):
        raise _no_grant(holding, role_id)
    if holding.actor_kind == "user" and holding.target_kind == "project" and not holding.inherited:
        # As in Keystone, they do not come back with the role.
        application_credentials_forget(tx, user_id=holding.actor_id, project_id=holding.target_id)
    note(tx, ctx, "revoke", before=holding.of(role_id))


def _rule(verb: str, holding: Holding) -> str:
    noun = "grants" if verb == "list" else "grant"
    if holding.target_kind == "system":
        return f"identity:{verb}_system_{noun}_for_{holding.actor_kind}"
    return f"identity:{verb}_{noun}"


def _permit(
    tx: Tx, ctx: Context, holding: Holding, role_id: str | None, rule: str
) -> tuple[_Parties, Role | None]:
    """Return what is there, if the caller may; whoever may not does not learn what is."""
    parties = _parties(tx, holding)
    role = role_find(tx, role_id) if role_id else None
    ctx.require(rule, **_facts(holding, parties), **(roles.facts(role) if role_id else {}))
    if role_id and role is None:
        raise absent("role", role_id)
    if parties.actor is None:
        raise absent(holding.actor_kind, holding.actor_id)
    if parties.target is None and holding.target_kind != "system":
        raise absent(holding.target_kind, holding.target_id)
    return parties, role


def _parties(tx: Tx, holding: Holding) -> _Parties:
    actor: User | Group | None
    if holding.actor_kind == "user":
        actor = user_find(tx, holding.actor_id)
    else:
        actor = group_find(tx, holding.actor_id)
    target = project_find(tx, holding.target_id) if holding.target_kind != "system" else None
    if target and holding.target_kind == "domain" and not target.is_domain:
        target = None
    return _Parties(actor, target)


def _facts(holding: Holding, parties: _Parties) -> dict[str, object]:
    known: dict[str, object] = {}
    if isinstance(parties.actor, User):
        known |= users.facts(parties.actor, parties.actor.id)
    if isinstance(parties.actor, Group):
        known |= groups.facts(parties.actor)
    if parties.target and holding.target_kind == "domain":
        known["target.domain.id"] = parties.target.id
    if parties.target and holding.target_kind == "project":
        known["target.project.domain_id"] = parties.target.domain_id
    return known or {"target": None}


def _no_grant(holding: Holding, role_id: str) -> NotFound:
    return NotFound(
        f"Could not find role assignment with role: {role_id}, user or group: "
        f"{holding.actor_id}, project, domain, or system: {holding.target_id}."
    )
