"""Where the disks of shelved servers are."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.compute.store import server_tables as tables

_H = tables.server_shelf.c


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """The image that a shelved server's disk is in."""

    server_id: str
    image_id: str
    shelved_at: datetime


def shelf_find(tx: Tx, server_id: str) -> Shelf | None:
    """Return where a server is shelved, or None."""
    query = sa.select(tables.server_shelf).where(_H.server_id == server_id)
    row = tx.execute(query).one_or_none()
    return Shelf(**row._mapping) if row else None


def shelf_put(tx: Tx, server_id: str, image_id: str) -> None:
    """Record where a server is shelved; said again it is the same."""
    if shelf_find(tx, server_id) is None:
        row = {"server_id": server_id, "image_id": image_id, "shelved_at": clock.now()}
        tx.execute(tables.server_shelf.insert().values(**row))


def shelf_clear(tx: Tx, server_id: str) -> None:
    """Forget it."""
    tx.execute(sa.delete(tables.server_shelf).where(_H.server_id == server_id))
