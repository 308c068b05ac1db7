"""Statements on groups and on who belongs to them."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import group, membership

# Built once: to build one costs as much as to run it.
_OF_USER = (
    sa.select(membership.c.group_id)
    .where(membership.c.user_id == sa.bindparam("user_id"))
    .order_by(membership.c.group_id)
)


class Group(msgspec.Struct, frozen=True):
    """A group as stored."""

    id: str
    name: str
    domain_id: str
    description: str | None = ""
    extra: dict[str, object] = {}


def group_insert(tx: Tx, new: Group) -> None:
    """Store a group; its name must be free in its domain."""
    _store(tx, sa.insert(group).values(**msgspec.structs.asdict(new)), new)


def group_find(tx: Tx, group_id: str) -> Group | None:
    """Return a group, if it is there."""
    row = tx.execute(sa.select(group).where(group.c.id == group_id)).one_or_none()
    return _load(row) if row else None


def group_page(tx: Tx, listing: Listing, *where: sa.ColumnElement[bool]) -> Page[Group]:
    """Return groups in the order of their ids."""
    return page(tx, group, listing, _load, *where)


def groups_by_ids(tx: Tx, ids: set[str]) -> dict[str, Group]:
    """Return those that are there, by id."""
    rows = tx.execute(sa.select(group).where(group.c.id.in_(sorted(ids))))
    return {row.id: _load(row) for row in rows}


def groups_of_user(tx: Tx, user_id: str, listing: Listing) -> Page[Group]:
    """Return the groups a user belongs to."""
    mine = sa.select(membership.c.group_id).where(membership.c.user_id == user_id)
    return page(tx, group, listing, _load, group.c.id.in_(mine))


def group_change(tx: Tx, before: Group, **values: Any) -> Group:
    """Change columns of a group; a new name must be free in its domain."""
    after = msgspec.structs.replace(before, **values)
    _store(tx, sa.update(group).where(group.c.id == before.id).values(**values), after)
    return after


def group_delete(tx: Tx, group_id: str) -> None:
    """Take a group and its memberships away."""
    tx.execute(sa.delete(membership).where(membership.c.group_id == group_id))
    tx.execute(sa.delete(group).where(group.c.id == group_id))


def member_add(tx: Tx, group_id: str, user_id: str) -> None:
    """Make a user a member, or find it one."""
    insert_absent(tx, membership, group_id=group_id, user_id=user_id)


def member_remove(tx: Tx, group_id: str, user_id: str) -> bool:
    """End a membership; say whether there was one."""
    return bool(tx.execute(sa.delete(membership).where(*_member(group_id, user_id))).rowcount)


def member_exists(tx: Tx, group_id: str, user_id: str) -> bool:
    """Say whether a user is a member."""
    select = sa.select(membership.c.user_id).where(*_member(group_id, user_id))
    return tx.scalar(select) is not None


def member_ids(tx: Tx, group_ids: set[str]) -> dict[str, list[str]]:
    """Return the members of each group, by group."""
    members: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    select = sa.select(membership).where(membership.c.group_id.in_(sorted(group_ids)))
    for row in tx.execute(select.order_by(membership.c.user_id)):
        members[row.group_id].append(row.user_id)
    return members


def group_ids_of(tx: Tx, user_id: str) -> list[str]:
    """Return the groups a user belongs to, by id."""
    return list(tx.scalars(_OF_USER, {"user_id": user_id}))


def _member(group_id: str, user_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (membership.c.group_id == group_id, membership.c.user_id == user_id)


def _store(tx: Tx, change: "sa.Insert | sa.Update", wanted: Group) -> None:
    try:
        tx.execute(change)
    except sa.exc.IntegrityError as error:
        raise Conflict(
            "Conflict occurred attempting to store group - Duplicate entry found with name "
            f"{wanted.name} at domain ID {wanted.domain_id}."
        ) from error


def _load(row: "sa.Row[Any]") -> Group:
    return Group(*tuple(row))
