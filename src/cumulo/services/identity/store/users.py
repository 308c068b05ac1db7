"""Statements on users."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import membership, user

# Built once: to build one costs as much as to run it.
_BY_ID = sa.select(user).where(user.c.id == sa.bindparam("id"))
_NAMED = sa.select(user).where(
    user.c.name == sa.bindparam("name"), user.c.domain_id == sa.bindparam("domain_id")
)


class User(msgspec.Struct, frozen=True):
    """A user as stored; `extra` is whatever else the client wants kept, such as email."""

    id: str
    name: str
    domain_id: str
    enabled: bool = True
    default_project_id: str | None = None
    password_hash: str | None = None
    options: dict[str, object] = {}
    extra: dict[str, object] = {}
    tokens_since: int = 0
    password_created_at: datetime | None = None
    password_expires_at: datetime | None = None
    failed_auth_count: int = 0
    failed_auth_at: datetime | None = None
    last_active_at: datetime | None = None

    def __repr__(self) -> str:
        return f"User({self.id})"


def user_insert(tx: Tx, new: User) -> None:
    """Store a user; its name must be free in its domain."""
    _store(tx, sa.insert(user).values(**msgspec.structs.asdict(new)), new)


def user_find(tx: Tx, user_id: str) -> User | None:
    """Return a user, if it is there."""
    row = tx.execute(_BY_ID, {"id": user_id}).one_or_none()
    return _load(row) if row else None


def user_named(tx: Tx, name: str, domain_id: str) -> User | None:
    """Return the user of that name in a domain."""
    row = tx.execute(_NAMED, {"name": name, "domain_id": domain_id}).one_or_none()
    return _load(row) if row else None


def user_page(tx: Tx, listing: Listing, *where: sa.ColumnElement[bool]) -> Page[User]:
    """Return users in the order of their ids."""
    return page(tx, user, listing, _load, *where)


def users_by_ids(tx: Tx, ids: set[str]) -> dict[str, User]:
    """Return those that are there, by id."""
    rows = tx.execute(sa.select(user).where(user.c.id.in_(sorted(ids))))
    return {row.id: _load(row) for row in rows}


def user_change(tx: Tx, before: User, **values: Any) -> User:
    """Change columns of a user; a new name must be free in its domain."""
    after = msgspec.structs.replace(before, **values)
    _store(tx, sa.update(user).where(user.c.id == before.id).values(**values), after)
    return after


def password_change(
    tx: Tx, user_id: str, *, old_hash: str, columns: Mapping[str, object], since: int
) -> bool:
    """Replace a password, unless another was set since `old_hash` was read."""
    change = sa.update(user).where(user.c.id == user_id, user.c.password_hash == old_hash)
    return bool(tx.execute(change.values(**columns, tokens_since=since)).rowcount)


def tokens_void(tx: Tx, user_ids: list[str], since: int) -> None:
    """Void the tokens that these users were issued before generation `since`."""
    if user_ids:
        tx.execute(sa.update(user).where(user.c.id.in_(user_ids)).values(tokens_since=since))


def default_project_forget(tx: Tx, project_id: str) -> None:
    """Leave nobody with a default project that is gone."""
    change = sa.update(user).where(user.c.default_project_id == project_id)
    tx.execute(change.values(default_project_id=None))


def user_delete(tx: Tx, user_id: str) -> None:
    """Take a user and its memberships away."""
    tx.execute(sa.delete(membership).where(membership.c.user_id == user_id))
    tx.execute(sa.delete(user).where(user.c.id == user_id))


def users_of_group(tx: Tx, group_id: str, listing: Listing) -> Page[User]:
    """Return the members of a group."""
    members = sa.select(membership.c.user_id).where(membership.c.group_id == group_id)
    return page(tx, user, listing, _load, user.c.id.in_(members))


def _store(tx: Tx, change: "sa.Insert | sa.Update", wanted: User) -> None:
    try:
        tx.execute(change)
    except sa.exc.IntegrityError as error:
        raise Conflict(
            "Conflict occurred attempting to store user - Duplicate entry found with name "
            f"{wanted.name} at domain ID {wanted.domain_id}."
        ) from error


def _load(row: "sa.Row[Any]") -> User:
    return User(*tuple(row))
