"""What a token says, how it is made and when it is still worth something.

A token is not stored: it carries who, how, for what scope and until when, sealed or signed.
Everything else (names, roles, whether anything was disabled meanwhile) is looked up when the
token is used, so that a change acts on tokens that are already out.
"""

import base64
from datetime import UTC, datetime, timedelta

import msgspec

from cumulo.auth import Context
from cumulo.auth import Token as TokenFacts
from cumulo.auth.access import AccessRule
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.ids import new_secret
from cumulo.services.identity import claims
from cumulo.services.identity.claims import METHODS, Claims
from cumulo.services.identity.delegations import Delegation, Lent, lent
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.standing import UNSCOPED, Scope, roles_of, target_of
from cumulo.services.identity.store.assignments import SYSTEM, of_actors
from cumulo.services.identity.store.generation import generation_advance, generation_get
from cumulo.services.identity.store.groups import group_ids_of
from cumulo.services.identity.store.projects import Project, project_find
from cumulo.services.identity.store.revocations import is_revoked, revocation_ensure
from cumulo.services.identity.store.roles import Role
from cumulo.services.identity.store.users import User, user_find


class Grant(msgspec.Struct, frozen=True):
    """What was proved before a token is made, and what it is to be good for."""

    user_id: str
    methods: frozenset[str]
    scope: Scope
    # From the token that this one is made of, which it must not outlive.
    expires_at: datetime | None = None
    parent_audit_id: str | None = None
    delegation: Delegation | None = None


class Token(msgspec.Struct, frozen=True):
    """A token that was checked, with all that it is worth at this moment."""

    user: User
    user_domain: Project
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    scope: Scope = UNSCOPED
    # The project or domain of the scope, and the domain that such a project is in.
    target: Project | None = None
    target_domain: Project | None = None
    roles: tuple[Role, ...] = ()
    group_ids: tuple[str, ...] = ()
    by: Lent | None = None

    def is_expired(self, allowance_s: int = 0) -> bool:
        """Say whether its time is over, by more than `allowance_s`."""
        return self.expires_at + timedelta(seconds=allowance_s) <= clock.now()

    def context(self) -> Context:
        """Return its owner as the rest of the cloud sees them."""
        kind, target, domain = self.scope.kind, self.target, self.target_domain
        return Context(
            user_id=self.user.id,
            user_name=self.user.name,
            user_domain_id=self.user_domain.id,
            user_domain_name=self.user_domain.name,
            project_id=target.id if target and kind == "project" else None,
            project_name=target.name if target and kind == "project" else "",
            project_domain_id=domain.id if domain and kind == "project" else None,
            project_domain_name=domain.name if domain and kind == "project" else "",
            domain_id=target.id if target and kind == "domain" else None,
            domain_name=target.name if target and kind == "domain" else "",
            system_scope=SYSTEM if kind == "system" else None,
            roles=frozenset(role.name.lower() for role in self.roles),
            role_ids=frozenset(role.id for role in self.roles),
            group_ids=frozenset(self.group_ids),
            access_rules=self._access_rules(),
            token=self._facts(),
        )

    def _access_rules(self) -> tuple[AccessRule, ...] | None:
        if self.by is None or not self.by.access_rules:
            return None
        return tuple(AccessRule(one.service, one.method, one.path) for one in self.by.access_rules)

    def _facts(self) -> TokenFacts:
        by = self.by
        trust = by.trust if by else None
        credential = by.application_credential if by else None
        return TokenFacts(
            audit_ids=self.audit_ids,
            methods=self.methods,
            issued_at=self.issued_at,
            expires_at=self.expires_at,
            trust_id=trust.id if trust else None,
            trustor_id=trust.trustor_user_id if trust else None,
            trustee_id=trust.trustee_user_id if trust else None,
            application_credential_id=credential.id if credential else None,
            is_restricted=by.is_restricted if by else False,
        )


