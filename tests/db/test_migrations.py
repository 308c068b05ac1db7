"""The history of the database leads to the tables as they are, on every kind of server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx, metadata, migrations
from cumulo.db.types import UtcDateTime, long_text, text_key
from cumulo.kit.errors import Conflict
from tests.processes import side_by_side
from tests.stores import EVERY_KIND, Servers
from tools.make_migration import import_tables, write_step

import_tables()


@pytest.fixture(params=EVERY_KIND)
def new_db(
    request: pytest.FixtureRequest, servers: Servers, empty_db: Database
) -> Iterator[Database]:
    """A database without tables, of each kind in turn."""
    if request.param == "sqlite":
        yield empty_db
        return
    db = Database(servers[request.param])
    servers.tables.pop(request.param, None)
    db.write(drop_all)
    yield db
    db.write(drop_all)
    db.close()


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """An empty history."""
    place = tmp_path / "migrations"
    unreleased = shutil.ignore_patterns("0*.py", "__pycache__")
    shutil.copytree(migrations.HERE, place, ignore=unreleased)
    return place


def drop_all(tx: Tx) -> None:
    found = sa.MetaData()
    found.reflect(tx)
    found.drop_all(tx)


def shape(tx: Tx) -> dict[str, Any]:
    """Return all that matters of every table."""
    found = sa.inspect(tx)
    shapes = {}
    for table in found.get_table_names():
        if table == "alembic_version":
            continue
        columns = [
            (each["name"], kind(each["type"]), each["nullable"], each["default"])
            for each in found.get_columns(table)
        ]
        keys = found.get_foreign_keys(table)
        indexes = [
            (each["name"], each["column_names"], bool(each["unique"]))
            for each in found.get_indexes(table)
        ]
        uniques = [sorted(each["column_names"]) for each in found.get_unique_constraints(table)]
        shapes[table] = {
            "columns": columns,
            "primary key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (each["constrained_columns"], each["referred_table"], str(each["options"]))
                for each in keys
            ),
            "indexes": sorted(indexes),
            "unique": sorted(uniques),
        }
    return shapes


def kind(column: Any) -> str:
    # PostgreSQL's text without a length has two names.
    name = repr(column)
    return "TEXT()" if name in ("TEXT()", "VARCHAR()") else name


def stored(db: Database) -> str | None:
    found = db.read(migrations._stored)
    return found and found.revision


@pytest.mark.skipif(migrations.head() is None, reason="not released yet: no history to compare")
def test_the_history_leads_to_the_tables_as_they_are(new_db: Database) -> None:
    wanted = migrations.head()
    assert wanted
    with migrations._alone(new_db) as tx:
        migrations.migrate(tx, wanted)
    by_history = new_db.read(shape)
    new_db.write(drop_all)
    new_db.create_all()
    by_tables = new_db.read(shape)
    assert by_history.keys() == by_tables.keys(), "run: python -m tools.make_migration WORDS"
    assert by_history == by_tables, "run: python -m tools.make_migration WORDS"


@pytest.mark.skipif(migrations.head() is None, reason="not released yet: no history to compare")
def test_nothing_is_missing_from_the_history(tmp_path: Path) -> None:
    copy = tmp_path / "history"
    shutil.copytree(migrations.HERE, copy)
    step = write_step("forgotten", copy)
    missing = step.read_text() if step else ""
    assert not missing, f"run: python -m tools.make_migration WORDS, for {missing}"


def test_a_new_database_has_every_table_and_is_not_touched_again(new_db: Database) -> None:
    migrations.upgrade(new_db)
    before = new_db.read(shape)
    assert before.keys() == metadata.tables.keys()
    migrations.upgrade(new_db)
    assert new_db.read(shape) == before
    assert stored(new_db) == migrations.head()


def test_the_tool_writes_a_step_that_does_what_changed(history: Path, new_db: Database) -> None:
    now = sa.MetaData(naming_convention=metadata.naming_convention)
    sa.Table(
        "thing",
        now,
        sa.Column("id", text_key(36), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False, index=True),
        sa.Column("note", long_text()),
    )
    first = write_step("initial", history, now)
    assert first
    assert first.name == "0001_initial.py"
    assert 'sa.Column("id", types.text_key(36), nullable=False)' in first.read_text()

    now.tables["thing"].append_column(sa.Column("size", sa.Integer))
    sa.Index("ix_thing_size", now.tables["thing"].c.size)
    second = write_step("give things a size", history, now)
    assert second
    assert second.name == "0002_give_things_a_size.py"
    assert write_step("nothing more", history, now) is None
    assert migrations.head(history) == "0002"

    new_db.write(now.create_all)
    wanted = new_db.read(shape)
    new_db.write(drop_all)
    for step in ("0001", "0002"):
        with migrations._alone(new_db) as tx:
            migrations.migrate(tx, step, history)
        assert stored(new_db) == step
    assert new_db.read(shape) == wanted


def test_a_database_of_a_later_version_is_refused(empty_db: Database) -> None:
    empty_db.create_all()
    empty_db.write(migrations._version.create)
    empty_db.write(lambda tx: tx.execute(migrations._version.insert().values(version_num="0009")))
    with pytest.raises(Conflict, match="0009"), migrations._alone(empty_db) as tx:
        migrations._advance(tx, "0002")


@pytest.mark.parametrize(
    "done_before",
    [
        "update alembic_version set fingerprint = 'x'",
        "alter table alembic_version drop fingerprint",
    ],
)
def test_a_database_with_other_tables_of_the_same_revision_is_refused(
    new_db: Database, done_before: str
) -> None:
    migrations.check(new_db)
    migrations.upgrade(new_db)
    migrations.check(new_db)
    new_db.write(lambda tx: tx.execute(sa.text(done_before)))
    for refuse in (migrations.check, migrations.upgrade):
        with pytest.raises(Conflict, match="tables of another edition"):
            refuse(new_db)


def test_a_history_with_a_gap_is_refused(history: Path) -> None:
    for name in ("0001_one.py", "0003_three.py"):
        (history / "versions" / name).touch()
    with pytest.raises(AssertionError, match="gaps or branches"):
        migrations.head(history)


def upgrade_in_a_process(url: str) -> None:
    migrations.upgrade(Database(url))


def test_processes_that_start_together_make_the_tables_once(empty_db: Database) -> None:
    assert side_by_side(3, upgrade_in_a_process, str(empty_db.engine.url)) == [0, 0, 0]
    assert empty_db.read(shape).keys() == metadata.tables.keys()


def test_the_program_knows_every_table_when_it_starts() -> None:
    pytest.importorskip("cumulo.app")
    told = "import cumulo.app; from cumulo.db import metadata; print(*sorted(metadata.tables))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", told], env=env, capture_output=True, check=True)
    assert done.stdout.decode().split() == sorted(metadata.tables)


def test_no_number_is_kept_with_less_than_double_precision() -> None:
    columns = [column for table in metadata.tables.values() for column in table.columns]
    # In MariaDB's four bytes, times of this century are two minutes apart.
    single = [str(one) for one in columns if type(one.type) is sa.Float]
    assert single == []
