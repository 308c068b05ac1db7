"""What every resource of this API has: a revision that counts its changes, and their time."""

from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock


def change(
    tx: Tx, table: sa.Table, resource_id: str, *, revision: int | None = None, **values: Any
) -> bool:
    """Change a row and count its revision; say whether it was there, at `revision` if given."""
    change = _change(table, seen=revision is not None)
    row = {"of_id": resource_id, "updated_at": clock.now(), **values}
    if revision is not None:
        row["seen"] = revision
    return bool(tx.execute(change, row).rowcount)


@cache
def _change(table: sa.Table, *, seen: bool) -> sa.Update:
    change = sa.update(table).where(table.c.id == sa.bindparam("of_id"))
    if seen:
        change = change.where(table.c.revision_number == sa.bindparam("seen"))
    return change.values(revision_number=table.c.revision_number + 1)


def remove(tx: Tx, table: sa.Table, resource_id: str) -> bool:
    """Delete a row; say whether it was there."""
    return bool(tx.execute(sa.delete(table).where(table.c.id == resource_id)).rowcount)
