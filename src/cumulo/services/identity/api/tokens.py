"""Tokens: made from a password or another token, shown, revoked."""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_micro_z
from cumulo.kit.errors import NotFound
from cumulo.services.identity import tokens
from cumulo.services.identity.api.wire import Call
from cumulo.services.identity.authentication import (
    CredentialRef,
    Proof,
    authenticate,
    found_token,
)
from cumulo.services.identity.catalog import CatalogEntry, catalog_of
from cumulo.services.identity.delegations import Lent
from cumulo.services.identity.domains import Project
from cumulo.services.identity.journal import note
from cumulo.services.identity.receipts import Receipt
from cumulo.services.identity.refusals import lacking
from cumulo.services.identity.scoping import DomainRef, ProjectRef, UserRef, Wish
from cumulo.services.identity.tokens import Token
from cumulo.services.identity.users import User
from cumulo.services.identity.validation import Known
from cumulo.web import LooseBool, Reply, Routes

routes = Routes()


class PasswordSpec(msgspec.Struct):
    """What the password method needs."""

    user: UserRef | None = None


class PasscodeSpec(msgspec.Struct):
    """What the totp method needs."""

    user: UserRef | None = None


class TokenSpec(msgspec.Struct):
    """What the token method needs."""

    id: str


class IdentitySpec(msgspec.Struct):
    """How a client proves who it is."""

    methods: list[str]
    password: PasswordSpec | None = None
    token: TokenSpec | None = None
    application_credential: CredentialRef | None = None
    totp: PasscodeSpec | None = None


class TrustSpec(msgspec.Struct):
    """A trust as a scope."""

    id: str


class ScopeSpec(msgspec.Struct):
    """What the token is to be good for; exactly one."""

    project: ProjectRef | UnsetType = UNSET
    domain: DomainRef | UnsetType = UNSET
    system: dict[str, LooseBool] | UnsetType = UNSET
    unscoped: object = UNSET
    trust: TrustSpec | UnsetType = msgspec.field(name="OS-TRUST:trust", default=UNSET)


class AuthSpec(msgspec.Struct):
    """Who asks, and for what scope."""

    identity: IdentitySpec
    scope: ScopeSpec | str | UnsetType = UNSET


class AuthBody(msgspec.Struct):
    """A request for a token."""

    auth: AuthSpec | None = None


class TokenQuery(msgspec.Struct):
    """How much of a token to show, and whether an expired one too."""

    nocatalog: str | None = None
    allow_expired: LooseBool = False
    cascade: LooseBool = True


class Named(msgspec.Struct):
    """A domain or role as a token shows it."""

    id: str
    name: str


class InDomain(msgspec.Struct):
    """A project as a token shows it."""

    domain: Named
    id: str
    name: str


class UserView(msgspec.Struct):
    """A user as a token shows it."""

    domain: Named
    id: str
    name: str
    password_expires_at: str | None = None


class EndpointView(msgspec.Struct):
    """An endpoint in a catalog."""

    id: str
    interface: str
    region_id: str | None
    url: str
    region: str | None


class ServiceView(msgspec.Struct):
    """A service in a catalog."""

    endpoints: list[EndpointView]
    id: str
    type: str
    name: str


class System(msgspec.Struct):
    """The whole cloud as a scope."""

    all: bool = True


class UserId(msgspec.Struct):
    """A user, by id alone."""

    id: str


class TrustView(msgspec.Struct):
    """A trust as a token shows it."""

    id: str
    trustor_user: UserId
    trustee_user: UserId
    impersonation: bool


class CredentialView(msgspec.Struct):
    """An application credential as a token shows it."""

    id: str
    name: str
    restricted: bool
    access_rules: list[dict[str, str]] | UnsetType = UNSET


