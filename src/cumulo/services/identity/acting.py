"""A user with the roles that it has on a scope, without a login: to explain what it may do."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.standing import UNSCOPED, Scope, roles_on
from cumulo.services.identity.store.listing import Listing
from cumulo.services.identity.store.projects import Project, project_find, project_page
from cumulo.services.identity.store.users import User, user_find, user_page


class Asked(msgspec.Struct, frozen=True):
    """Who, and for what scope; by name or by id."""

    user: str
    project: str | None = None
    domain: str | None = None
    system: bool = False


def context_of(tx: Tx, asked: Asked) -> Context:
    """Return a user as a token of that scope would show it."""
    user = _user(tx, asked.user)
    scope, project, domain = UNSCOPED, None, None
    if asked.system:
        scope = Scope("system")
    elif asked.domain:
        domain = _project(tx, asked.domain, is_domain=True)
        scope = Scope("domain", domain.id)
    elif asked.project:
        project = _project(tx, asked.project, is_domain=False)
        scope = Scope("project", project.id)
    roles = roles_on(tx, user.id, scope) if scope != UNSCOPED else []
    return Context(
        user_id=user.id,
        user_name=user.name,
        user_domain_id=user.domain_id,
        project_id=project.id if project else None,
        project_domain_id=project.domain_id if project else None,
        domain_id=domain.id if domain else None,
        system_scope="all" if asked.system else None,
        roles=frozenset(role.name.lower() for role in roles),
        role_ids=frozenset(role.id for role in roles),
    )


def _user(tx: Tx, wanted: str) -> User:
    found = user_find(tx, wanted)
    named = [found] if found else user_page(tx, Listing(equals={"name": wanted})).members
    if len(named) != 1:
        raise absent("one user", wanted)
    return named[0]


def _project(tx: Tx, wanted: str, *, is_domain: bool) -> Project:
    found = project_find(tx, wanted)
    if found is not None and found.is_domain == is_domain:
        return found
    named = project_page(tx, Listing(equals={"name": wanted, "is_domain": is_domain})).members
    if len(named) != 1:
        raise absent("one domain" if is_domain else "one project", wanted)
    return named[0]
