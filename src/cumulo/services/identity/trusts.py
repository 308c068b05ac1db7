"""Trusts: a user lends another some of its roles on a project, perhaps to be lent on."""

from datetime import datetime

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity.delegations import chain, check_unrestricted
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.standing import Scope, roles_on
from cumulo.services.identity.store import trusts as store
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.projects import project_find
from cumulo.services.identity.store.roles import Role as Role
from cumulo.services.identity.store.roles import roles_all
from cumulo.services.identity.store.trusts import Trust as Trust
from cumulo.services.identity.store.users import user_find


class RoleRef(msgspec.Struct, frozen=True):
    """A role by id, or a global one by name."""

    id: str | None = None
    name: str | None = None


class Wanted(msgspec.Struct, frozen=True):
    """The trust that a client asks for."""

    trustor_user_id: str
    trustee_user_id: str
    impersonation: bool
    project_id: str | None = None
    roles: list[RoleRef] = []
    expires_at: datetime | None = None
    remaining_uses: int | None = None
    allow_redelegation: bool = False
    redelegation_count: int | None = None


class Listed(msgspec.Struct, frozen=True):
    """Whose trusts a client asks for."""

    trustor_user_id: str | None = None
    trustee_user_id: str | None = None


def trust_visible(tx: Tx, ctx: Context, trust_id: str, rule: str = "identity:get_trust") -> Trust:
    """Return a trust that can still be used, if `rule` lets the caller reach it."""
    trust = store.trust_find(tx, trust_id)
    # Nobody guesses an id: as in Keystone, who knew it learns that it is gone.
    if trust is None or not is_usable(trust):
        raise absent("trust", trust_id)
    ctx.require(rule, **facts(trust))
    return trust


def facts(trust: Trust) -> dict[str, object]:
    """Return what rules may ask of a trust."""
    return {
        "target.trust.trustor_user_id": trust.trustor_user_id,
        "target.trust.trustee_user_id": trust.trustee_user_id,
    }


def is_usable(trust: Trust) -> bool:
    """Say whether a trust is neither over nor used up."""
    is_over = trust.expires_at is not None and trust.expires_at <= clock.now()
    return not is_over and trust.remaining_uses != 0


def trust_list(tx: Tx, ctx: Context, wanted: Listed) -> list[Trust]:
    """Return trusts; those of one lender or borrower by rules of their own."""
    asked = msgspec.structs.asdict(wanted)
    if wanted.trustor_user_id is None and wanted.trustee_user_id is None:
        ctx.require("identity:list_trusts")
    for kind in ("trustor", "trustee"):
        user_id = asked[f"{kind}_user_id"]
        if user_id is not None:
            target = {f"target.trust.{kind}_user_id": user_id}
            ctx.require(f"identity:list_trusts_for_{kind}", **target)
    return [trust for trust in store.trust_list(tx, **asked) if is_usable(trust)]


def create_trust(tx: Tx, ctx: Context, settings: IdentitySettings, wanted: Wanted) -> Trust:
    """Lend roles of the caller's own, or lend on what a trust lent the caller."""
    ctx.require("identity:create_trust", **{"target.trust.trustor_user_id": wanted.trustor_user_id})
    check_unrestricted(ctx)
    if wanted.project_id and not wanted.roles:
        raise Forbidden("At least one role should be specified.")
    if user_find(tx, wanted.trustee_user_id) is None:
        raise absent("user", wanted.trustee_user_id)
    if wanted.project_id and project_find(tx, wanted.project_id) is None:
        raise absent("project", wanted.project_id)
    if wanted.expires_at is not None and wanted.expires_at <= clock.now():
        raise Invalid("The 'expires_at' must not be before now.", field="expires_at")
    trust = Trust(
        id=new_hex_id(),
        trustor_user_id=wanted.trustor_user_id,
        trustee_user_id=wanted.trustee_user_id,
        project_id=wanted.project_id,
        impersonation=wanted.impersonation,
        role_ids=[role.id for role in _roles(tx, wanted.roles)],
        expires_at=wanted.expires_at,
        remaining_uses=wanted.remaining_uses,
        redelegation_count=_depth(settings, wanted),
    )
    _check_lendable(tx, ctx, trust)
    if ctx.token and ctx.token.trust_id:
        trust = _redelegated(tx, settings, ctx.token.trust_id, trust, wanted)
    store.trust_insert(tx, trust)
    note(tx, ctx, "create", after=trust)
    return trust


def delete_trust(tx: Tx, ctx: Context, trust_id: str) -> None:
    """End a trust and all that were redelegated from it."""
    trust = store.trust_find(tx, trust_id)
    if trust is None:
        raise absent("trust", trust_id)
    ctx.require("identity:delete_trust", **facts(trust))
    erase_trust(tx, ctx, trust)


def erase_trust(tx: Tx, ctx: Context, trust: Trust) -> None:
    """Remove a trust; tokens by it, and by those that came of it, are void at once."""
    generation_advance(tx)
    for child in store.trust_list(tx, redelegated_trust_id=trust.id):
        erase_trust(tx, ctx, child)
    store.trust_delete(tx, trust.id)
    note(tx, ctx, "delete", before=trust)


