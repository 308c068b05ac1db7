"""Statements on role assignments: who has which role on what."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.tables import assignment

SYSTEM = "all"


class Assignment(msgspec.Struct, frozen=True):
    """A role that a user or group has on a project, a domain or the whole system.

    An inherited one holds not on its target but on every project below it.
    """

    actor_kind: str
    actor_id: str
    target_kind: str
    target_id: str
    role_id: str
    inherited: bool = False


def assignment_ensure(tx: Tx, wanted: Assignment) -> None:
    """Assign, or find it assigned."""
    insert_absent(tx, assignment, **msgspec.structs.asdict(wanted))


def assignment_exists(tx: Tx, wanted: Assignment) -> bool:
    """Say whether exactly this is assigned."""
    return tx.scalar(sa.select(assignment.c.role_id).where(*_is(wanted))) is not None


def assignment_delete(tx: Tx, wanted: Assignment) -> bool:
    """Take it back; say whether it was assigned."""
    return bool(tx.execute(sa.delete(assignment).where(*_is(wanted))).rowcount)


def assignment_list(tx: Tx, *where: sa.ColumnElement[bool]) -> list[Assignment]:
    """Return assignments as made, in a stable order."""
    a = assignment.c
    select = sa.select(assignment).where(*where)
    order = (a.target_kind, a.target_id, a.actor_kind, a.actor_id, a.role_id, a.inherited)
    return [_load(row) for row in tx.execute(select.order_by(*order))]


def of_actors(user_id: str, group_ids: list[str]) -> sa.ColumnElement[bool]:
    """Select what a user has in its own name or through groups."""
    a = assignment.c
    own = sa.and_(a.actor_kind == "user", a.actor_id == user_id)
    if not group_ids:
        return own
    return sa.or_(own, sa.and_(a.actor_kind == "group", a.actor_id.in_(group_ids)))


def of_actor(kind: str, actor_id: str) -> sa.ColumnElement[bool]:
    """Select what one user or group has in its own name."""
    return sa.and_(assignment.c.actor_kind == kind, assignment.c.actor_id == actor_id)


def on_target(kind: str, *ids: str) -> sa.ColumnElement[bool]:
    """Select what is assigned on these, inherited or not."""
    return sa.and_(assignment.c.target_kind == kind, assignment.c.target_id.in_(ids))


def is_inherited(value: bool) -> sa.ColumnElement[bool]:
    """Select by whether it holds below the target instead of on it."""
    return assignment.c.inherited == value


def reaching(
    project_id: str, parent_ids: list[str], domain_id: str | None
) -> sa.ColumnElement[bool]:
    """Select what holds on a project: on itself, or inherited from above."""
    above = [sa.and_(on_target("project", project_id), is_inherited(False))]
    if parent_ids:
        above.append(sa.and_(on_target("project", *parent_ids), is_inherited(True)))
    if domain_id:
        above.append(sa.and_(on_target("domain", domain_id), is_inherited(True)))
    return sa.or_(*above)


def assignments_forget_role(tx: Tx, role_id: str) -> None:
    """Take a role back from everyone."""
    tx.execute(sa.delete(assignment).where(assignment.c.role_id == role_id))


def assignments_forget_actor(tx: Tx, kind: str, actor_id: str) -> None:
    """Take everything back from a user or group."""
    tx.execute(sa.delete(assignment).where(of_actor(kind, actor_id)))


def assignments_forget_target(tx: Tx, target_id: str) -> None:
    """Take back everything on a project or domain, which are one kind of id."""
    kinds = assignment.c.target_kind.in_(["project", "domain"])
    tx.execute(sa.delete(assignment).where(kinds, assignment.c.target_id == target_id))


def _is(wanted: Assignment) -> list[sa.ColumnElement[bool]]:
    values = msgspec.structs.asdict(wanted)
    return [assignment.c[column] == value for column, value in values.items()]


def _load(row: "sa.Row[Any]") -> Assignment:
    return Assignment(*tuple(row))
