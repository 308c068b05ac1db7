"""Application credentials: a user lends its programs some of its roles on one project."""

from datetime import datetime

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.identity.access_rules import RuleSpec, ensure_rules
from cumulo.services.identity.delegations import check_undelegated, check_unrestricted
from cumulo.services.identity.journal import note
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.store import application_credentials as store
from cumulo.services.identity.store.access_rules import (
    AccessRule,
    access_rules_bind,
    access_rules_of,
)
from cumulo.services.identity.store.application_credentials import (
    ApplicationCredential as ApplicationCredential,
)
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.roles import Role, roles_all
from cumulo.services.identity.trusts import RoleRef


class Wanted(msgspec.Struct, frozen=True):
    """The application credential that a client asks for, its secret hashed already."""

    id: str
    user_id: str
    name: str
    secret_hash: str
    description: str | None = None
    expires_at: datetime | None = None
    unrestricted: bool = False
    roles: list[RoleRef] | None = None
    access_rules: list[RuleSpec] = []

    def __repr__(self) -> str:
        return f"Wanted({self.id})"


class Shown(msgspec.Struct, frozen=True):
    """An application credential with what its ids stand for."""

    credential: ApplicationCredential
    roles: list[Role]
    access_rules: list[AccessRule]


def credential_visible(
    tx: Tx, ctx: Context, user_id: str, credential_id: str, rule: str
) -> ApplicationCredential:
    """Return a user's application credential, if `rule` lets the caller reach it."""
    found = store.application_credential_find(tx, credential_id)
    # Whose it is decides, not whose the path says it is.
    ctx.require(rule, user_id=found.user_id if found else user_id)
    if found is None or found.user_id != user_id:
        raise absent("application_credential", credential_id)
    return found


def credential_show(tx: Tx, ctx: Context, user_id: str, credential_id: str) -> Shown:
    """Return an application credential as it is shown."""
    rule = "identity:get_application_credential"
    return _shown(tx, [credential_visible(tx, ctx, user_id, credential_id, rule)])[0]


def credential_list(tx: Tx, ctx: Context, user_id: str, listing: Listing) -> Page[Shown]:
    """Return a user's application credentials."""
    ctx.require("identity:list_application_credentials", user_id=user_id)
    found = store.application_credential_page(tx, user_id, listing)
    return Page(_shown(tx, found.members), found.is_truncated)


def check_may_create(ctx: Context, user_id: str) -> None:
    """Raise unless the caller may lend anything of this user's at all."""
    ctx.require("identity:create_application_credential", user_id=user_id)
    check_unrestricted(ctx)
    check_undelegated(ctx, "managing application credentials")
    if ctx.project_id is None:
        raise Forbidden("A project-scoped token is required to create an application credential.")


def create_credential(tx: Tx, ctx: Context, wanted: Wanted) -> Shown:
    """Lend roles that the caller's token has, on its project."""
    check_may_create(ctx, wanted.user_id)
    assert ctx.project_id is not None, "checked just now"
    if wanted.expires_at is not None and wanted.expires_at <= clock.now():
        raise Invalid("The 'expires_at' must not be before now.", field="expires_at")
    new = ApplicationCredential(
        id=wanted.id,
        name=wanted.name.strip(),
        user_id=wanted.user_id,
        project_id=ctx.project_id,
        secret_hash=wanted.secret_hash,
        description=wanted.description,
        expires_at=wanted.expires_at,
        unrestricted=wanted.unrestricted,
        role_ids=_role_ids(tx, ctx, wanted.roles),
    )
    store.application_credential_insert(tx, new)
    access_rules_bind(tx, new.id, ensure_rules(tx, new.user_id, wanted.access_rules))
    note(tx, ctx, "create", after=new)
    return _shown(tx, [new])[0]


def delete_credential(tx: Tx, ctx: Context, user_id: str, credential_id: str) -> None:
    """Delete an application credential; its tokens are void at once."""
    rule = "identity:delete_application_credential"
    found = credential_visible(tx, ctx, user_id, credential_id, rule)
    check_unrestricted(ctx)
    generation_advance(tx)
    store.application_credential_delete(tx, found.id)
    note(tx, ctx, "delete", before=found)


def _role_ids(tx: Tx, ctx: Context, wanted: list[RoleRef] | None) -> list[str]:
    if not wanted:
        return sorted(ctx.role_ids)
    known = roles_all(tx)
    named = {role.name: role.id for role in known.values() if role.domain_id is None}
    found = []
    for ref in wanted:
        role_id = ref.id or named.get(ref.name or "", "")
        if role_id not in known:
            raise absent("role", ref.id or ref.name or "")
        if role_id not in ctx.role_ids:
            raise Invalid(
                "Invalid application credential: Cannot create an application credential with "
                "unassigned role.",
                field="roles",
            )
        found.append(role_id)
    return list(dict.fromkeys(found))


def _shown(tx: Tx, credentials: list[ApplicationCredential]) -> list[Shown]:
    known = roles_all(tx)
    rules = access_rules_of(tx, [one.id for one in credentials])
    return [
        Shown(
            one,
            [known[role_id] for role_id in one.role_ids if role_id in known],
            rules.get(one.id, []),
        )
        for one in credentials
    ]
