"""What a token claims, and its two spellings: packed tight for Fernet, by name for JWS."""

import base64
from typing import Literal

import msgspec

from cumulo.services.identity.delegations import Delegation
from cumulo.services.identity.standing import Scope

# The order is that of bits in tokens: new ones go to the end.
METHODS = ("password", "token", "application_credential", "totp", "ec2credential")
DELEGATIONS: tuple[Literal["trust", "application_credential"], ...] = (
    "trust",
    "application_credential",
)
_FORMAT = 1
_KINDS: tuple[Literal["unscoped", "project", "domain", "system"], ...] = (
    "unscoped",
    "project",
    "domain",
    "system",
)


class Claims(msgspec.Struct, frozen=True):
    """Who, how, for what scope, from when until when; times in seconds since 1970."""

    user_id: str
    methods: frozenset[str]
    scope: Scope
    issued_at: int
    expires_at: int
    audit_ids: tuple[str, ...]
    generation: int
    delegation: Delegation | None = None


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """Positions are fixed, new fields go to the end."""

    format: int
    user_id: bytes
    methods: int
    scope_kind: int
    scope_id: bytes
    issued_at: int
    expires_at: int
    audit_ids: list[bytes]
    generation: int
    delegated_by: int = 0  # one more than the place in DELEGATIONS
    delegation_id: bytes = b""


class _Named(msgspec.Struct, frozen=True, omit_defaults=True):
    """The names are Keystone's, but for the last."""

    sub: str
    iat: int
    exp: int
    openstack_methods: list[str]
    openstack_audit_ids: list[str]
    openstack_project_id: str | None = None
    openstack_domain_id: str | None = None
    openstack_system: str | None = None
    openstack_trust_id: str | None = None
    openstack_app_cred_id: str | None = None
    cumulo_generation: int = 0


def packed(claims: Claims) -> bytes:
    """Return claims in as few bytes as can be."""
    by = claims.delegation
    return msgspec.msgpack.encode(
        _Packed(
            format=_FORMAT,
            user_id=_short(claims.user_id),
            methods=sum(1 << bit for bit, name in enumerate(METHODS) if name in claims.methods),
            scope_kind=_KINDS.index(claims.scope.kind),
            scope_id=_short(claims.scope.id),
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
            audit_ids=[base64.urlsafe_b64decode(one + "==") for one in claims.audit_ids],
            generation=claims.generation,
            delegated_by=DELEGATIONS.index(by.kind) + 1 if by else 0,
            delegation_id=_short(by.id) if by else b"",
        )
    )


def unpacked(data: bytes) -> Claims | None:
    """Return what was packed; None when it was something else that we sealed."""
    try:
        said = msgspec.msgpack.decode(data, type=_Packed)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    by = None
    if said.delegated_by:
        by = Delegation(DELEGATIONS[said.delegated_by - 1], _long(said.delegation_id))
    return Claims(
        user_id=_long(said.user_id),
        methods=frozenset(n for bit, n in enumerate(METHODS) if said.methods >> bit & 1),
        scope=Scope(_KINDS[said.scope_kind], _long(said.scope_id)),
        issued_at=said.issued_at,
        expires_at=said.expires_at,
        audit_ids=tuple(
            base64.urlsafe_b64encode(one).decode().rstrip("=") for one in said.audit_ids
        ),
        generation=said.generation,
        delegation=by,
    )


def named(claims: Claims) -> bytes:
    """Return claims as the JSON object that others can read."""
    kind, by = claims.scope.kind, claims.delegation
    return msgspec.json.encode(
        _Named(
            sub=claims.user_id,
            iat=claims.issued_at,
            exp=claims.expires_at,
            openstack_methods=sorted(claims.methods),
            openstack_audit_ids=list(claims.audit_ids),
            openstack_project_id=claims.scope.id if kind == "project" else None,
            openstack_domain_id=claims.scope.id if kind == "domain" else None,
            openstack_system="all" if kind == "system" else None,
            openstack_trust_id=by.id if by and by.kind == "trust" else None,
            openstack_app_cred_id=by.id if by and by.kind != "trust" else None,
            cumulo_generation=claims.generation,
        )
    )


def read_named(data: bytes) -> Claims:
    """Return what a JSON object of ours claims."""
    said = msgspec.json.decode(data, type=_Named)
    scope, by = Scope(), None
    if said.openstack_system:
        scope = Scope("system")
    elif said.openstack_domain_id:
        scope = Scope("domain", said.openstack_domain_id)
    elif said.openstack_project_id:
        scope = Scope("project", said.openstack_project_id)
    if said.openstack_trust_id:
        by = Delegation("trust", said.openstack_trust_id)
    elif said.openstack_app_cred_id:
        by = Delegation("application_credential", said.openstack_app_cred_id)
    return Claims(
        user_id=said.sub,
        methods=frozenset(said.openstack_methods),
        scope=scope,
        issued_at=said.iat,
        expires_at=said.exp,
        audit_ids=tuple(said.openstack_audit_ids),
        generation=said.cumulo_generation,
        delegation=by,
    )


def _short(resource_id: str) -> bytes:
    """Halve the ids that are 32 hexadecimal digits, which most are; others never have 16 bytes."""
    try:
        halved = bytes.fromhex(resource_id)
    except ValueError:
        halved = b""
    if len(halved) == 16 and halved.hex() == resource_id:
        return halved
    text = resource_id.encode()
    return text + b"\0" if len(text) == 16 else text


def _long(short: bytes) -> str:
    return short.hex() if len(short) == 16 else short.rstrip(b"\0").decode()
