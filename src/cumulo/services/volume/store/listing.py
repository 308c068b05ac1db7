"""Lists of volumes, snapshots and whatever else has an owner: filtered, sorted, page by page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx, keyset
from cumulo.kit.errors import NotFound
from cumulo.services.volume.store.items import owners_with

_COMPARED = {"gt": "__gt__", "gte": "__ge__", "eq": "__eq__", "neq": "__ne__"}
_COMPARED |= {"lt": "__lt__", "lte": "__le__"}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows, in which order, how many."""

    project_id: str | None = None  # None: everyone's
    equal: dict[str, object] = {}
    like: dict[str, str] = {}
    noted: list[tuple[str, dict[str, str]]] = []  # kind of item, pairs
    times: list[tuple[str, str, datetime]] = []  # column, gt | gte | eq | neq | lt | lte, when
    sort: tuple[tuple[str, bool], ...] = (("created_at", True), ("id", True))  # column, descending
    marker: str | None = None
    limit: int = 1000
    offset: int = 0


def rows_of(
    tx: Tx, table: sa.Table, fields: Sequence[sa.Column[Any]], wanted: Wanted
) -> Sequence[Any]:
    """Return the rows of a page; the order's last column must tell all rows apart."""
    keys = [keyset.Key(_not_null(table.c[name]), down) for name, down in wanted.sort]
    query = _filtered(sa.select(*fields), table, wanted)
    if wanted.marker is not None:
        at = tx.execute(
            sa.select(*(key.column for key in keys)).where(table.c.id == wanted.marker)
        ).one_or_none()
        if at is None:
            raise NotFound(f"Marker {wanted.marker} could not be found.", field="marker")
        query = query.where(keyset.after(keys, at))
    query = keyset.ordered(query, keys).limit(wanted.limit)
    return tx.execute(query.offset(wanted.offset) if wanted.offset else query).all()


def count_of(tx: Tx, table: sa.Table, wanted: Wanted) -> int:
    """Return how many rows there are on all pages."""
    counted = sa.select(sa.func.count()).select_from(table)
    return int(tx.scalars(_filtered(counted, table, wanted)).one())


def conditions(table: sa.Table, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """Return what a row must be like to be listed."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.project_id is not None:
        found.append(table.c.project_id == wanted.project_id)
    for name, value in wanted.equal.items():
        column = table.c[name]
        found.append(column.in_(value) if isinstance(value, list | tuple) else column == value)
    for name, part in wanted.like.items():
        found.append(table.c[name].contains(part, autoescape=True))
    for kind, pairs in wanted.noted:
        found += [table.c.id.in_(owners) for owners in owners_with(kind, pairs)]
    for name, operator, when in wanted.times:
        found.append(getattr(table.c[name], _COMPARED[operator])(when))
    return found


def _filtered(query: sa.Select[Any], table: sa.Table, wanted: Wanted) -> sa.Select[Any]:
    return query.where(*conditions(table, wanted))


def _not_null(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if not column.nullable:
        return column
    kind = column.type.python_type if not isinstance(column.type, sa.types.TypeDecorator) else None
    nothing: Any = _LONG_AGO if kind is None else kind()
    return sa.func.coalesce(column, sa.literal(nothing, column.type))
