"""What every resource of this API has: a revision that counts its changes, and their time."""

from functools import cache
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock

S = TypeVar("S", bound=msgspec.Struct)


def find(
    tx: Tx,
    table: sa.Table,
    kind: type[S],
    resource_id: str,
    seen: sa.ColumnElement[bool] | None = None,
) -> S | None:
    """Return the row with this id as a struct, if it is there and fulfils `seen`."""
    condition = [table.c.id == resource_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(table).where(*condition)).one_or_none()
    return kind(*row) if row else None


def where(tx: Tx, table: sa.Table, kind: type[S], *conditions: sa.ColumnElement[bool]) -> list[S]:
    """Return the rows that fulfil every condition as structs, oldest first."""
    order = [table.c.created_at] if "created_at" in table.c else []
    select = sa.select(table).where(*conditions).order_by(*order, table.c.id)
    return [kind(*row) for row in tx.execute(select)]


def insert(tx: Tx, table: sa.Table, *made: msgspec.Struct) -> None:
    """Record new rows."""
    if made:
        tx.execute(sa.insert(table), [msgspec.structs.asdict(one) for one in made])


def change(
    tx: Tx, table: sa.Table, resource_id: str, *, revision: int | None = None, **values: Any
) -> bool:
    """Change a row and count its revision, if it has one.

    Say whether it was there, at `revision` if given.
    """
    row = {"of_id": resource_id, **values}
    if "revision_number" in table.c:
        row["updated_at"] = clock.now()
    if revision is not None:
        row["seen"] = revision
    if len(row) == 1:
        return True
    return bool(tx.execute(_change(table, seen=revision is not None), row).rowcount)


@cache
def _change(table: sa.Table, *, seen: bool) -> sa.Update:
    change = sa.update(table).where(table.c.id == sa.bindparam("of_id"))
    if seen:
        change = change.where(table.c.revision_number == sa.bindparam("seen"))
    if "revision_number" in table.c:
        change = change.values(revision_number=table.c.revision_number + 1)
    return change


def remove(tx: Tx, table: sa.Table, resource_id: str) -> bool:
    """Delete a row; say whether it was there."""
    return bool(tx.execute(sa.delete(table).where(table.c.id == resource_id)).rowcount)
