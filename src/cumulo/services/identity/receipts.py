"""Receipts: what was proved so far, for users who must prove more than one thing."""

from datetime import UTC, datetime, timedelta

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store.generation import generation_get
from cumulo.services.identity.store.projects import Project, project_find
from cumulo.services.identity.store.users import User, user_find

# Sealed with the tokens' keys, so it must not pass for a token: those are arrays of numbers.
_MARK = b"receipt:"


class Receipt(msgspec.Struct, frozen=True):
    """A receipt as its owner is shown it."""

    id: str
    user: User
    user_domain: Project
    methods: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    required: list[list[str]]


class _Payload(msgspec.Struct, frozen=True, array_like=True):
    user_id: str
    methods: list[str]
    expires_at: int
    generation: int


def rules_of(user: User, known: tuple[str, ...]) -> list[list[str]]:
    """Return the user's own rules for several methods, without those that nobody could meet."""
    rules = user.options.get("multi_factor_auth_rules")
    if not isinstance(rules, list) or user.options.get("multi_factor_auth_enabled") is False:
        return []
    usable = [[method for method in rule if method in known] for rule in rules]
    return [rule for rule in usable if rule]


def is_enough(rules: list[list[str]], methods: frozenset[str]) -> bool:
    """Say whether one of a user's rules is met; without any, whatever was proved is enough."""
    return not rules or any(set(rule) <= methods for rule in rules)


def issue(
    tx: Tx, keyring: Keyring, settings: IdentitySettings, user: User, methods: frozenset[str]
) -> Receipt:
    """Return a receipt for what was proved; writes nothing."""
    issued_at = clock.now()
    expires_at = issued_at + timedelta(seconds=settings.receipt_expiration)
    payload = _Payload(user.id, sorted(methods), int(expires_at.timestamp()), generation_get(tx))
    domain = project_find(tx, user.domain_id)
    if domain is None:
        raise unknown_caller()
    return Receipt(
        id=keyring.seal(tx, _MARK + msgspec.msgpack.encode(payload)),
        user=user,
        user_domain=domain,
        methods=tuple(sorted(methods)),
        issued_at=issued_at,
        expires_at=datetime.fromtimestamp(payload.expires_at, UTC),
        required=[],
    )


def read(tx: Tx, keyring: Keyring, receipt_id: str, user_id: str) -> frozenset[str]:
    """Return what `user_id` proved before; raise `Unauthorized` when that is worth nothing."""
    sealed = keyring.open(tx, receipt_id)
    if sealed is None or not sealed.startswith(_MARK):
        raise unknown_caller()
    payload = msgspec.msgpack.decode(sealed[len(_MARK) :], type=_Payload)
    user = user_find(tx, payload.user_id)
    is_over = payload.expires_at <= clock.timestamp()
    if user is None or user.id != user_id or is_over or user.tokens_since > payload.generation:
        raise unknown_caller()
    return frozenset(payload.methods)
