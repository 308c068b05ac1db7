"""What the backend has not been told yet."""

from collections.abc import Collection, Iterable

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx, ring_after_commit
from cumulo.kit import clock
from cumulo.services.network.store.tables import change
from cumulo.services.network.store.values import Unit

# Rung when there is something to tell.
TOPIC = "network.change"


class Change(msgspec.Struct, frozen=True):
    """A unit that the backend must be told of."""

    id: int
    unit: Unit
    unit_id: str
    attempts: int


def mark(tx: Tx, unit: Unit, unit_ids: Iterable[str]) -> None:
    """Record that the backend must be told of the units as they are after this transaction."""
    rows = [
        {"unit": unit, "unit_id": unit_id, "due": clock.timestamp(), "attempts": 0}
        for unit_id in unit_ids
    ]
    if rows:
        tx.execute(sa.insert(change), rows)
        ring_after_commit(tx, TOPIC)


def is_due(tx: Tx) -> bool:
    """Say whether there is something to tell; cheap, since it is asked often."""
    due = sa.select(change.c.id).where(change.c.due <= clock.timestamp()).limit(1)
    return tx.execute(due).first() is not None


def claim(tx: Tx, claimant: str, until: float, most: int) -> list[Change]:
    """Take the changes that are due, oldest first, for as long as `until`."""
    c = change.c
    due = sa.select(c.id).where(c.due <= clock.timestamp()).order_by(c.due, c.id).limit(most)
    return _take(tx, claimant, until, list(tx.scalars(due)))


def claim_of(tx: Tx, claimant: str, until: float, unit_ids: Collection[str]) -> list[Change]:
    """Take the changes of certain units, due or not."""
    c = change.c
    found = sa.select(c.id).where(c.unit_id.in_(unit_ids)).order_by(c.id)
    return _take(tx, claimant, until, list(tx.scalars(found)))


def _take(tx: Tx, claimant: str, until: float, ids: list[int]) -> list[Change]:
    c = change.c
    if not ids:
        return []
    tx.execute(sa.update(change).where(c.id.in_(ids)).values(claimed_by=claimant, due=until))
    mine = sa.select(c.id, c.unit, c.unit_id, c.attempts).where(
        c.id.in_(ids), c.claimed_by == claimant
    )
    return [Change(*row) for row in tx.execute(mine.order_by(c.id))]


def done(tx: Tx, claimant: str, ids: Collection[int]) -> None:
    """Forget changes that the backend was told of, if nobody else took them since."""
    c = change.c
    tx.execute(sa.delete(change).where(c.id.in_(ids), c.claimed_by == claimant))


def postpone(tx: Tx, claimant: str, ids: Collection[int], until: float) -> None:
    """Try changes again later."""
    c = change.c
    later = sa.update(change).where(c.id.in_(ids), c.claimed_by == claimant)
    tx.execute(later.values(due=until, attempts=c.attempts + 1))


def waiting(tx: Tx) -> int:
    """Count the changes that the backend was not told of."""
    return tx.scalar(sa.select(sa.func.count()).select_from(change)) or 0
