"""Keys of encrypted volumes, as they are stored."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.volume.store import tables

_K = tables.key.c


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A passphrase, sealed."""

    id: str
    project_id: str
    sealed: str
    created_at: datetime


def key_insert(tx: Tx, key: Key) -> None:
    """Store a new key."""
    tx.execute(sa.insert(tables.key), msgspec.structs.asdict(key))


def key_find(tx: Tx, key_id: str) -> Key | None:
    """Return a key, or None."""
    row = tx.execute(sa.select(tables.key).where(_K.id == key_id)).one_or_none()
    return Key(**row._mapping) if row is not None else None


def key_delete(tx: Tx, key_id: str) -> None:
    """Forget a key."""
    tx.execute(sa.delete(tables.key).where(_K.id == key_id))


def keys_without_disk(tx: Tx, before: datetime) -> list[str]:
    """Return the older keys that belong to no volume and no backup."""
    v = tables.volume.c
    of_volumes = sa.select(v.id).where((v.encryption_key_id == _K.id) | (v.moving_key_id == _K.id))
    of_backups = sa.select(tables.backup.c.id).where(tables.backup.c.encryption_key_id == _K.id)
    query = sa.select(_K.id).where(
        _K.created_at < before, ~of_volumes.exists(), ~of_backups.exists()
    )
    return list(tx.scalars(query))
