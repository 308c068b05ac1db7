"""Backups as they are stored."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.listing import Wanted


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as stored."""

    id: str
    volume_id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    container: str | None
    size_gib: int
    status: str
    fail_reason: str | None = None
    parent_id: str | None
    snapshot_id: str | None
    object_count: int = 0
    encryption_key_id: str | None = None
    availability_zone: str | None
    data_timestamp: datetime
    created_at: datetime
    updated_at: datetime | None = None


b = tables.backup.c
_FIELDS = [b[name] for name in Backup.__struct_fields__]


def backup_insert(tx: Tx, backup: Backup) -> None:
    """Store a new backup."""
    tx.execute(sa.insert(tables.backup), msgspec.structs.asdict(backup))


def backup_find(tx: Tx, backup_id: str) -> Backup | None:
    """Return a backup, whoever owns it, or None."""
    row = tx.execute(sa.select(*_FIELDS).where(b.id == backup_id)).one_or_none()
    return Backup(**row._mapping) if row is not None else None


def backup_list(tx: Tx, wanted: Wanted) -> list[Backup]:
    """Return a page of backups."""
    rows = listing.rows_of(tx, tables.backup, _FIELDS, wanted)
    return [Backup(**row._mapping) for row in rows]


def backup_count(tx: Tx, wanted: Wanted) -> int:
    """Return how many backups all pages hold."""
    return listing.count_of(tx, tables.backup, wanted)


def latest_of(tx: Tx, volume_id: str, project_id: str) -> Backup | None:
    """Return a volume's newest backup that can be built on."""
    query = sa.select(*_FIELDS).where(
        b.volume_id == volume_id, b.project_id == project_id, b.status == "available"
    )
    row = tx.execute(query.order_by(b.data_timestamp.desc(), b.id.desc())).first()
    return Backup(**row._mapping) if row is not None else None


def parents(tx: Tx) -> set[str]:
    """Return the backups that others build on."""
    return set(tx.scalars(sa.select(b.parent_id).where(b.parent_id.is_not(None)).distinct()))


def backup_ids(tx: Tx) -> set[str]:
    """Return the id of every backup."""
    return set(tx.scalars(sa.select(b.id)))


def backups_being_made(tx: Tx) -> set[str]:
    """Return the ids of the backups that are being made."""
    return set(tx.scalars(sa.select(b.id).where(b.status == "creating")))


def backup_update(tx: Tx, backup_id: str, **values: object) -> None:
    """Change a backup, whatever its status."""
    change = sa.update(tables.backup).where(b.id == backup_id)
    tx.execute(change.values(updated_at=clock.now(), **values))


def backup_move(
    tx: Tx, backup_id: str, to: str, *, expected: Collection[str], **values: object
) -> bool:
    """Change the status if it is one of `expected`; say whether it was."""
    change = sa.update(tables.backup).where(b.id == backup_id, b.status.in_(expected))
    return bool(tx.execute(change.values(status=to, updated_at=clock.now(), **values)).rowcount)


def backup_delete(tx: Tx, backup_id: str) -> bool:
    """Forget a backup; say whether it was known."""
    return bool(tx.execute(sa.delete(tables.backup).where(b.id == backup_id)).rowcount)
