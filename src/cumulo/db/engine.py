"""Transactions that may be run again.

A unit of work is a function whose first parameter is the transaction.  It is handed to
`Database.read` or `Database.write` rather than opening a transaction itself, so that it
composes with others and can be repeated when the database asks for it.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

import sqlalchemy as sa

Tx: TypeAlias = sa.Connection
P = ParamSpec("P")
R = TypeVar("R")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_ATTEMPTS = 8


class LostRace(Exception):
    """Somebody else changed what this transaction had read; raise it to be run again."""


# MariaDB deadlock and lock wait, PostgreSQL serialisation failure and deadlock.
_PRAGMAS = ("busy_timeout=30000", "journal_mode=wal", "foreign_keys=on", "synchronous=normal")
_RETRYABLE = {"1213", "1205", "40001", "40P01"}


class Database:
    """The only owner of the engine."""

    def __init__(self, url: str, *, connections: int = 48) -> None:
        self._engine = sa.create_engine(url, pool_size=connections, max_overflow=connections)
        self._writing: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self._engine.dialect.name == "sqlite":
            _make_sqlite_safe(self._engine)
            # SQLite has one writer and makes the others poll; in one process a lock is fairer.
            self._writing = threading.Lock()

    @property
    def engine(self) -> sa.Engine:
        """Give migrations the engine; everything else uses `read` and `write`."""
        return self._engine

    def create_all(self) -> None:
        """Create every table; for tests, which do not want to wait for migrations."""
        metadata.create_all(self._engine)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def read(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kw: P.kwargs) -> R:
        """Run `work` in a transaction that is always rolled back."""
        with self._engine.connect() as tx:
            return work(tx, *args, **kw)

    def write(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kw: P.kwargs) -> R:
        """Run `work` in a transaction, again from the start if it lost a race."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                options = {"sqlite_begin": "IMMEDIATE"}
                with (
                    self._writing,
                    self._engine.connect().execution_options(**options) as tx,
                    tx.begin(),
                ):
                    return work(tx, *args, **kw)
            except (LostRace, sa.exc.DBAPIError) as error:
                if attempt == _ATTEMPTS or not _is_lost_race(error):
                    raise
                time.sleep(random.uniform(0.005, 0.01) * 2**attempt)
        raise AssertionError("unreachable")


def _is_lost_race(error: LostRace | sa.exc.DBAPIError) -> bool:
    """Say whether another run may fare better: after a conflict of keys it finds the other row."""
    if isinstance(error, LostRace | sa.exc.IntegrityError):
        return True
    if "database is locked" in str(error.orig):
        return True
    code = getattr(error.orig, "sqlstate", None)
    if code is None and error.orig is not None and error.orig.args:
        code = error.orig.args[0]
    return str(code) in _RETRYABLE


def _make_sqlite_safe(engine: sa.Engine) -> None:
    """Let SQLAlchemy, not the driver, say BEGIN; take the write lock at once, not midway."""

    def on_connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        pragmas = (
            "busy_timeout=30000",
            "journal_mode=wal",
            "foreign_keys=on",
            "synchronous=normal",
        )
        for pragma in pragmas:
            connection.execute(f"pragma {pragma}")  # type: ignore[attr-defined]

    def on_begin(connection: sa.Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "")
        connection.exec_driver_sql(f"begin {kind}")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)
