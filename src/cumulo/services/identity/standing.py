"""What a user has on a scope at this moment, however it came to it."""

from typing import Literal

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.identity.implications import Implications
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.store.assignments import (
    SYSTEM,
    assignment_list,
    is_inherited,
    of_actors,
    on_target,
    reaching,
)
from cumulo.services.identity.store.groups import group_ids_of
from cumulo.services.identity.store.projects import Project, project_find, project_parents
from cumulo.services.identity.store.roles import Role


class Scope(msgspec.Struct, frozen=True):
    """What a token is good for."""

    kind: Literal["unscoped", "project", "domain", "system"] = "unscoped"
    id: str = ""


UNSCOPED = Scope()


def roles_on(tx: Tx, user_id: str, scope: Scope) -> list[Role]:
    """Return the roles that a user has on a scope."""
    target = project_find(tx, scope.id) if scope.kind == "project" else None
    return roles_of(tx, of_actors(user_id, group_ids_of(tx, user_id)), scope, target)


def roles_of(
    tx: Tx, mine: sa.ColumnElement[bool], scope: Scope, target: Project | None
) -> list[Role]:
    """Return the roles that those whom `mine` selects have on a scope; `target` is its project."""
    where = [mine]
    if scope.kind == "project":
        where.append(reaching(scope.id, _above(tx, target), target.domain_id if target else None))
    else:
        where += [on_target(scope.kind, scope.id or SYSTEM), is_inherited(False)]
    held = {one.role_id for one in assignment_list(tx, *where)}
    return Implications(tx).effective(held) if held else []


def target_of(tx: Tx, scope: Scope) -> tuple[Project | None, Project | None]:
    """Return the project or domain of a scope and the domain around it; both must be there."""
    if scope.kind not in ("project", "domain"):
        return None, None
    target = project_find(tx, scope.id)
    if target is None or target.is_domain != (scope.kind == "domain"):
        raise unknown_caller()
    if target.domain_id is None:
        return target, None
    domain = project_find(tx, target.domain_id)
    if domain is None:
        raise unknown_caller()
    return target, domain


def _above(tx: Tx, project: Project | None) -> list[str]:
    """Return the projects above one; most stand directly under their domain."""
    if project is None or project.parent_id == project.domain_id:
        return []
    return [parent.id for parent in project_parents(tx, project) if not parent.is_domain]
