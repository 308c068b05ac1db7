"""Lists of anything: filters, order and pages as statements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.network.store.selection import Ids as Ids
from cumulo.services.network.store.sharing import shared_condition
from cumulo.services.network.store.tables import tag

Filter: TypeAlias = Callable[[list[str]], sa.ColumnElement[bool]]
_TRUE, _FALSE = {"1", "t", "true", "on", "y", "yes"}, {"0", "f", "false", "off", "n", "no"}


class Listing(msgspec.Struct, frozen=True):
    """The conditions, order and page of a list; values of one filter are alternatives."""

    filters: Mapping[str, list[str]] = {}
    sorts: Sequence[tuple[str, bool]] = ()  # attribute, ascending
    limit: int | None = None
    marker: str | None = None
    page_reverse: bool = False


@dataclass(frozen=True)
class Shape:
    """How a list's attributes are found in its table."""

    table: sa.Table
    columns: Mapping[str, sa.Column[Any]]
    special: Mapping[str, Filter] = field(default_factory=dict)


def columns_of(table: sa.Table, *names: str, **renamed: str) -> dict[str, sa.Column[Any]]:
    """Return columns by attribute; every resource has the standard ones."""
    standard = ("id", "project_id", "description", "revision_number", "created_at", "updated_at")
    found = {name: table.c[name] for name in (*standard, *names)}
    return {**found, "tenant_id": table.c.project_id} | {
        name: table.c[column] for name, column in renamed.items()
    }


def with_shared(shape: Shape, project_id: str) -> Shape:
    """Let a list be filtered by whether the project may use what it does not own."""
    shared = whether(shared_condition(shape.table, project_id))
    return replace(shape, special={**shape.special, "shared": shared})


def rows(
    tx: Tx, shape: Shape, seen: sa.ColumnElement[bool], listing: Listing
) -> Sequence[tuple[Any, ...]]:
    """Return the rows of one page, in order."""
    order = _order(shape, listing)
    where = [seen, *_conditions(shape, listing.filters)]
    if listing.marker is not None:
        where.append(_beyond(tx, shape, seen, order, listing.marker))
    select = sa.select(shape.table).where(*where)
    select = select.order_by(*(key if up else key.desc() for key, up in order))
    found: Sequence[Any] = tx.execute(
        select.limit(listing.limit) if listing.limit else select
    ).all()
    return found[::-1] if listing.page_reverse else found


def check(shape: Shape, listing: Listing) -> None:
    """Refuse filters and sort keys that a list does not have."""
    _order(shape, listing)
    _conditions(shape, listing.filters)


ANY: sa.ColumnElement[bool] = sa.true()
_MANY = 100


def ids_of(
    shape: Shape, seen: sa.ColumnElement[bool], listing: Listing, found: Sequence[tuple[Any, ...]]
) -> Ids:
    """Return the ids of a list's rows, for what else is to be read of them.

    Of a long list, the condition that found it: a thousand ids in a statement cost more time
    than what they find.
    """
    if listing.limit is not None or len(found) < _MANY:
        return [row[0] for row in found]
    return sa.select(shape.table.c.id).where(seen, *_conditions(shape, listing.filters))


def _order(shape: Shape, listing: Listing) -> list[tuple[sa.ColumnElement[Any], bool]]:
    unknown = [name for name, _ in listing.sorts if name not in shape.columns]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for sort_keys", type="HTTPBadRequest")
    keys = [(_never_null(shape.columns[name]), up) for name, up in listing.sorts]
    keys.append((shape.table.c.id, True))
    return [(key, up != listing.page_reverse) for key, up in keys]


def _never_null(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if not column.nullable:
        return column
    return sa.func.coalesce(column, -1 if isinstance(column.type, sa.Integer) else "")


def _conditions(shape: Shape, filters: Mapping[str, list[str]]) -> list[sa.ColumnElement[bool]]:
    known = {**{name: _equals(column) for name, column in shape.columns.items()}, **shape.special}
    known |= _tag_filters(shape.table)
    unknown = [name for name in filters if name not in known]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for filtering", type="HTTPBadRequest")
    return [known[name](values) for name, values in filters.items()]


def _equals(column: sa.Column[Any]) -> Filter:
    convert: Callable[[str], object] = str
    if isinstance(column.type, sa.Boolean):
        convert = truth
    elif isinstance(column.type, sa.Integer):
        convert = _number
    return lambda values: column.in_([convert(value) for value in values])


def whether(condition: sa.ColumnElement[bool]) -> Filter:
    """Return a filter by whether a condition holds."""

    def asked(values: list[str]) -> sa.ColumnElement[bool]:
        wanted = {truth(value) for value in values}
        return sa.or_(*(condition if one else sa.not_(condition) for one in wanted))

    return asked


def truth(text: str) -> bool:
    """Read a boolean from a query."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise Invalid(
        f"Invalid input for operation: '{text}' cannot be converted to boolean.",
        type="InvalidInput",
    )


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise Invalid(
            f"Invalid input for operation: '{text}' is not an integer.", type="InvalidInput"
        ) from None
    return max(-(2**31), min(number, 2**31 - 1))


def _tag_filters(table: sa.Table) -> dict[str, Filter]:
    def carrying(word: str) -> sa.ColumnElement[bool]:
        return table.c.id.in_(sa.select(tag.c.resource_id).where(tag.c.tag == word))

    def every(values: list[str]) -> sa.ColumnElement[bool]:
        return sa.and_(*(carrying(word) for value in values for word in value.split(",")))

    def some(values: list[str]) -> sa.ColumnElement[bool]:
        return sa.or_(*(carrying(word) for value in values for word in value.split(",")))

    return {
        "tags": every,
        "tags-any": some,
        "not-tags": lambda values: sa.not_(every(values)),
        "not-tags-any": lambda values: sa.not_(some(values)),
    }


def _beyond(
    tx: Tx,
    shape: Shape,
    seen: sa.ColumnElement[bool],
    order: Sequence[tuple[sa.ColumnElement[Any], bool]],
    marker: str,
) -> sa.ColumnElement[bool]:
    """Return the condition for what comes after the marker in this order."""
    keys = [key for key, _ in order]
    at = tx.execute(sa.select(*keys).where(shape.table.c.id == marker, seen)).first()
    if at is None:
        raise NotFound(f"The marker {marker} could not be found.", type="MarkerNotFound")
    branches = []
    for place, (key, up) in enumerate(order):
        equal = [keys[i] == at[i] for i in range(place)]
        branches.append(sa.and_(*equal, key > at[place] if up else key < at[place]))
    return sa.or_(*branches)
