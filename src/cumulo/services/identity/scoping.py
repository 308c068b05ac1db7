"""The scope that a client asks for, and whom and what it names."""

import msgspec

from cumulo.db import Tx
from cumulo.services.identity.refusals import lacking, unknown_caller
from cumulo.services.identity.standing import UNSCOPED, Scope, roles_on
from cumulo.services.identity.store.projects import Project, project_find, project_named
from cumulo.services.identity.store.users import User, user_find, user_named


class DomainRef(msgspec.Struct, frozen=True):
    """A domain by id or by name."""

    id: str | None = None
    name: str | None = None


class UserRef(msgspec.Struct, frozen=True):
    """A user by id, or by name and domain, with its password or passcode."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None
    password: str | None = None
    passcode: str | None = None

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
    trust_id: str | None = None


def scope_of(tx: Tx, wish: Wish) -> Scope:
    """Return the scope that is asked for; what is not there is refused as a wrong proof is."""
    if wish.is_system:
        return Scope("system")
    if wish.domain is not None:
        return Scope("domain", _domain(tx, wish.domain).id)
    if wish.project is not None:
        return Scope("project", _project(tx, wish.project).id)
    return UNSCOPED


def default_scope(tx: Tx, user: User) -> Scope:
    """Return the user's own project if it can be had, else no scope."""
    project = project_find(tx, user.default_project_id) if user.default_project_id else None
    if project is None or project.is_domain or not project.enabled:
        return UNSCOPED
    domain = project_find(tx, project.domain_id or "")
    scope = Scope("project", project.id)
    if domain is None or not domain.enabled or not roles_on(tx, user.id, scope):
        return UNSCOPED
    return scope


def enabled_user(tx: Tx, ref: UserRef) -> User | None:
    """Return the user that is named, unless it or its domain is disabled."""
    if ref.name:
        domain = _find_domain(tx, ref.domain or DomainRef())
        user = user_named(tx, ref.name, domain.id) if domain else None
    else:
        user = user_find(tx, ref.id or "")
        domain = project_find(tx, user.domain_id) if user else None
    return user if user and domain and user.enabled and domain.enabled else None


def check_named(ref: UserRef | None, method: str) -> UserRef:
    """Return a reference to a user that says enough to find one."""
    if ref is None:
        raise lacking(method, "identity")
    if not ref.id and not ref.name:
        raise lacking("id or name", "user")
    if not ref.id and ref.domain is None:
        raise lacking("domain", "user")
    return ref


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
