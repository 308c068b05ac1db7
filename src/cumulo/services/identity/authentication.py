"""Proving who one is, and asking for a scope.

Whatever is wrong with the proof or the scope, the answer is one and the same.
"""

from datetime import datetime

import msgspec

from cumulo.db import Database, Tx
from cumulo.kit.errors import Forbidden, NotFound, Unauthorized
from cumulo.services.identity import tokens
from cumulo.services.identity.refusals import lacking, unknown_caller
from cumulo.services.identity.store.projects import Project, project_find, project_named
from cumulo.services.identity.store.users import User, user_find, user_named
from cumulo.services.identity.tokens import METHODS, UNSCOPED, Grant, Scope, Token
from cumulo.services.identity.tools import Tools


class DomainRef(msgspec.Struct, frozen=True):
    """A domain by id or by name."""

    id: str | None = None
    name: str | None = None


class UserRef(msgspec.Struct, frozen=True):
    """A user by id, or by name and domain, with its password."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"UserRef({self.id or self.name})"


class ProjectRef(msgspec.Struct, frozen=True):
    """A project by id, or by name and domain."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class Wish(msgspec.Struct, frozen=True):
    """The scope asked for; exactly one of these, or none at all."""

    project: ProjectRef | None = None
    domain: DomainRef | None = None
    is_system: bool = False
    is_unscoped: bool = False


class Proof(msgspec.Struct, frozen=True):
    """What a client shows of itself: the methods it names and what they need."""

    methods: list[str]
    user: UserRef | None = None
    token_id: str | None = None


class _Proved(msgspec.Struct, frozen=True):
    user_id: str
    methods: frozenset[str]
    source: Token | None = None


def authenticate(db: Database, tools: Tools, proof: Proof, wish: Wish | None) -> tuple[str, Token]:
    """Return a new token for whoever proves to be someone; writes nothing."""
    proved = _proved(db, tools, proof)
    return db.read(_issue, tools, proved, wish)


def password_is_right(db: Database, tools: Tools, ref: UserRef) -> User | None:
    """Return the user whose password this is; slow and equally so when there is none."""
    user = db.read(_enabled_user, ref)
    right = tools.passwords.is_right(
        user.id if user else "", user.password_hash if user else None, ref.password or ""
    )
    return user if right else None


def _proved(db: Database, tools: Tools, proof: Proof) -> _Proved:
    unsupported = [method for method in proof.methods if method not in METHODS]
    if unsupported:
        raise Unauthorized(
            "Attempted to authenticate with an unsupported method.",
            identity={"methods": list(METHODS)},
        )
    user_ids: set[str] = set()
    methods = frozenset(proof.methods)
    source = None
    if "password" in methods:
        user = password_is_right(db, tools, _password(proof))
        if user is None:
            raise unknown_caller()
        user_ids.add(user.id)
    if "token" in methods:
        source = _source(tools, proof)
        user_ids.add(source.user.id)
        methods |= set(source.methods)
    if len(user_ids) != 1:
        raise unknown_caller()
    return _Proved(user_ids.pop(), methods, source)


def _password(proof: Proof) -> UserRef:
    ref = proof.user
    if ref is None:
        raise lacking("password", "identity")
    if not ref.id and not ref.name:
        raise lacking("id or name", "user")
    if not ref.id and ref.domain is None:
        raise lacking("domain", "user")
    return ref


def _source(tools: Tools, proof: Proof) -> Token:
    if proof.token_id is None:
        raise lacking("token", "identity")
    return found_token(tools, proof.token_id)


def found_token(tools: Tools, token_id: str, *, allowance_s: int = 0) -> Token:
    """Return the token that a request is about; to clients a worthless one does not exist."""
    try:
        return tools.tokens.check(token_id, allowance_s=allowance_s)
    except Unauthorized as error:
        raise NotFound("Failed to validate token") from error


def _issue(tx: Tx, tools: Tools, proved: _Proved, wish: Wish | None) -> tuple[str, Token]:
    source = proved.source
    user = user_find(tx, proved.user_id)
    if user is None or not _obeys_rules(user, proved.methods):
        raise unknown_caller()
    scope = _default_scope(tx, user) if wish is None else _scope(tx, wish)
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
    )
    return tokens.issue(tx, tools.keyring, tools.settings, grant)


def _obeys_rules(user: User, methods: frozenset[str]) -> bool:
    """Say whether one of the user's own rules for several methods is met, if it has any."""
    rules = user.options.get("multi_factor_auth_rules")
    if not isinstance(rules, list) or user.options.get("multi_factor_auth_enabled") is False:
        return True
    usable = [known for rule in rules if (known := set(rule) & set(METHODS))]
    # Rules that nobody could meet lock nobody out.
    return not usable or any(known <= methods for known in usable)


def _scope(tx: Tx, wish: Wish) -> Scope:
    if wish.is_system:
        return Scope("system")
    if wish.domain is not None:
        return Scope("domain", _domain(tx, wish.domain).id)
    if wish.project is not None:
        return Scope("project", _project(tx, wish.project).id)
    return UNSCOPED


def _default_scope(tx: Tx, user: User) -> Scope:
    """Return the user's own project if it can be had, else no scope."""
    project = project_find(tx, user.default_project_id) if user.default_project_id else None
    if project is None or project.is_domain or not project.enabled:
        return UNSCOPED
    domain = project_find(tx, project.domain_id or "")
    scope = Scope("project", project.id)
    if domain is None or not domain.enabled or not tokens.roles_on(tx, user.id, scope):
        return UNSCOPED
    return scope


def _enabled_user(tx: Tx, ref: UserRef) -> User | None:
    if ref.name:
        domain = _find_domain(tx, ref.domain or DomainRef())
        user = user_named(tx, ref.name, domain.id) if domain else None
    else:
        user = user_find(tx, ref.id or "")
        domain = project_find(tx, user.domain_id) if user else None
    return user if user and domain and user.enabled and domain.enabled else None


def _find_domain(tx: Tx, ref: DomainRef) -> Project | None:
    domain = project_named(tx, ref.name, None) if ref.name else project_find(tx, ref.id or "")
    return domain if domain and domain.is_domain else None


def _domain(tx: Tx, ref: DomainRef) -> Project:
    domain = _find_domain(tx, ref)
    if domain is None or not domain.enabled:
        raise unknown_caller()
    return domain


def _project(tx: Tx, ref: ProjectRef) -> Project:
    if ref.name:
        if ref.domain is None:
            raise lacking("domain", "project")
        project = project_named(tx, ref.name, _domain(tx, ref.domain).id)
    else:
        project = project_find(tx, ref.id or "")
    if project is None:
        raise unknown_caller()
    return project
