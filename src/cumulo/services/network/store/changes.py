"""What the backend has not been told yet."""

from collections.abc import Collection, Iterable
from typing import Any

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


_c = change.c
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_IS_MINE = _c.claimed_by == sa.bindparam("mine")
_DUE = (
    sa.select(_c.id)
    .where(_c.due <= sa.bindparam("now"))
    .order_by(_c.due, _c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_INSERT = sa.insert(change)
_OF_UNITS = sa.select(_c.id).where(_c.unit_id.in_(_IDS)).order_by(_c.id)
_CLAIM = sa.update(change).where(_c.id.in_(_IDS))
_MINE = (
    sa.select(_c.id, _c.unit, _c.unit_id, _c.attempts)
    .where(_c.id.in_(_IDS), _IS_MINE)
    .order_by(_c.id)
)
_DONE = sa.delete(change).where(_c.id.in_(_IDS), _IS_MINE)


def mark(tx: Tx, unit: Unit, unit_ids: Iterable[str], *, quietly: bool = False) -> None:
    """Record that the backend must be told of the units as they are after this transaction.

    Quietly leaves it to who will tell it at once; else both would, at the same time.
    """
    due = clock.timestamp()
    rows = [{"unit": unit, "unit_id": one, "due": due, "attempts": 0} for one in unit_ids]
    if rows:
        tx.execute(_INSERT, rows)
        if not quietly:
            ring_after_commit(tx, TOPIC)


def marked(tx: Tx) -> set[str]:
    """Return the units that the backend is to be told of, whenever that is due."""
    return set(tx.scalars(sa.select(_c.unit_id)))


def is_due(tx: Tx) -> bool:
    """Say whether there is something to tell; cheap, since it is asked often."""
    return tx.scalar(_DUE, {"now": clock.timestamp(), "most": 1}) is not None


def claim(tx: Tx, claimant: str, until: float, most: int) -> list[Change]:
    """Take the changes that are due, oldest first, for as long as `until`."""
    due = tx.scalars(_DUE, {"now": clock.timestamp(), "most": most})
    return _take(tx, claimant, until, list(due))


def claim_of(tx: Tx, claimant: str, until: float, unit_ids: Collection[str]) -> list[Change]:
    """Take the changes of certain units, due or not."""
    found = tx.scalars(_OF_UNITS, {"ids": list(unit_ids)}) if unit_ids else ()
    return _take(tx, claimant, until, list(found))


def _take(tx: Tx, claimant: str, until: float, ids: list[int]) -> list[Change]:
    if not ids:
        return []
    tx.execute(_CLAIM, {"ids": ids, "claimed_by": claimant, "due": until})
    return [Change(*row) for row in tx.execute(_MINE, {"ids": ids, "mine": claimant})]


def done(tx: Tx, claimant: str, ids: Collection[int]) -> None:
    """Forget changes that the backend was told of, if nobody else took them since."""
    if ids:
        tx.execute(_DONE, {"ids": list(ids), "mine": claimant})


def postpone(tx: Tx, claimant: str, ids: Collection[int], until: float) -> None:
    """Try changes again later."""
    c = change.c
    later = sa.update(change).where(c.id.in_(ids), c.claimed_by == claimant)
    tx.execute(later.values(due=until, attempts=c.attempts + 1))


def waiting(tx: Tx) -> int:
    """Count the changes that the backend was not told of."""
    return tx.scalar(sa.select(sa.func.count()).select_from(change)) or 0
