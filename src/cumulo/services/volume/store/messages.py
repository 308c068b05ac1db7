"""What users are told about work that failed after their request was answered."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.listing import Wanted


class Message(msgspec.Struct, frozen=True):
    """A message as stored; rows are read in the order of the fields."""

    id: str
    project_id: str
    request_id: str | None
    resource_type: str
    resource_id: str | None
    event_id: str
    user_message: str
    level: str
    created_at: datetime
    guaranteed_until: datetime


m = tables.message.c
_FIELDS = [m[name] for name in Message.__struct_fields__]


def message_insert(tx: Tx, message: Message) -> None:
    """Store a new message."""
    tx.execute(sa.insert(tables.message), msgspec.structs.asdict(message))


def message_find(tx: Tx, message_id: str) -> Message | None:
    """Return a message, whoever it is for, or None."""
    row = tx.execute(sa.select(*_FIELDS).where(m.id == message_id)).one_or_none()
    return Message(*row) if row is not None else None


def message_list(tx: Tx, wanted: Wanted) -> list[Message]:
    """Return a page of messages."""
    return [Message(*row) for row in listing.rows_of(tx, tables.message, _FIELDS, wanted)]


def message_delete(tx: Tx, message_id: str) -> None:
    """Forget a message."""
    tx.execute(sa.delete(tables.message).where(m.id == message_id))


def messages_prune(tx: Tx, before: datetime) -> int:
    """Forget the messages that were kept long enough; return how many."""
    return tx.execute(sa.delete(tables.message).where(m.guaranteed_until < before)).rowcount
