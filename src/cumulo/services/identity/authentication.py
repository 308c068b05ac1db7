"""Proving who one is, and asking for a scope.

Whatever is wrong with the proof or the scope, the answer is one and the same.
"""

from datetime import datetime

import msgspec

from cumulo.db import Database, Tx
from cumulo.kit.errors import Forbidden, NotFound, Unauthorized
from cumulo.services.identity import passcodes, password_policy, receipts, tokens, trusts
from cumulo.services.identity.delegations import Delegation
from cumulo.services.identity.receipts import Receipt
from cumulo.services.identity.refusals import absent, lacking, unknown_caller
from cumulo.services.identity.scoping import (
    UserRef,
    Wish,
    check_named,
    default_scope,
    enabled_user,
    scope_of,
)
from cumulo.services.identity.standing import Scope
from cumulo.services.identity.store.application_credentials import (
    ApplicationCredential,
    application_credential_find,
    application_credential_named,
)
from cumulo.services.identity.store.trusts import trust_find
from cumulo.services.identity.store.users import User, user_find
from cumulo.services.identity.tokens import Grant, Token
from cumulo.services.identity.tools import Tools
from cumulo.services.identity.validation import Known

# The methods that a client may name.
METHODS = ("password", "token", "application_credential", "totp")


class CredentialRef(msgspec.Struct, frozen=True):
    """An application credential by id, or by name and user, with its secret."""

    id: str | None = None
    name: str | None = None
    secret: str | None = None
    user: UserRef | None = None

    def __repr__(self) -> str:
        return f"CredentialRef({self.id or self.name})"


class Proof(msgspec.Struct, frozen=True):
    """What a client shows of itself: the methods it names and what they need."""

    methods: list[str]
    user: UserRef | None = None
    token_id: str | None = None
    application_credential: CredentialRef | None = None
    holder: UserRef | None = None  # of a passcode
    receipt_id: str | None = None


class _Proved(msgspec.Struct, frozen=True):
    user_id: str
    methods: frozenset[str]
    source: Token | None = None
    credential: ApplicationCredential | None = None


def authenticate(
    db: Database, tools: Tools, proof: Proof, wish: Wish | None
) -> tuple[str, Token] | Receipt:
    """Return a new token for whoever proves to be someone, or a receipt where that is not enough.

    Writes nothing, except that a trust of counted uses was used.
    """
    _check_methods(proof)
    if "application_credential" in proof.methods and wish is not None:
        raise Unauthorized("Application credentials cannot request a scope.")
    made = db.read(_issue, tools, _proved(db, tools, proof), wish)
    if isinstance(made, Receipt):
        return made
    token_id, token = made
    if token.by and token.by.trust and token.by.trust.remaining_uses is not None:
        db.write(trusts.consume, token.by.trust)
    return token_id, token


def password_is_right(db: Database, tools: Tools, ref: UserRef) -> User | None:
    """Return the user whose password this is; slow and equally so when there is none."""
    settings = tools.settings
    user = db.read(enabled_user, ref)
    if user and password_policy.is_inactive(settings, user):
        user = None
    is_open = user is not None and not password_policy.is_locked(settings, user)
    known = user if is_open else None
    right = tools.passwords.is_right(
        known.id if known else "", known.password_hash if known else None, ref.password or ""
    )
    if not right or known is None:
        if settings.lockout_failure_attempts:
            db.write(password_policy.note_failure, settings, known.id if known else "")
        return None
    if password_policy.has_news(settings, known):
        db.write(password_policy.note_success, settings, known)
    return known


def found_token(tools: Tools, token_id: str, *, allowance_s: int = 0) -> Known:
    """Return the token that a request is about; to clients a worthless one does not exist."""
    try:
        return tools.tokens.check(token_id, allowance_s=allowance_s)
    except Unauthorized as error:
        raise NotFound("Failed to validate token") from error


def _check_methods(proof: Proof) -> None:
    if any(method not in METHODS for method in proof.methods):
        raise Unauthorized(
            "Attempted to authenticate with an unsupported method.",
            identity={"methods": list(METHODS)},
        )


def _proved(db: Database, tools: Tools, proof: Proof) -> _Proved:
    user_ids: set[str] = set()
    methods = frozenset(proof.methods)
    source = credential = None
    if "password" in methods:
        user_ids.add(_by_password(db, tools, check_named(proof.user, "password")))
    if "totp" in methods:
        user_ids.add(_by_passcode(db, tools, check_named(proof.holder, "totp")))
    if "application_credential" in methods:
        credential = _by_secret(db, tools, proof.application_credential)
        user_ids.add(credential.user_id)
    if "token" in methods:
        source = _source(tools, proof)
        user_ids.add(source.user.id)
        methods |= set(source.methods)
    if len(user_ids) != 1:
        raise unknown_caller()
    user_id = user_ids.pop()
    if proof.receipt_id is not None:
        methods |= db.read(receipts.read, tools.keyring, proof.receipt_id, user_id)
    return _Proved(user_id, methods, source, credential)


