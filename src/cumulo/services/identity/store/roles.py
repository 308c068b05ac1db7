"""Statements on roles and on which roles imply which."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import implied_role, role

# Built once: to build one costs as much as to run it.
_ALL = sa.select(role).order_by(role.c.id)
_IMPLIED = sa.select(implied_role).order_by(
    implied_role.c.prior_role_id, implied_role.c.implied_role_id
)


class Role(msgspec.Struct, frozen=True):
    """A role as stored; one without a domain is global."""

    id: str
    name: str
    domain_id: str | None = None
    description: str | None = None
    options: dict[str, object] = {}
    extra: dict[str, object] = {}

    @property
    def is_immutable(self) -> bool:
        """Say whether only the immutable option itself may be changed."""
        return self.options.get("immutable") is True


def role_insert(tx: Tx, new: Role) -> None:
    """Store a role; its name must be free, globally or in its domain."""
    values = msgspec.structs.asdict(new) | {"domain_id": new.domain_id or ""}
    _store(tx, sa.insert(role).values(**values), new)


def role_find(tx: Tx, role_id: str) -> Role | None:
    """Return a role, if it is there."""
    row = tx.execute(sa.select(role).where(role.c.id == role_id)).one_or_none()
    return _load(row) if row else None


def role_page(tx: Tx, listing: Listing, *where: sa.ColumnElement[bool]) -> Page[Role]:
    """Return roles in the order of their ids."""
    return page(tx, role, listing, _load, *where)


def roles_all(tx: Tx) -> dict[str, Role]:
    """Return every role, by id; there are few."""
    return {row.id: _load(row) for row in tx.execute(_ALL)}


def role_change(tx: Tx, before: Role, **values: Any) -> Role:
    """Change columns of a role; a new name must be free."""
    after = msgspec.structs.replace(before, **values)
    _store(tx, sa.update(role).where(role.c.id == before.id).values(**values), after)
    return after


def role_delete(tx: Tx, role_id: str) -> None:
    """Take a role away, and what it implies and what implies it."""
    i = implied_role.c
    tx.execute(
        sa.delete(implied_role).where(
            sa.or_(i.prior_role_id == role_id, i.implied_role_id == role_id)
        )
    )
    tx.execute(sa.delete(role).where(role.c.id == role_id))


def implied_all(tx: Tx) -> list[tuple[str, str]]:
    """Return every pair of a role and one that it implies."""
    return [(row.prior_role_id, row.implied_role_id) for row in tx.execute(_IMPLIED)]


def implied_insert(tx: Tx, prior_role_id: str, implied_role_id: str) -> None:
    """Let one role imply another; only once."""
    pair = {"prior_role_id": prior_role_id, "implied_role_id": implied_role_id}
    try:
        tx.execute(sa.insert(implied_role).values(**pair))
    except sa.exc.IntegrityError as error:
        raise Conflict(
            "Conflict occurred attempting to store implied_role - Duplicate entry."
        ) from error


def implied_delete(tx: Tx, prior_role_id: str, implied_role_id: str) -> bool:
    """End an implication; say whether there was one."""
    i = implied_role.c
    pair = (i.prior_role_id == prior_role_id, i.implied_role_id == implied_role_id)
    return bool(tx.execute(sa.delete(implied_role).where(*pair)).rowcount)


def _store(tx: Tx, change: "sa.Insert | sa.Update", wanted: Role) -> None:
    try:
        tx.execute(change)
    except sa.exc.IntegrityError as error:
        where = f" at domain ID {wanted.domain_id}" if wanted.domain_id else ""
        raise Conflict(
            "Conflict occurred attempting to store role - Duplicate entry found with name "
            f"{wanted.name}{where}."
        ) from error


def _load(row: "sa.Row[Any]") -> Role:
    values = dict(row._mapping)
    values["domain_id"] = values["domain_id"] or None
    return Role(**values)
