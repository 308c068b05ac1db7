"""Cached images: copies in the first store of what lies elsewhere, and who wants one."""

from collections.abc import Collection
from typing import Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit.clock import timestamp
from cumulo.services.image.store import tables

# Wanted, on its way, there, no longer wanted, going.
CachedStatus: TypeAlias = Literal["queued", "filling", "cached", "dropped", "removing"]

c = tables.image_cached.c


class Cached(msgspec.Struct, frozen=True):
    """A copy; times are in seconds since 1970."""

    image_id: str
    status: CachedStatus
    size: int
    hits: int
    last_accessed: float
    last_modified: float


def cached_find(tx: Tx, image_id: str) -> Cached | None:
    """Return what is known of an image's copy."""
    row = tx.execute(sa.select(tables.image_cached).where(c.image_id == image_id)).one_or_none()
    return Cached(**row._mapping) if row else None


def cached_list(tx: Tx) -> list[Cached]:
    """Return all, by image."""
    select = sa.select(tables.image_cached).order_by(c.image_id)
    return [Cached(**row._mapping) for row in tx.execute(select)]


def cached_insert(tx: Tx, image_id: str, status: CachedStatus, size: int) -> None:
    """Record that an image is to have a copy, or has one, unless something is known of it."""
    now = timestamp()
    insert_absent(
        tx,
        tables.image_cached,
        image_id=image_id,
        status=status,
        size=size,
        hits=0,
        last_accessed=now,
        last_modified=now,
    )


def cached_move(
    tx: Tx, image_id: str, to: CachedStatus, expected: Collection[CachedStatus]
) -> bool:
    """Change the status, if it is one of `expected`; say whether."""
    change = sa.update(tables.image_cached).where(c.image_id == image_id, c.status.in_(expected))
    more = {"last_modified": timestamp()} if to == "cached" else {}
    return bool(tx.execute(change.values(status=to, **more)).rowcount)


def cached_hit(tx: Tx, image_id: str) -> bool:
    """Count that a copy that is there was used; say whether there is one."""
    change = sa.update(tables.image_cached).where(c.image_id == image_id, c.status == "cached")
    return bool(tx.execute(change.values(hits=c.hits + 1, last_accessed=timestamp())).rowcount)


def cached_alive(tx: Tx, image_id: str) -> None:
    """Record that a copy is on its way, wanted still or no longer."""
    change = sa.update(tables.image_cached).where(
        c.image_id == image_id, c.status.in_(["filling", "dropped"])
    )
    tx.execute(change.values(last_accessed=timestamp()))


def cached_lost(tx: Tx, seen: Cached) -> None:
    """Forget a copy that is not there, unless somebody asked for it since it was looked for."""
    same = (c.image_id == seen.image_id, c.status == seen.status, c.hits == seen.hits)
    tx.execute(sa.delete(tables.image_cached).where(*same))


def cached_delete(tx: Tx, image_id: str, expected: Collection[CachedStatus]) -> None:
    """Forget a copy, if its status is one of `expected`."""
    forget = sa.delete(tables.image_cached).where(c.image_id == image_id, c.status.in_(expected))
    tx.execute(forget)
