"""What somebody may do in another's name, or by an application credential of their own.

A delegation is worth what whoever made it has at this moment, and never more.  It cannot be the
way to a wider one: what is made through it is bound to it or refused.
"""

from datetime import datetime
from typing import Literal

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Forbidden
from cumulo.services.identity.implications import Implications
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.standing import Scope, roles_on
from cumulo.services.identity.store.access_rules import AccessRule, access_rules_of
from cumulo.services.identity.store.application_credentials import (
    ApplicationCredential,
    application_credential_find,
)
from cumulo.services.identity.store.roles import Role
from cumulo.services.identity.store.trusts import Trust, trust_find
from cumulo.services.identity.store.users import User, user_find

TRUST = "trust"
APPLICATION_CREDENTIAL = "application_credential"


class Delegation(msgspec.Struct, frozen=True):
    """By what a token was had, other than the user's own proof."""

    kind: Literal["trust", "application_credential"]
    id: str


class Lent(msgspec.Struct, frozen=True):
    """What a delegation is worth now."""

    user: User  # whom the token speaks for
    # All who must be in good standing for it to hold.
    answerable: tuple[User, ...]
    scope: Scope
    roles: tuple[Role, ...]
    expires_at: datetime | None = None
    trust: Trust | None = None
    application_credential: ApplicationCredential | None = None
    access_rules: tuple[AccessRule, ...] = ()

    @property
    def is_restricted(self) -> bool:
        """Say whether it must not make application credentials, trusts or keys."""
        credential = self.application_credential
        return credential is not None and (not credential.unrestricted or bool(self.access_rules))


def lent(tx: Tx, delegation: Delegation, user: User) -> Lent:
    """Return what `user` has by a delegation; raise `Unauthorized` when it is nothing."""
    if delegation.kind == TRUST:
        return _by_trust(tx, delegation.id, user)
    return _by_application_credential(tx, delegation.id, user)


def chain(tx: Tx, trust: Trust) -> list[Trust]:
    """Return a trust and those that it was redelegated from, the original one last."""
    found = [trust]
    while found[-1].redelegated_trust_id:
        parent = trust_find(tx, found[-1].redelegated_trust_id)
        if parent is None:
            raise unknown_caller()
        found.append(parent)
    return found


def check_unrestricted(ctx: Context) -> None:
    """Raise when the caller's token is of a credential that must not make others."""
    if ctx.token is not None and ctx.token.is_restricted:
        raise Forbidden(
            "Using method 'application_credential' is not allowed for managing additional "
            "application credentials."
        )


def check_undelegated(ctx: Context, what: str) -> None:
    """Raise when the caller has a trust's token: what it makes would outlive the trust."""
    if ctx.token is not None and ctx.token.trust_id:
        raise Forbidden(f"Using a trust-scoped token is not allowed for {what}.")


def delegation_of(ctx: Context) -> Delegation | None:
    """Return by what delegation the caller is here."""
    if ctx.token is None:
        return None
    if ctx.token.trust_id:
        return Delegation("trust", ctx.token.trust_id)
    if ctx.token.application_credential_id:
        return Delegation("application_credential", ctx.token.application_credential_id)
    return None


def _by_trust(tx: Tx, trust_id: str, user: User) -> Lent:
    trust = trust_find(tx, trust_id)
    if trust is None or trust.trustee_user_id != user.id:
        raise unknown_caller()
    links = chain(tx, trust)
    if any(_is_over(link.expires_at) for link in links):
        raise unknown_caller()
    lenders = [_user(tx, link.trustor_user_id) for link in links]
    roles = Implications(tx).effective(trust.role_ids)
    scope = Scope("project", trust.project_id) if trust.project_id else Scope()
    held = {role.id for role in roles_on(tx, lenders[-1].id, scope)} if trust.project_id else set()
    # A role that the first trustor lost ends the trust, as in Keystone; it does not just shrink.
    if any(role.id not in held for role in roles):
        raise unknown_caller()
    return Lent(
        user=lenders[0] if trust.impersonation else user,
        answerable=(user, *lenders),
        scope=scope,
        roles=tuple(roles),
        expires_at=trust.expires_at,
        trust=trust,
    )


def _by_application_credential(tx: Tx, credential_id: str, user: User) -> Lent:
    credential = application_credential_find(tx, credential_id)
    if credential is None or credential.user_id != user.id or _is_over(credential.expires_at):
        raise unknown_caller()
    scope = Scope("project", credential.project_id)
    held = {role.id for role in roles_on(tx, user.id, scope)}
    roles = Implications(tx).effective(credential.role_ids)
    rules = access_rules_of(tx, [credential.id]).get(credential.id, [])
    return Lent(
        user=user,
        answerable=(user,),
        scope=scope,
        roles=tuple(role for role in roles if role.id in held),
        expires_at=credential.expires_at,
        application_credential=credential,
        access_rules=tuple(rules),
    )


def _user(tx: Tx, user_id: str) -> User:
    user = user_find(tx, user_id)
    if user is None:
        raise unknown_caller()
    return user


def _is_over(moment: datetime | None) -> bool:
    return moment is not None and moment <= clock.now()
