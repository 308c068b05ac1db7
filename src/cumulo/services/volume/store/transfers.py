"""Transfers as they are stored."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.listing import Wanted


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A volume offered to another project."""

    id: str
    volume_id: str
    project_id: str
    destination_project_id: str | None = None
    name: str | None
    salt: str
    digest: str
    with_snapshots: bool
    is_accepted: bool = False
    created_at: datetime


t = tables.transfer.c
_FIELDS = [t[name] for name in Transfer.__struct_fields__]


def transfer_insert(tx: Tx, transfer: Transfer) -> None:
    """Store a new transfer."""
    tx.execute(sa.insert(tables.transfer), msgspec.structs.asdict(transfer))


def transfer_find(tx: Tx, transfer_id: str) -> Transfer | None:
    """Return a transfer that is open, whoever made it, or None."""
    query = sa.select(*_FIELDS).where(t.id == transfer_id, t.is_accepted == sa.false())
    row = tx.execute(query).one_or_none()
    return Transfer(**row._mapping) if row is not None else None


def transfer_list(tx: Tx, wanted: Wanted) -> list[Transfer]:
    """Return a page of transfers."""
    rows = listing.rows_of(tx, tables.transfer, _FIELDS, wanted)
    return [Transfer(**row._mapping) for row in rows]


def transfer_accept(tx: Tx, transfer_id: str, project_id: str) -> bool:
    """Note who took the volume; say whether nobody had."""
    change = sa.update(tables.transfer).where(t.id == transfer_id, t.is_accepted == sa.false())
    values = {"is_accepted": True, "destination_project_id": project_id}
    return bool(tx.execute(change.values(**values)).rowcount)


def transfer_delete(tx: Tx, transfer_id: str) -> None:
    """Forget a transfer."""
    tx.execute(sa.delete(tables.transfer).where(t.id == transfer_id))