def _by_password(db: Database, tools: Tools, ref: UserRef) -> str:
    user = password_is_right(db, tools, ref)
    if user is None:
        raise unknown_caller()
    password_policy.check_fresh(user)
    return user.id


def _by_passcode(db: Database, tools: Tools, ref: UserRef) -> str:
    settings = tools.settings
    user = db.read(enabled_user, ref)
    is_open = user is not None and not password_policy.is_locked(settings, user)
    user_id = user.id if user and is_open else ""
    windows = settings.included_previous_windows
    if db.read(passcodes.is_right, tools.vault, user_id, ref.passcode or "", windows=windows):
        return user_id
    if settings.lockout_failure_attempts:
        db.write(password_policy.note_failure, settings, user_id)
    raise unknown_caller()


def _by_secret(db: Database, tools: Tools, ref: CredentialRef | None) -> ApplicationCredential:
    if ref is None:
        raise lacking("application_credential", "identity")
    if not ref.id and not ref.name:
        raise lacking("id or name", "application_credential")
    if ref.secret is None:
        raise lacking("secret", "application_credential")
    if not ref.id:
        check_named(ref.user, "user")
    found = db.read(_credential, ref)
    right = tools.passwords.is_right(
        found.id if found else "", found.secret_hash if found else None, ref.secret
    )
    if not right or found is None:
        raise unknown_caller()
    return found


def _credential(tx: Tx, ref: CredentialRef) -> ApplicationCredential | None:
    if ref.id:
        found = application_credential_find(tx, ref.id)
        holder = enabled_user(tx, UserRef(id=found.user_id)) if found else None
    else:
        holder = enabled_user(tx, ref.user or UserRef())
        found = application_credential_named(tx, ref.name or "", holder.id) if holder else None
    return found if holder else None


def _source(tools: Tools, proof: Proof) -> Token:
    if proof.token_id is None:
        raise lacking("token", "identity")
    return found_token(tools, proof.token_id).token


def _issue(tx: Tx, tools: Tools, proved: _Proved, wish: Wish | None) -> tuple[str, Token] | Receipt:
    source = proved.source
    user = user_find(tx, proved.user_id)
    if user is None:
        raise unknown_caller()
    rules = receipts.rules_of(user, METHODS)
    if not receipts.is_enough(rules, proved.methods):
        if source is not None:
            raise unknown_caller()  # or else one could outlive the token that one began with
        receipt = receipts.issue(tx, tools.keyring, tools.settings, user, proved.methods)
        return msgspec.structs.replace(receipt, required=rules)
    scope, delegation = _wanted(tx, user, proved, wish)
    if source and source.scope.kind == "system" and scope.kind in ("project", "domain"):
        raise Forbidden(
            "You are not authorized to perform the requested action: Using a system-scoped token "
            "to create a project-scoped or domain-scoped token is not allowed.."
        )
    expires_at: datetime | None = source.expires_at if source else None
    grant = Grant(
        user_id=user.id,
        methods=proved.methods,
        scope=scope,
        expires_at=expires_at,
        parent_audit_id=source.audit_ids[-1] if source else None,
        delegation=delegation,
    )
    try:
        return tokens.issue(tx, tools.keyring, tools.settings, grant)
    except Unauthorized as error:
        if delegation and delegation.kind == "trust":
            raise Forbidden("Trustee has no delegated roles.") from error
        raise


def _wanted(
    tx: Tx, user: User, proved: _Proved, wish: Wish | None
) -> tuple[Scope, Delegation | None]:
    """Return what the token is to be good for, and by what delegation."""
    by = proved.source.by if proved.source else None
    if by and by.trust:
        raise Forbidden(
            "Using trust-scoped token to create another token. Create a new trust-scoped token "
            "instead."
        )
    credential = by.application_credential if by else proved.credential
    if credential is not None:
        scope = Scope("project", credential.project_id)
        if wish is not None and (wish.trust_id or scope_of(tx, wish) != scope):
            raise Forbidden(
                "A token of an application credential is for that credential's project only."
            )
        return scope, Delegation("application_credential", credential.id)
    if wish is not None and wish.trust_id is not None:
        return _by_trust(tx, user, wish.trust_id)
    return (default_scope(tx, user) if wish is None else scope_of(tx, wish)), None


def _by_trust(tx: Tx, user: User, trust_id: str) -> tuple[Scope, Delegation]:
    trust = trust_find(tx, trust_id)
    if trust is None or not trusts.is_usable(trust):
        raise absent("trust", trust_id)
    if trust.trustee_user_id != user.id:
        raise Forbidden("User is not a trustee.")
    scope = Scope("project", trust.project_id) if trust.project_id else Scope()
    return scope, Delegation("trust", trust.id)
