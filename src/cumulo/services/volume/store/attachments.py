"""Attachments as they are stored: which volume is reserved for, or used by, which server."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import among
from cumulo.kit.errors import NotFound
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.listing import Wanted


class Attachment(msgspec.Struct, frozen=True):
    """An attachment as stored; rows are read in the order of the fields."""

    id: str
    volume_id: str
    project_id: str
    status: str  # reserved, attaching, attached, detaching, error_attaching
    created_at: datetime
    server_id: str | None = None
    host_name: str | None = None
    mountpoint: str | None = None
    mode: str | None = None
    connector: dict[str, Any] | None = None
    attached_at: datetime | None = None
    detached_at: datetime | None = None


a = tables.attachment.c
_FIELDS = [a[name] for name in Attachment.__struct_fields__]
_OF_VOLUME = (
    sa.select(*_FIELDS).where(a.volume_id == sa.bindparam("of_volume")).order_by(a.created_at, a.id)
)


def attachment_insert(tx: Tx, attachment: Attachment) -> None:
    """Store a new attachment."""
    tx.execute(sa.insert(tables.attachment), msgspec.structs.asdict(attachment))


def attachment_find(tx: Tx, attachment_id: str) -> Attachment | None:
    """Return an attachment, whoever owns it, or None."""
    row = tx.execute(sa.select(*_FIELDS).where(a.id == attachment_id)).one_or_none()
    return Attachment(*row) if row is not None else None


def attachment_get(tx: Tx, attachment_id: str) -> Attachment:
    """Return an attachment, whoever owns it."""
    attachment = attachment_find(tx, attachment_id)
    if attachment is None:
        raise NotFound(f"Volume attachment could not be found with filter: {attachment_id}.")
    return attachment


def attachment_list(tx: Tx, wanted: Wanted) -> list[Attachment]:
    """Return a page of attachments."""
    return [Attachment(*row) for row in listing.rows_of(tx, tables.attachment, _FIELDS, wanted)]


def attachments_of(tx: Tx, volume_id: str) -> list[Attachment]:
    """Return a volume's attachments, oldest first."""
    return [Attachment(*row) for row in tx.execute(_OF_VOLUME, {"of_volume": volume_id})]


def attachments_of_server(tx: Tx, server_id: str) -> list[Attachment]:
    """Return a server's attachments, oldest first."""
    query = sa.select(*_FIELDS).where(a.server_id == server_id)
    return [Attachment(*row) for row in tx.execute(query.order_by(a.created_at, a.id))]


def attachments_map(tx: Tx, volume_ids: Collection[str]) -> dict[str, list[Attachment]]:
    """Return the attachments of many volumes, by volume."""
    found: defaultdict[str, list[Attachment]] = defaultdict(list)
    if volume_ids:
        query = sa.select(*_FIELDS).where(among(tx, a.volume_id, volume_ids))
        for row in tx.execute(query.order_by(a.created_at, a.id)):
            found[row.volume_id].append(Attachment(*row))
    return found


def attachment_update(tx: Tx, attachment_id: str, **values: object) -> bool:
    """Change an attachment; say whether it was there."""
    change = sa.update(tables.attachment).where(a.id == attachment_id)
    return bool(tx.execute(change.values(**values)).rowcount)


def attachment_delete(tx: Tx, attachment_id: str) -> bool:
    """Forget an attachment; say whether it was there."""
    return bool(tx.execute(sa.delete(tables.attachment).where(a.id == attachment_id)).rowcount)
