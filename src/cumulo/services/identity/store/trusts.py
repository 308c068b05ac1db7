"""Statements on trusts: roles that one user lends another on a project."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.identity.store.tables import trust


class Trust(msgspec.Struct, frozen=True):
    """A trust as stored; one without a project lends no roles."""

    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str | None
    impersonation: bool
    role_ids: list[str] = []
    expires_at: datetime | None = None
    remaining_uses: int | None = None
    redelegated_trust_id: str | None = None
    redelegation_count: int = 0


def trust_insert(tx: Tx, new: Trust) -> None:
    """Store a trust; there may be several alike."""
    tx.execute(sa.insert(trust).values(**msgspec.structs.asdict(new)))


def trust_find(tx: Tx, trust_id: str) -> Trust | None:
    """Return a trust, whether or not it can still be used."""
    row = tx.execute(sa.select(trust).where(trust.c.id == trust_id)).one_or_none()
    return _load(row) if row else None


def trust_list(tx: Tx, **equals: str | None) -> list[Trust]:
    """Return the trusts whose columns have these values, in the order of their ids."""
    where = [trust.c[name] == value for name, value in equals.items() if value is not None]
    select = sa.select(trust).where(*where).order_by(trust.c.id)
    return [_load(row) for row in tx.execute(select)]


def trust_consume(tx: Tx, trust_id: str) -> bool:
    """Use a trust once more, if it may be; of those with a limit only."""
    t = trust.c
    change = sa.update(trust).where(t.id == trust_id, t.remaining_uses > 0)
    return bool(tx.execute(change.values(remaining_uses=t.remaining_uses - 1)).rowcount)


def trust_delete(tx: Tx, trust_id: str) -> None:
    """Take a trust away; those redelegated from it are the caller's to clear."""
    tx.execute(sa.delete(trust).where(trust.c.id == trust_id))


def trusts_of_user(tx: Tx, user_id: str) -> list[Trust]:
    """Return the trusts in which a user lends or borrows."""
    t = trust.c
    involved = sa.or_(t.trustor_user_id == user_id, t.trustee_user_id == user_id)
    return [_load(row) for row in tx.execute(sa.select(trust).where(involved).order_by(t.id))]


def _load(row: "sa.Row[Any]") -> Trust:
    return Trust(**row._mapping)
