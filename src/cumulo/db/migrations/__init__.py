"""How a database of an earlier version becomes one of this version: one history, no branches.

A new database is not led through the history but created as the tables now are; a test holds
that both ways end alike.  Alembic is imported only when there is something to change.

A database remembers which history its tables are of, so that one whose steps were others when it
was made is refused: a step that was released is never touched again, its spelling included.
"""

import contextlib
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from cumulo.db.engine import Database, Tx, metadata
from cumulo.kit.errors import Conflict

HERE = Path(__file__).parent
_LOCK = 0x63756D  # any number that no other program takes for its advisory lock


class Edition(NamedTuple):
    """Which tables a database has."""

    revision: str
    fingerprint: str | None


def upgrade(db: Database) -> None:
    """Bring the database to this version's tables; at once when it is there already.

    Every module with tables must be imported before.  Processes that start together wait for
    the first of them.
    """
    wanted = head()
    if wanted is None:
        db.create_all()
    elif db.read(_stored) != Edition(wanted, fingerprint(wanted)):
        with _alone(db) as tx:
            _advance(tx, wanted)


def check(db: Database) -> None:
    """Refuse a database with the tables of a later version or of another history."""
    stored, wanted = db.read(_stored), head()
    if stored is not None and wanted is not None:
        _check(stored, wanted)


def fingerprint(revision: str, history: Path = HERE) -> str:
    """Return what tells this history up to a revision from every other."""
    steps = sorted((history / "versions").glob("[0-9]*.py"))
    texts = [path.read_bytes() for path in steps if path.name[:4] <= revision]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def head(history: Path = HERE) -> str | None:
    """Return this version's revision: the files are numbered, so it is the last."""
    numbers = sorted(path.name[:4] for path in (history / "versions").glob("[0-9]*.py"))
    expected = [f"{number:04}" for number in itertools.islice(itertools.count(1), len(numbers))]
    assert numbers == expected, f"the history has gaps or branches: {numbers}"
    return numbers[-1] if numbers else None


def migrate(tx: Tx, to: str, history: Path = HERE) -> None:
    """Run the steps of the history that are missing."""
    from alembic import command

    command.upgrade(alembic_config(tx, history), to)


def alembic_config(tx: Tx, history: Path = HERE, tables: sa.MetaData = metadata) -> Any:
    """Return what Alembic's commands ask for, on our connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(history))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=tx, tables=tables)
    return config


def _advance(tx: Tx, wanted: str) -> None:
    stored, mark = _stored(tx), fingerprint(wanted)
    if stored is None:
        metadata.create_all(tx)
        _version.create(tx)
        tx.execute(_version.insert().values(version_num=wanted, fingerprint=mark))
        return
    _check(stored, wanted)
    if stored.revision != wanted:
        migrate(tx, wanted)
        tx.execute(_version.update().values(fingerprint=mark))


def _check(stored: Edition, wanted: str) -> None:
    if stored.revision > wanted:
        raise Conflict(
            f"The database was used by a later version of Cumulo (revision {stored.revision}, "
            f"this one knows {wanted}). Start that version, or restore a copy from before."
        )
    if stored.fingerprint != fingerprint(stored.revision):
        raise Conflict(
            "The database has the tables of another edition of Cumulo, from before a release, "
            "which this one cannot use."
        )


_version = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32)),
    sa.Column("fingerprint", sa.String(64)),
)


def _stored(tx: Tx) -> Edition | None:
    found = sa.inspect(tx)
    if not found.has_table("alembic_version"):
        return None
    names = {column["name"] for column in found.get_columns("alembic_version")}
    columns = [column if column.name in names else sa.null() for column in _version.c]
    row = tx.execute(sa.select(*columns)).one_or_none()
    return None if row is None else Edition(*row)


@contextlib.contextmanager
def _alone(db: Database) -> Iterator[Tx]:
    """Yield a transaction that no other process has at the same time."""
    engine = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        # Without foreign keys: rebuilding a table drops it, which would take its children along.
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", lambda tx: tx.exec_driver_sql("begin immediate"))
    try:
        with engine.begin() as tx:
            if engine.dialect.name == "postgresql":
                tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            elif engine.dialect.name in ("mysql", "mariadb"):
                tx.execute(sa.select(sa.func.get_lock(f"cumulo-{_LOCK}", 600)))
            yield tx
    finally:
        engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("pragma busy_timeout=600000")
