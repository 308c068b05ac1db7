"""Transactions that may be run again.

A unit of work is a function whose first parameter is the transaction.  It is handed to
`Database.read` or `Database.write` rather than opening a transaction itself, so that it
composes with others and can be repeated when the database asks for it.
"""

import contextlib
import functools
import itertools
import logging
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import msgspec
import sqlalchemy as sa

from cumulo.db.failures import LostRace as LostRace
from cumulo.db.failures import attempts_for, is_gone, is_unfit, is_unwritable
from cumulo.db.peeks import Peeks
from cumulo.db.prepared import Known, PreparingConnection, send
from cumulo.kit.errors import Invalid, Unavailable

Tx: TypeAlias = sa.Connection
P = ParamSpec("P")
R = TypeVar("R")

LOG = logging.getLogger(__name__)
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_WAL_ATTEMPTS = 1000
_PRAGMAS = ("busy_timeout=30000", "foreign_keys=on", "synchronous=normal")


class _AfterCommit:
    """What to do once a transaction is known to be kept; each thing once."""

    def __init__(self, ring: Callable[[str], None]) -> None:
        self._ring = ring
        self.topics: dict[str, None] = {}
        self.callbacks: list[Callable[[], None]] = []

    def run(self) -> None:
        for topic in self.topics:
            self._guarded(functools.partial(self._ring, topic))
        for callback in self.callbacks:
            self._guarded(callback)

    @staticmethod
    def _guarded(callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            LOG.exception("what was to follow a commit failed; the commit stands")


def after_commit(tx: Tx, callback: Callable[[], None]) -> None:
    """Call `callback` when the transaction is committed; never when it is rolled back."""
    _after(tx).callbacks.append(callback)


def ring_after_commit(tx: Tx, topic: str) -> None:
    """Ring the database's bell for `topic` once the transaction is committed."""
    _after(tx).topics[topic] = None


def _after(tx: Tx) -> _AfterCommit:
    after = tx.get_execution_options().get("after_commit")
    if not isinstance(after, _AfterCommit):
        raise TypeError("only Database.write has a commit to follow")
    return after


class Database:
    """The only owner of the engine."""

    def __init__(self, url: str, *, connections: int = 48) -> None:
        """Open `url`; set `ring` to hear, topic by topic, what `ring_after_commit` asks for."""
        parts = sa.make_url(url)
        lite = parts.get_backend_name() == "sqlite"
        # The same rules on both servers: each statement sees what was committed before it.
        safe = {} if lite else {"isolation_level": "READ COMMITTED", "pool_pre_ping": True}
        self._engine = sa.create_engine(
            parts,
            pool_size=connections,
            max_overflow=connections,
            json_serializer=_to_json,
            json_deserializer=msgspec.json.decode,
            **safe,
        )
        self._connect = self._engine.connect
        self._begin: Callable[[Tx, str], object] = _begin_nothing
        self._writing: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        self._local = threading.local()
        self._peeks = Peeks(self._engine)
        self.ring: Callable[[str], None] = _silent
        if lite:
            _make_sqlite_safe(self._engine)
            known: Known = weakref.WeakKeyDictionary()
            self._connect = lambda: PreparingConnection(self._engine, known)
            # Not by a listener: with one, each statement would look for others first.
            self._begin = send
            # SQLite has one writer and makes the others poll; in one process a lock is fairer.
            self._writing = threading.Lock()

    @property
    def engine(self) -> sa.Engine:
        """Give migrations the engine; everything else uses `read` and `write`."""
        return self._engine

    def create_all(self) -> None:
        """Create every table; for tests, which do not want to wait for migrations."""
        self.write(metadata.create_all)

    def close(self) -> None:
        """Let go of every connection."""
        self._peeks.close()
        self._engine.dispose()

    def read(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kw: P.kwargs) -> R:
        """Run `work` in a transaction that is always rolled back, again if it was cut off."""

        def attempt() -> R:
            with self._connect() as tx:
                self._begin(tx, "begin")
                return work(tx, *args, **kw)

        self._refuse_nesting()
        return self._repeated(attempt)

    def write(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kw: P.kwargs) -> R:
        """Run `work` in a transaction, again from the start if it lost a race or was cut off."""

        def attempt() -> R:
            after = _AfterCommit(self.ring)
            with (
                self._writing,
                self._marked(),
                self._connect().execution_options(after_commit=after) as tx,
                tx.begin() as transaction,
            ):
                self._begin(tx, "begin immediate")
                result = work(tx, *args, **kw)
                _commit(transaction)
            after.run()
            return result

        self._refuse_nesting()
        return self._repeated(attempt)

    def peek(self, sql: str) -> Any:
        """Return one value as it is now, at a tenth of the cost of `read`; None without one.

        For a number that every request looks at; `sql` takes no parameters.
        """
        try:
            return self._peeks.value(sql)
        except Exception:  # noqa: BLE001 - whatever it is, the usual way knows what to do
            return self.read(lambda tx: tx.scalar(sa.text(sql)))

    def _repeated(self, attempt: Callable[[], R]) -> R:
        for number in itertools.count(1):
            try:
                return attempt()
            except (sa.exc.DBAPIError, LostRace, OverflowError, UnicodeEncodeError) as error:
                if is_unfit(error):
                    raise Invalid(
                        "A value is too long, too large, or has characters that cannot be stored."
                    ) from error
                if is_unwritable(error):
                    told = getattr(error, "orig", error)
                    raise Unavailable(f"The database cannot keep changes now: {told}.") from error
                again = attempts_for(error)
                if not again:
                    raise
                if number >= again:
                    if isinstance(error, sa.exc.IntegrityError):
                        raise  # the other row is always there: a bug, not a race
                    raise Unavailable("The database does not answer, try again.") from error
            time.sleep(random.uniform(0.005, 0.01) * min(2**number, 16))
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def _marked(self) -> Iterator[None]:
        self._local.writing = True
        try:
            yield
        finally:
            self._local.writing = False

    def _refuse_nesting(self) -> None:
        if getattr(self._local, "writing", False):
            raise RuntimeError(
                "A function of a transaction never opens another: pass it `tx`, or do the rest "
                "after `write` has returned."
            )


class _CommitUnknown(Unavailable):
    """The connection broke while committing: the change may or may not be kept."""


def _commit(transaction: sa.RootTransaction) -> None:
    """Commit; a connection lost just now leaves the outcome open, so it must not be repeated."""
    try:
        transaction.commit()
    except sa.exc.DBAPIError as error:
        if is_gone(error):
            raise _CommitUnknown("The database did not say whether it kept a change.") from error
        raise


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _silent(_topic: str) -> None:
    """Ring nothing: nobody listens yet."""


def _begin_nothing(_tx: Tx, _words: str) -> None:
    """Leave it to a driver that begins by itself."""


def _make_sqlite_safe(engine: sa.Engine) -> None:
    """Let us, not the driver, say BEGIN, so that the write lock is taken at once, not midway."""

    def on_connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        for pragma in _PRAGMAS:
            connection.execute(f"pragma {pragma}")  # type: ignore[attr-defined]
        _use_wal(connection)

    sa.event.listen(engine, "connect", on_connect)


def _use_wal(connection: Any) -> None:
    """Let readers and a writer work at once; a new file is changed to it by whoever comes first.

    SQLite does not wait for its lock here, whatever the timeout, so the others must.
    """
    for _ in range(_WAL_ATTEMPTS):
        try:
            if connection.execute("pragma journal_mode=wal").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        time.sleep(random.uniform(0.001, 0.01))
    raise Unavailable("The database file is locked by another program.")
