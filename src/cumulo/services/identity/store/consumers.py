"""Statements on consumers: programs that OAuth 1 may delegate to."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import consumer


class Consumer(msgspec.Struct, frozen=True):
    """A consumer as stored, its secret sealed."""

    id: str
    description: str | None
    sealed_secret: str
    extra: dict[str, object] = {}

    def __repr__(self) -> str:
        return f"Consumer({self.id})"


def consumer_insert(tx: Tx, new: Consumer) -> None:
    """Store a consumer."""
    tx.execute(sa.insert(consumer).values(**msgspec.structs.asdict(new)))


def consumer_find(tx: Tx, consumer_id: str) -> Consumer | None:
    """Return a consumer, if it is there."""
    row = tx.execute(sa.select(consumer).where(consumer.c.id == consumer_id)).one_or_none()
    return _load(row) if row else None


def consumer_page(tx: Tx, listing: Listing) -> Page[Consumer]:
    """Return consumers in the order of their ids."""
    return page(tx, consumer, listing, _load)


def consumer_change(tx: Tx, before: Consumer, **values: Any) -> Consumer:
    """Change columns of a consumer."""
    tx.execute(sa.update(consumer).where(consumer.c.id == before.id).values(**values))
    return msgspec.structs.replace(before, **values)


def consumer_delete(tx: Tx, consumer_id: str) -> None:
    """Take a consumer away."""
    tx.execute(sa.delete(consumer).where(consumer.c.id == consumer_id))


def _load(row: "sa.Row[Any]") -> Consumer:
    return Consumer(**row._mapping)
