"""Statements that come again are executed another way, and nobody can tell."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.db.prepared import Written
from cumulo.db.types import SharedJson, UtcDateTime
from tests.spending import spending

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
TIMES = 4  # by SQLAlchemy, by SQLAlchemy and kept, as it was kept
_metadata = sa.MetaData()
thing = sa.Table(
    "thing",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), unique=True),
    sa.Column("at", UtcDateTime()),
    sa.Column("is_on", sa.Boolean),
    sa.Column("told", sa.JSON),
    sa.Column("shared", SharedJson),
    sa.Column("size", sa.BigInteger),
)
other = sa.Table(
    "other",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20)),
)
c = thing.c
FIND = sa.select(thing).where(c.name == sa.bindparam("of_name"))
INSERT = thing.insert()


@pytest.fixture
def things(sqlite: Database) -> Database:
    """A database with a few things."""

    def make(tx: Tx) -> None:
        _metadata.create_all(tx)
        for name in ("a", "b", "c"):
            row = {"at": NOW, "is_on": name == "a", "told": {"x": [1]}, "shared": ["s"]}
            tx.execute(INSERT, {**row, "name": name, "size": ord(name)})
        tx.execute(other.insert(), {"number": 1, "name": "z"})

    sqlite.write(make)
    return sqlite


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (FIND, {"of_name": "a"}),
        (FIND, {"of_name": "none"}),
        (sa.select(c.at, c.told, c.shared, c.is_on).order_by(c.name), {}),
        (sa.select(c.name).where(c.name.in_(["a", "c"])).order_by(c.name), {}),
        (sa.select(c.name, other.c.name).join(other, other.c.number == c.number), {}),
        (sa.select(sa.func.count(), sa.func.max(c.at)), {}),
        (sa.select(c.name).limit(sa.bindparam("most", type_=sa.Integer)), {"most": 2}),
        (sa.select(c.size + sa.bindparam("more", type_=sa.BigInteger)), {"more": 5}),
        (sa.select(c.name).where(c.at == sa.bindparam("then", type_=UtcDateTime())), {"then": NOW}),
        (sa.union(sa.select(c.name), sa.select(other.c.name)).order_by("name"), {}),
        (sa.text("select name from thing where name = :one"), {"one": "b"}),
    ],
)  # fmt: skip
def test_what_comes_again_is_found_again(
    things: Database, statement: Any, params: dict[str, Any]
) -> None:
    def found(tx: Tx) -> Any:
        result = tx.execute(statement, params)
        keys = list(result.keys())
        return keys, [(tuple(row), dict(row._mapping)) for row in result]

    with spending(things):  # SQLAlchemy does it whenever somebody listens
        expected = [things.read(found) for _ in range(TIMES)]
    assert [things.read(found) for _ in range(TIMES)] == expected


def test_lists_of_any_length_are_looked_for(things: Database) -> None:
    among = sa.select(c.name).where(c.name.in_(sa.bindparam("names", expanding=True)))
    lists = [[], ["a"], ["c", "b"], ["b"], [], ["a", "b", "c"], [f"{n}" for n in range(50)] + ["a"]]
    for names in lists * TIMES:
        found = things.read(lambda tx, wanted: set(tx.scalars(among, {"names": wanted})), names)
        assert found == set(names) & {"a", "b", "c"}


def test_each_way_to_read_a_result_works(things: Database) -> None:
    def read(tx: Tx) -> None:
        found = tx.execute(FIND, {"of_name": "a"}).one()
        assert (found.name, found.at, found[4]) == ("a", NOW, {"x": [1]})
        assert found._mapping["shared"] == ["s"]
        assert tx.execute(FIND, {"of_name": "none"}).one_or_none() is None
        assert tx.execute(FIND, {"of_name": "none"}).first() is None
        assert tx.scalar(FIND, {"of_name": "b"}) == 2
        assert tx.scalars(FIND, {"of_name": "b"}).all() == [2]
        assert [row.number for row in tx.execute(FIND, {"of_name": "b"})] == [2]

    for _ in range(TIMES):
        things.read(read)


def test_rows_are_written_and_counted(things: Database) -> None:
    change = sa.update(thing).where(c.name == sa.bindparam("of_name")).values(told=None)
    forget = sa.delete(thing).where(c.name == sa.bindparam("of_name"))

    def write(tx: Tx) -> None:
        made = tx.execute(INSERT, {"name": "new", "at": None, "told": {"y": 1}})
        assert list(made.inserted_primary_key or ()) == [4]
        assert tx.execute(change, {"of_name": "new", "is_on": True}).rowcount == 1
        assert tx.execute(change, {"of_name": "none", "is_on": True}).rowcount == 0
        row = tx.execute(FIND, {"of_name": "new"}).one()
        assert (row.at, row.told, row.is_on) == (None, None, True)
        last = tx.execute(forget, {"of_name": "new"})
        assert last.rowcount == 1
        kinds.append(type(last))

    kinds: list[type] = []
    for _ in range(TIMES):
        things.write(write)
    assert kinds[-1] is Written


def test_what_the_database_refuses_is_refused_alike(things: Database) -> None:
    for _ in range(TIMES):
        with pytest.raises(sa.exc.IntegrityError, match=r"UNIQUE constraint failed: thing\.name"):
            things.write(lambda tx: tx.execute(INSERT, {"name": "a"}))


def test_a_statement_made_of_another_is_its_own(things: Database) -> None:
    for _ in range(TIMES):
        assert things.read(lambda tx: tx.execute(FIND, {"of_name": "a"}).one().size) == ord("a")
    narrower = FIND.where(c.size > ord("a"))
    for _ in range(TIMES):
        assert things.read(lambda tx: tx.execute(narrower, {"of_name": "a"}).one_or_none()) is None


def test_whoever_listens_hears_of_each(things: Database) -> None:
    for _ in range(TIMES):
        things.read(lambda tx: tx.execute(FIND, {"of_name": "a"}))
    with spending(things) as spent:
        things.read(lambda tx: tx.execute(FIND, {"of_name": "a"}))
    assert len(spent.statements) == 1
