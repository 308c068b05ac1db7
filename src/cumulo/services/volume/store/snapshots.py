"""Snapshots as they are stored."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.listing import Wanted


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A snapshot as stored; rows are read in the order of the fields."""

    id: str
    volume_id: str
    project_id: str
    user_id: str
    size_gib: int
    status: str
    type_id: str
    created_at: datetime
    name: str | None = None
    description: str | None = None
    progress: str = "0%"
    group_snapshot_id: str | None = None
    encryption_key_id: str | None = None
    consumes_quota: bool = True
    updated_at: datetime | None = None


_S = tables.snapshot.c
_FIELDS = [_S[name] for name in Snapshot.__struct_fields__]


def snapshot_insert(tx: Tx, snapshot: Snapshot) -> None:
    """Store a new snapshot."""
    tx.execute(sa.insert(tables.snapshot), msgspec.structs.asdict(snapshot))


def snapshot_find(tx: Tx, snapshot_id: str) -> Snapshot | None:
    """Return a snapshot, whoever owns it, or None."""
    row = tx.execute(sa.select(*_FIELDS).where(_S.id == snapshot_id)).one_or_none()
    return Snapshot(*row) if row is not None else None


def snapshot_get(tx: Tx, snapshot_id: str) -> Snapshot:
    """Return a snapshot, whoever owns it."""
    snapshot = snapshot_find(tx, snapshot_id)
    if snapshot is None:
        raise NotFound(f"Snapshot {snapshot_id} could not be found.", snapshot_id=snapshot_id)
    return snapshot


def snapshot_list(tx: Tx, wanted: Wanted) -> list[Snapshot]:
    """Return a page of snapshots."""
    return [Snapshot(*row) for row in listing.rows_of(tx, tables.snapshot, _FIELDS, wanted)]


def snapshot_count(tx: Tx, wanted: Wanted) -> int:
    """Return how many snapshots all pages hold."""
    return listing.count_of(tx, tables.snapshot, wanted)


def snapshots_of(tx: Tx, volume_id: str) -> list[Snapshot]:
    """Return a volume's snapshots, oldest first."""
    query = sa.select(*_FIELDS).where(_S.volume_id == volume_id)
    return [Snapshot(*row) for row in tx.execute(query.order_by(_S.created_at, _S.id))]


def snapshots_in_group(tx: Tx, group_snapshot_id: str) -> list[Snapshot]:
    """Return what was taken at once, oldest first."""
    query = sa.select(*_FIELDS).where(_S.group_snapshot_id == group_snapshot_id)
    return [Snapshot(*row) for row in tx.execute(query.order_by(_S.created_at, _S.id))]


def snapshot_update(tx: Tx, snapshot_id: str, **values: object) -> None:
    """Change a snapshot, whatever its status."""
    change = sa.update(tables.snapshot).where(_S.id == snapshot_id)
    tx.execute(change.values(updated_at=clock.now(), **values))


def snapshot_move(
    tx: Tx, snapshot_id: str, to: str, *, expected: Collection[str], **values: object
) -> bool:
    """Change the status if it is one of `expected`; say whether it was."""
    change = sa.update(tables.snapshot).where(_S.id == snapshot_id, _S.status.in_(expected))
    return bool(tx.execute(change.values(status=to, updated_at=clock.now(), **values)).rowcount)


def snapshot_delete(tx: Tx, snapshot_id: str) -> bool:
    """Forget a snapshot; say whether it was known."""
    return bool(tx.execute(sa.delete(tables.snapshot).where(_S.id == snapshot_id)).rowcount)


def snapshots_on(tx: Tx, pool: str) -> set[str]:
    """Return the ids of the snapshots of volumes that are in a pool."""
    of_pool = sa.select(tables.volume.c.id).where(tables.volume.c.host == pool)
    return set(tx.scalars(sa.select(_S.id).where(_S.volume_id.in_(of_pool))))


def sums_on(tx: Tx, pool: str) -> dict[str, tuple[int, int]]:
    """Return how many snapshots each project has in a pool, and how large they are together."""
    of_pool = sa.select(tables.volume.c.id).where(tables.volume.c.host == pool)
    summed = sa.select(_S.project_id, sa.func.count(), sa.func.sum(_S.size_gib))
    rows = tx.execute(summed.where(_S.volume_id.in_(of_pool)).group_by(_S.project_id))
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}
