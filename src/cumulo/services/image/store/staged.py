"""What waits for an import: staged bytes, as they were found to be."""

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.image.store import tables

s = tables.image_staged.c


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """What staged bytes are."""

    size: int
    virtual_size: int | None
    checksum: str
    os_hash_value: str
    disk_format: str  # as the image will be
    container_format: str


def staged_insert(tx: Tx, image_id: str, staged: Staged) -> None:
    """Store what an image's staged bytes are."""
    values = msgspec.structs.asdict(staged)
    tx.execute(tables.image_staged.insert().values(image_id=image_id, **values))


def staged_find(tx: Tx, image_id: str) -> Staged | None:
    """Return what an image's staged bytes are, if there are any."""
    select = sa.select(*(s[name] for name in Staged.__struct_fields__))
    row = tx.execute(select.where(s.image_id == image_id)).one_or_none()
    return Staged(**row._mapping) if row else None


def staged_delete(tx: Tx, image_id: str) -> None:
    """Forget what an image's staged bytes were."""
    tx.execute(sa.delete(tables.image_staged).where(s.image_id == image_id))
