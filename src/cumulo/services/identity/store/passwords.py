"""Statements on what is kept about passwords: those that were, and wrong guesses."""

from datetime import datetime

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.tables import password_history, user


def hashes_kept(tx: Tx, user_id: str) -> list[str]:
    """Return the hashes of a user's former passwords, the newest first."""
    h = password_history.c
    select = sa.select(h.password_hash).where(h.user_id == user_id)
    return list(tx.scalars(select.order_by(h.kept_at.desc(), h.password_hash)))


def hash_keep(tx: Tx, user_id: str, password_hash: str, at: int, *, most: int) -> None:
    """Keep a hash, and of those before it only the newest."""
    insert_absent(tx, password_history, user_id=user_id, password_hash=password_hash, kept_at=at)
    for old in hashes_kept(tx, user_id)[most:]:
        h = password_history.c
        tx.execute(sa.delete(password_history).where(h.user_id == user_id, h.password_hash == old))


def hashes_forget(tx: Tx, user_id: str) -> None:
    """Keep nothing of a user that is gone."""
    tx.execute(sa.delete(password_history).where(password_history.c.user_id == user_id))


def failure_record(
    tx: Tx, user_id: str, *, at: datetime, most: int, expired: datetime | None
) -> None:
    """Count a wrong guess; from one again when `most` were reached before `expired`."""
    u = user.c
    count: sa.ColumnElement[int] = u.failed_auth_count + 1
    if expired is not None:
        over = sa.and_(u.failed_auth_count >= most, u.failed_auth_at < expired)
        count = sa.case((over, 1), else_=count)
    change = sa.update(user).where(u.id == user_id)
    tx.execute(change.values(failed_auth_count=count, failed_auth_at=at))


def failures_forget(tx: Tx, user_id: str) -> None:
    """Start counting wrong guesses anew."""
    change = sa.update(user).where(user.c.id == user_id)
    tx.execute(change.values(failed_auth_count=0, failed_auth_at=None))


def user_was_active(tx: Tx, user_id: str, at: datetime) -> None:
    """Note when a user logged in last."""
    tx.execute(sa.update(user).where(user.c.id == user_id).values(last_active_at=at))