class TokenView(msgspec.Struct):
    """A token as clients see it."""

    methods: list[str]
    user: UserView
    audit_ids: list[str]
    expires_at: str
    issued_at: str
    project: InDomain | UnsetType = UNSET
    is_domain: bool | UnsetType = UNSET
    domain: Named | UnsetType = UNSET
    system: System | UnsetType = UNSET
    roles: list[Named] | UnsetType = UNSET
    catalog: list[ServiceView] | UnsetType = UNSET
    trust: TrustView | UnsetType = msgspec.field(name="OS-TRUST:trust", default=UNSET)
    application_credential: CredentialView | UnsetType = UNSET


class ReceiptView(msgspec.Struct):
    """A receipt as clients see it."""

    methods: list[str]
    user: UserView
    expires_at: str
    issued_at: str


class ReceiptBody(msgspec.Struct):
    """A receipt in an answer, with the methods of which one set has to be complete."""

    receipt: ReceiptView
    required_auth_methods: list[list[str]]


class TokenBody(msgspec.Struct):
    """A token in an answer."""

    token: TokenView


@routes.post("/v3/auth/tokens", policy=None, status=201)
def create_token(call: Call, body: AuthBody, query: TokenQuery) -> Reply:
    """Issue a token for a scope to whoever proves to be someone."""
    if body.auth is None:
        raise lacking("auth", "request body")
    identity = body.auth.identity
    proof = Proof(
        methods=identity.methods,
        user=identity.password.user if identity.password else None,
        token_id=identity.token.id if identity.token else None,
        application_credential=identity.application_credential,
        holder=identity.totp.user if identity.totp else None,
        receipt_id=call.headers.get("openstack-auth-receipt"),
    )
    found = authenticate(call.db, call.tools, proof, _wish(body.auth.scope))
    if isinstance(found, Receipt):
        return _receipt(found)
    token_id, token = found
    return answer(call, token_id, token, with_catalog=query.nocatalog is None)


@routes.get("/v3/auth/tokens", policy="identity:validate_token", on_target=True)
def show_token(call: Call, query: TokenQuery) -> Reply:
    """Show what a token is worth."""
    token_id, known = _subject(call, "identity:validate_token", query.allow_expired)
    with_catalog = query.nocatalog is None
    shown = known.shown.get(with_catalog)
    if shown is None:
        shown = known.shown[with_catalog] = _shown(call, known.token, with_catalog=with_catalog)
    return Reply(shown, headers={"X-Subject-Token": token_id})


@routes.head("/v3/auth/tokens", policy="identity:check_token", on_target=True)
def check_token(call: Call, query: TokenQuery) -> Reply:
    """Say whether a token is worth anything."""
    token_id, _ = _subject(call, "identity:check_token", query.allow_expired)
    return Reply(headers={"X-Subject-Token": token_id})


@routes.delete("/v3/auth/tokens", policy="identity:revoke_token", status=204, on_target=True)
def revoke_token(call: Call, query: TokenQuery) -> None:
    """Make a token worthless at once, and those made from it unless cascade is false."""
    _, known = _subject(call, "identity:revoke_token", False)
    call.db.write(_revoke, call, known.token, query.cascade)


def _revoke(tx: Tx, call: Call, token: Token, cascade: bool) -> None:
    tokens.revoke(tx, token, with_descendants=cascade)
    note(tx, call.ctx, "revoke_token", after=token.user)


def _subject(call: Call, rule: str, allow_expired: bool) -> tuple[str, Known]:
    """Return the token that the request is about."""
    token_id = call.headers.get("x-subject-token", "")
    allowance_s = call.tools.settings.allow_expired_window if allow_expired else 0
    known = found_token(call.tools, token_id, allowance_s=allowance_s)
    token = known.token
    knows_rules = call.headers.get("openstack-identity-access-rules", "") >= "1"
    if token.by and token.by.access_rules and not knows_rules:
        # Whoever asks would let the token do what its rules forbid.
        raise NotFound("Failed to validate token")
    call.ctx.require(rule, **{"target.token.user_id": token.user.id})
    return token_id, known


