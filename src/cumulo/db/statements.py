"""Statements that every database has but each spells in its own way."""

import functools
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from cumulo.db.engine import Tx


def insert_absent(tx: Tx, table: sa.Table, /, **row: Any) -> bool:
    """Insert `row` unless a row with its primary or unique key is there, which is left alone.

    Say whether it was surely inserted; MariaDB never says so, and has to be asked.

    Unlike an INSERT whose failure is caught, this neither aborts PostgreSQL's transaction nor
    needs a savepoint.
    """
    dialect = tx.dialect.name
    count = tx.execute(_insert_absent(dialect, table), row).rowcount
    return dialect in ("sqlite", "postgresql") and count == 1


@functools.cache
def _insert_absent(dialect: str, table: sa.Table) -> sa.Insert:
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # the start of all others is quicker without

        return postgresql.insert(table).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    # Not INSERT IGNORE, which would also swallow a value that is too long.
    key = next(iter(table.primary_key.columns))
    return mysql.insert(table).on_duplicate_key_update({key.name: key})


def among(tx: Tx, column: sa.Column[str], values: Collection[str]) -> sa.ColumnElement[bool]:
    """Return the condition that `column` is one of many values.

    Where the database can read a list from one parameter, since a thousand parameters take
    longer than what they find.
    """
    if tx.dialect.name != "sqlite":
        return column.in_(values)
    return _listed(column, _as_json(values))


def of_many(
    tx: Tx, select: "sa.Select[Any]", column: "sa.Column[str]", values: Collection[str]
) -> Sequence[Any]:
    """Return the rows of `select` whose `column` is one of many different values.

    `select` is built once.
    """
    given = _as_json(values) if tx.dialect.name == "sqlite" else list(values)
    return tx.execute(_of_many(tx.dialect.name, select, column), {"among": given}).all()


@functools.cache
def _of_many(dialect: str, select: "sa.Select[Any]", column: "sa.Column[str]") -> "sa.Select[Any]":
    if dialect == "sqlite":
        # Each value is looked up as it is read from the list; IN would sort them all before.
        given = sa.func.json_each(sa.bindparam("among", type_=sa.String)).table_valued("value")
        return select.where(column == given.c.value)
    return select.where(column.in_(sa.bindparam("among", expanding=True)))


def _listed(column: "sa.Column[str]", values: Any) -> sa.ColumnElement[bool]:
    return column.in_(sa.select(sa.func.json_each(values).table_valued("value").c.value))


def _as_json(values: Collection[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
