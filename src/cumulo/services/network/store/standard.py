"""What every resource of this API has: a revision that counts its changes, and their time."""

from typing import Any

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock


def change(
    tx: Tx, table: sa.Table, resource_id: str, *, revision: int | None = None, **values: Any
) -> bool:
    """Change a row and count its revision; say whether it was there, at `revision` if given."""
    where = [table.c.id == resource_id]
    if revision is not None:
        where.append(table.c.revision_number == revision)
    values |= {"revision_number": table.c.revision_number + 1, "updated_at": clock.now()}
    return bool(tx.execute(sa.update(table).where(*where).values(values)).rowcount)


def remove(tx: Tx, table: sa.Table, resource_id: str) -> bool:
    """Delete a row; say whether it was there."""
    return bool(tx.execute(sa.delete(table).where(table.c.id == resource_id)).rowcount)