def issue(tx: Tx, keyring: Keyring, settings: IdentitySettings, grant: Grant) -> tuple[str, Token]:
    """Make a token, unless the user has nothing to do with the scope; writes nothing."""
    now = clock.now()
    before = (grant.parent_audit_id,) if grant.parent_audit_id else ()
    said = Claims(
        user_id=grant.user_id,
        methods=grant.methods,
        scope=grant.scope,
        issued_at=int(now.timestamp()),
        expires_at=_seconds(grant.expires_at or now + timedelta(seconds=settings.expiration)),
        audit_ids=(_new_audit_id(), *before),
        generation=generation_get(tx),
        delegation=grant.delegation,
    )
    token = _worth(tx, said)
    if token.by and token.by.expires_at and token.by.expires_at < token.expires_at:
        # So that no later check has to look at the delegation's clock.
        said = msgspec.structs.replace(said, expires_at=_seconds(token.by.expires_at))
        token = _worth(tx, said)
    if settings.provider == "jws":
        return keyring.signer.sign(tx, claims.named(said)), token
    return keyring.seal(tx, claims.packed(said), said.issued_at), token


def read(tx: Tx, keyring: Keyring, token_id: str) -> Token:
    """Return what a token is worth now, expired or not; raise `Unauthorized` when nothing."""
    said = None
    if "." in token_id:
        signed = keyring.signer.verified(tx, token_id)
        said = claims.read_named(signed) if signed is not None else None
    else:
        sealed = keyring.open(tx, token_id)
        said = claims.unpacked(sealed) if sealed is not None else None
    if said is None:
        raise unknown_caller()
    return _worth(tx, said)


def revoke(tx: Tx, token: Token, *, with_descendants: bool = True) -> None:
    """Make a token worthless at once, and unless told otherwise those made from it."""
    generation_advance(tx)
    revocation_ensure(
        tx,
        token.audit_ids[0],
        with_descendants=with_descendants,
        expires_at=token.expires_at,
    )


def _worth(tx: Tx, said: Claims) -> Token:
    user = user_find(tx, said.user_id)
    if user is None or is_revoked(tx, list(said.audit_ids)):
        raise unknown_caller()
    scope = said.scope
    target, target_domain = target_of(tx, scope)
    group_ids: list[str] = []
    by = None
    if said.delegation:
        by = lent(tx, said.delegation, user)
        if by.scope != scope:
            raise unknown_caller()
        roles = by.roles
    else:
        group_ids = group_ids_of(tx, user.id)
        mine = of_actors(user.id, group_ids)
        roles = () if scope == UNSCOPED else tuple(roles_of(tx, mine, scope, target))
    around = [one for one in (target, target_domain) if one is not None]
    domains = _standing(tx, by.answerable if by else (user,), around, said.generation)
    if scope != UNSCOPED and not roles:
        raise unknown_caller()
    speaker = by.user if by else user
    return Token(
        user=speaker,
        user_domain=domains[speaker.domain_id],
        methods=tuple(name for name in METHODS if name in said.methods),
        audit_ids=said.audit_ids,
        issued_at=datetime.fromtimestamp(said.issued_at, UTC),
        expires_at=datetime.fromtimestamp(said.expires_at, UTC),
        scope=scope,
        target=target,
        target_domain=target_domain,
        roles=roles,
        group_ids=tuple(group_ids),
        by=by,
    )


def _standing(
    tx: Tx, users: tuple[User, ...], around: list[Project], generation: int
) -> dict[str, Project]:
    """Return the domains of users; all must be enabled, and void no token of `generation`."""
    known = {one.id: one for one in around}
    for user in users:
        domain = known.get(user.domain_id) or project_find(tx, user.domain_id)
        if domain is None:
            raise unknown_caller()
        known[domain.id] = domain
    those: list[User | Project] = [*users, *known.values()]
    for one in those:
        if not (one.enabled and one.tokens_since <= generation):
            raise unknown_caller()
    return known


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _new_audit_id() -> str:
    return base64.urlsafe_b64encode(new_secret(16)).decode().rstrip("=")
