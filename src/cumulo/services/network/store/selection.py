"""What belongs to some resources, few or many, read in one statement."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, TypeAlias

import sqlalchemy as sa

from cumulo.db import Tx

# Resources by their ids, or by the statement that finds them.
Ids: TypeAlias = Collection[str] | sa.Select[tuple[str]]


def of_some(tx: Tx, select: "sa.Select[Any]", column: "sa.Column[str]", ids: Ids) -> Sequence[Any]:
    """Return the rows of `select` whose `column` is one of `ids`; `select` is built only once."""
    if isinstance(ids, sa.Select):
        return tx.execute(select.where(column.in_(ids))).all()
    if len(ids) == 1:  # to spell a list out anew takes as long as to find what is in it
        return tx.execute(_with(select, column), {"id": next(iter(ids))}).all()
    return tx.execute(_among(select, column), {"ids": list(ids)}).all() if ids else []


@cache
def _with(select: "sa.Select[Any]", column: "sa.Column[str]") -> "sa.Select[Any]":
    return select.where(column == sa.bindparam("id"))


@cache
def _among(select: "sa.Select[Any]", column: "sa.Column[str]") -> "sa.Select[Any]":
    return select.where(column.in_(sa.bindparam("ids", expanding=True)))