def _wish(scope: ScopeSpec | str | UnsetType) -> Wish | None:
    if scope is UNSET:
        return None
    if isinstance(scope, str):
        scope = ScopeSpec(unscoped={}) if scope == "unscoped" else ScopeSpec()
    wanted = msgspec.structs.asdict(scope)
    if sum(value is not UNSET for value in wanted.values()) != 1:
        raise lacking("system, project, domain, OS-TRUST:trust or unscoped", "scope")
    if scope.trust is not UNSET:
        return Wish(trust_id=scope.trust.id)
    project = scope.project if scope.project is not UNSET else None
    domain = scope.domain if scope.domain is not UNSET else None
    for named, where in ((project, "project"), (domain, "domain")):
        if named is not None and not (named.id or named.name):
            raise lacking("id or name", where)
    return Wish(project, domain, scope.system is not UNSET, scope.unscoped is not UNSET)


def answer(
    call: Call, token_id: str, token: Token, *, with_catalog: bool, status: int | None = None
) -> Reply:
    """Return a token as clients see it."""
    shown = _shown(call, token, with_catalog=with_catalog)
    return Reply(shown, status=status, headers={"X-Subject-Token": token_id})


def _shown(call: Call, token: Token, *, with_catalog: bool) -> bytes:
    entries = None
    if with_catalog and token.scope.kind != "unscoped":
        entries = call.db.read(catalog_of, token)
    return msgspec.json.encode(TokenBody(_view(token, entries)))


def _view(token: Token, entries: list[CatalogEntry] | None) -> TokenView:
    domain = token.user_domain
    view = TokenView(
        methods=list(token.methods),
        user=_user_view(token.user, domain),
        audit_ids=list(token.audit_ids),
        expires_at=_when(token.expires_at),
        issued_at=_when(token.issued_at),
    )
    target = token.target
    if token.scope.kind != "unscoped":
        view.roles = [Named(role.id, role.name) for role in token.roles]
    if token.scope.kind == "system":
        view.system = System()
    if token.scope.kind == "domain" and target:
        view.domain = Named(target.id, target.name)
    if token.scope.kind == "project" and target and token.target_domain:
        around = Named(token.target_domain.id, token.target_domain.name)
        view.project = InDomain(around, target.id, target.name)
        view.is_domain = target.is_domain
    if entries is not None:
        view.catalog = catalog_view(entries)
    if token.by:
        _add_delegation(view, token.by)
    return view


def _add_delegation(view: TokenView, by: Lent) -> None:
    trust, credential = by.trust, by.application_credential
    if trust:
        lender, borrower = UserId(trust.trustor_user_id), UserId(trust.trustee_user_id)
        view.trust = TrustView(trust.id, lender, borrower, trust.impersonation)
    if credential:
        shown = CredentialView(credential.id, credential.name, not credential.unrestricted)
        if by.access_rules:
            shown.access_rules = [
                {"id": r.id, "path": r.path, "method": r.method, "service": r.service}
                for r in by.access_rules
            ]
        view.application_credential = shown


def _user_view(user: User, domain: Project) -> UserView:
    expires_at = user.password_expires_at
    view = UserView(Named(domain.id, domain.name), user.id, user.name)
    view.password_expires_at = _when(expires_at) if expires_at else None
    return view


def _receipt(receipt: Receipt) -> Reply:
    shown = ReceiptView(
        methods=list(receipt.methods),
        user=_user_view(receipt.user, receipt.user_domain),
        expires_at=_when(receipt.expires_at),
        issued_at=_when(receipt.issued_at),
    )
    body = ReceiptBody(shown, receipt.required)
    return Reply(body, status=401, headers={"Openstack-Auth-Receipt": receipt.id})


def catalog_view(entries: list[CatalogEntry]) -> list[ServiceView]:
    """Return a catalog as clients see it."""
    return [
        ServiceView(
            [EndpointView(e.id, e.interface, e.region_id, e.url, e.region_id) for e in ours],
            entry.service.id,
            entry.service.type,
            entry.service.name,
        )
        for entry in entries
        for ours in (entry.endpoints,)
    ]


def _when(moment: datetime) -> str:
    return iso_micro_z(moment)
