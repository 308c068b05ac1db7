"""Statements on tokens revoked one by one."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.tables import revocation

_OF_ITSELF = sa.select(revocation.c.audit_id).where(revocation.c.audit_id == sa.bindparam("own"))


class Revocation(msgspec.Struct, frozen=True):
    """A token that is worth nothing, and perhaps those made from it, until it expires anyway."""

    audit_id: str
    with_descendants: bool
    expires_at: datetime


def revocation_list(tx: Tx) -> list[Revocation]:
    """Return every token revoked by itself, in the order of expiry."""
    r = revocation.c
    rows = tx.execute(sa.select(revocation).order_by(r.expires_at, r.audit_id))
    return [Revocation(**row._mapping) for row in rows]


def revocation_ensure(
    tx: Tx, audit_id: str, *, with_descendants: bool, expires_at: datetime
) -> None:
    """Revoke a token, and perhaps those made from it, until it would have expired anyway."""
    insert_absent(
        tx,
        revocation,
        audit_id=audit_id,
        with_descendants=with_descendants,
        expires_at=expires_at,
    )
    if with_descendants:
        change = sa.update(revocation).where(revocation.c.audit_id == audit_id)
        tx.execute(change.values(with_descendants=True))


def is_revoked(tx: Tx, audit_ids: list[str]) -> bool:
    """Say whether the token of these audit ids, its own first, has been revoked."""
    r = revocation.c
    own, *before = audit_ids
    if not before:
        return tx.scalar(_OF_ITSELF, {"own": own}) is not None
    inherited = sa.and_(r.audit_id.in_(before), r.with_descendants == sa.true())
    select = sa.select(r.audit_id).where(sa.or_(r.audit_id == own, inherited)).limit(1)
    return tx.scalar(select) is not None


def revocations_forget(tx: Tx, before: datetime) -> int:
    """Take away what concerns only tokens that expired before then."""
    return tx.execute(sa.delete(revocation).where(revocation.c.expires_at < before)).rowcount
