"""Lists as identity's API filters and pages them.

Equality is the database's work.  The inexact comparisons are decided here, since databases
disagree on case; the database only narrows them down.
"""

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import NotFound

T = TypeVar("T")
_COMPARATORS: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


class Match(msgspec.Struct, frozen=True):
    """An inexact filter, such as name__icontains."""

    field: str
    comparator: str
    value: str
    ignores_case: bool = False

    def holds(self, stored: object) -> bool:
        """Say whether a stored value satisfies it; an unknown comparator filters nothing."""
        have = stored if isinstance(stored, str) else ""
        want = self.value
        if self.ignores_case:
            have, want = have.lower(), want.lower()
        tests: dict[str, Callable[[str], bool]] = {
            "contains": lambda part: part in have,
            "startswith": have.startswith,
            "endswith": have.endswith,
        }
        test = tests.get(self.comparator)
        return test(want) if test else True


class Compared(msgspec.Struct, frozen=True):
    """A filter by order, such as password_expires_at=lt:2030-01-01T00:00:00Z."""

    field: str
    comparator: Literal["lt", "lte", "gt", "gte", "eq", "neq"]
    value: datetime


class Listing(msgspec.Struct, frozen=True):
    """What a client wants to see of a collection."""

    equals: dict[str, object] = {}
    matches: list[Match] = []
    compared: list[Compared] = []
    marker: str | None = None
    limit: int | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a collection, and whether there may be more."""

    members: list[T]
    is_truncated: bool = False


def page(
    tx: Tx,
    table: sa.Table,
    listing: Listing,
    load: Callable[["sa.Row[tuple[object, ...]]"], T],
    *where: sa.ColumnElement[bool],
) -> Page[T]:
    """Return the rows that pass every filter, in the order of their ids."""
    select = sa.select(table).where(*where, *_conditions(table, listing)).order_by(table.c.id)
    if listing.marker:
        _check_marker(tx, table, listing.marker)
        select = select.where(table.c.id > listing.marker)
    if listing.limit is not None and not listing.matches:
        select = select.limit(listing.limit)
    found = [
        row
        for row in tx.execute(select)
        if all(match.holds(row._mapping[match.field]) for match in listing.matches)
    ][: listing.limit]
    is_truncated = listing.limit is not None and len(found) >= listing.limit
    return Page([load(row) for row in found], is_truncated)


def _conditions(table: sa.Table, listing: Listing) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        table.c[field] == value for field, value in listing.equals.items()
    ]
    conditions += [
        table.c[match.field].contains(match.value, autoescape=True)
        for match in listing.matches
        if not match.ignores_case and match.comparator in ("contains", "startswith", "endswith")
    ]
    conditions += [
        _COMPARATORS[one.comparator](table.c[one.field], one.value) for one in listing.compared
    ]
    return conditions


def _check_marker(tx: Tx, table: sa.Table, marker: str) -> None:
    if tx.scalar(sa.select(table.c.id).where(table.c.id == marker)) is None:
        raise NotFound(f"Marker {marker} could not be found.", marker=marker)
