"""Pages that begin after the last row of the one before, whatever was added in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order; it must not be null."""

    column: sa.ColumnElement[Any]
    descending: bool = False


def ordered(query: sa.Select[Any], keys: Sequence[Key]) -> sa.Select[Any]:
    """Order by `keys`, of which the last one must tell all rows apart."""
    return query.order_by(*(k.column.desc() if k.descending else k.column.asc() for k in keys))


def after(keys: Sequence[Key], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a row comes after the one with these values of `keys`."""
    alternatives: list[sa.ColumnElement[bool]] = []
    for i, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = [k.column == v for k, v in zip(keys[:i], values[:i], strict=True)]
        beyond = key.column < value if key.descending else key.column > value
        alternatives.append(sa.and_(*same, beyond))
    return sa.or_(*alternatives)