def erase_trusts_of_user(tx: Tx, ctx: Context, user_id: str) -> None:
    """Remove the trusts in which a user lends or borrows."""
    for trust in store.trusts_of_user(tx, user_id):
        erase_trust(tx, ctx, trust)


def erase_trusts_for_project(tx: Tx, ctx: Context, project_id: str) -> None:
    """Remove the trusts that lend roles on a project."""
    for trust in store.trust_list(tx, project_id=project_id):
        erase_trust(tx, ctx, trust)


def consume(tx: Tx, trust: Trust) -> None:
    """Use a trust once more, if its uses are counted."""
    if trust.remaining_uses is not None and not store.trust_consume(tx, trust.id):
        raise Forbidden(f"No remaining uses for trust {trust.id}.")


def roles_of(tx: Tx, trust: Trust) -> list[Role]:
    """Return the roles that a trust names, not those that they imply."""
    known = roles_all(tx)
    return [known[role_id] for role_id in trust.role_ids if role_id in known]


def role_of(tx: Tx, ctx: Context, trust_id: str, role_id: str) -> Role:
    """Return a role that a trust names."""
    trust = trust_visible(tx, ctx, trust_id, "identity:get_role_for_trust")
    for role in roles_of(tx, trust):
        if role.id == role_id:
            return role
    raise absent("role", role_id)


def _roles(tx: Tx, refs: list[RoleRef]) -> list[Role]:
    known = roles_all(tx)
    by_name = {role.name: role for role in known.values() if role.domain_id is None}
    found: dict[str, Role] = {}
    for ref in refs:
        role = known.get(ref.id) if ref.id else by_name.get(ref.name or "")
        if role is None:
            raise absent("role", ref.id or ref.name or "")
        found[role.id] = role
    return list(found.values())


def _check_lendable(tx: Tx, ctx: Context, trust: Trust) -> None:
    """Raise unless the lender has every role, by its own right and by the token it shows."""
    scope = Scope("project", trust.project_id or "")
    mine = {role.id for role in roles_on(tx, trust.trustor_user_id, scope)}
    if ctx.token and ctx.token.trust_id:
        mine = set(ctx.role_ids)  # whoever redelegates has them by the trust only
    elif ctx.token and ctx.token.application_credential_id:
        mine &= ctx.role_ids if ctx.project_id == trust.project_id else set()
    for role_id in trust.role_ids:
        if role_id not in mine:
            raise absent("role", role_id)


def _depth(settings: IdentitySettings, wanted: Wanted) -> int:
    """Return how often a trust may be lent on."""
    most, asked = settings.max_redelegation_count, wanted.redelegation_count
    if not wanted.allow_redelegation or asked == 0:
        if wanted.remaining_uses is not None and wanted.remaining_uses <= 0:
            raise Invalid(
                "remaining_uses must be a positive integer or null.", field="remaining_uses"
            )
        return 0
    if asked is not None and asked > most:
        raise Forbidden(f"Requested redelegation depth of {asked} is greater than allowed {most}.")
    if wanted.remaining_uses is not None:
        raise Invalid(
            "remaining_uses must not be set if redelegation is allowed.", field="remaining_uses"
        )
    return most if asked is None else asked


def _redelegated(
    tx: Tx, settings: IdentitySettings, trust_id: str, trust: Trust, wanted: Wanted
) -> Trust:
    """Return the trust as one lent on, which every trust before it must allow."""
    source = store.trust_find(tx, trust_id)
    if source is None:
        raise absent("trust", trust_id)
    left = source.redelegation_count - 1
    is_open = wanted.allow_redelegation and wanted.redelegation_count != 0
    if is_open and wanted.redelegation_count not in (None, left):
        raise Forbidden(
            'Modifying "redelegation_count" upon redelegation is forbidden. Omitting this '
            "parameter is advised."
        )
    for before in chain(tx, source):
        _check_redelegable(settings, before, trust)
    return msgspec.structs.replace(
        trust,
        redelegated_trust_id=source.id,
        redelegation_count=left if is_open else 0,
        expires_at=trust.expires_at or source.expires_at,
    )


def _check_redelegable(settings: IdentitySettings, before: Trust, trust: Trust) -> None:
    """Raise when `trust` would be more than `before`, or `before` must not be lent on."""
    if not 0 < before.redelegation_count <= settings.max_redelegation_count:
        raise Forbidden(
            f"Remaining redelegation depth of {before.redelegation_count} out of allowed range of "
            f"[0..{settings.max_redelegation_count}]."
        )
    if trust.remaining_uses is not None:
        raise Forbidden(
            f'Field "remaining_uses" is set to {trust.remaining_uses} while it must not be set in '
            "order to redelegate a trust."
        )
    if before.expires_at and trust.expires_at and trust.expires_at > before.expires_at:
        raise Forbidden("Requested expiration time is more than redelegated trust can provide.")
    if trust.project_id != before.project_id:
        raise Forbidden("A redelegated trust must be for the same project.")
    if not set(trust.role_ids) <= set(before.role_ids):
        raise Forbidden("Some of requested roles are not in redelegated trust.")
    if trust.impersonation and not before.impersonation:
        raise Forbidden(
            "Impersonation is not allowed because redelegated trust does not specify "
            f"impersonation. Redelegated trust id: {before.id}."
        )
