"""Open SQLite files: a bounded number, each used by one thread at a time.

Other processes may have the same files open, and may remove one and make another in its place.
"""

import contextlib
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from cumulo.kit import patience
from cumulo.kit.ids import new_hex_id
from cumulo.services.objectstore.drivers.base import DeviceFailed, Row

_SCHEMA = """
CREATE TABLE fact (
    name TEXT NOT NULL, id TEXT NOT NULL, put_at TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL DEFAULT '', deleted_at TEXT NOT NULL DEFAULT '',
    items INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 0,
    cuts INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE header (
    name TEXT PRIMARY KEY, value TEXT NOT NULL, stamp TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE item (
    name TEXT PRIMARY KEY, stamp TEXT NOT NULL, modified TEXT NOT NULL, size INTEGER NOT NULL,
    count INTEGER NOT NULL, content_type TEXT NOT NULL, etag TEXT NOT NULL, expires INTEGER,
    facts TEXT NOT NULL, revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX item_revision ON item (revision);
CREATE INDEX item_expires ON item (expires) WHERE expires IS NOT NULL;
CREATE TABLE gone (
    name TEXT PRIMARY KEY, stamp TEXT NOT NULL, revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX gone_revision ON gone (revision);
CREATE TABLE shard (
    shard TEXT PRIMARY KEY, lower TEXT NOT NULL, upper TEXT NOT NULL, state TEXT NOT NULL,
    stamp TEXT NOT NULL, moved TEXT NOT NULL DEFAULT '', is_moved INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE peer (id TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO fact (name, id) VALUES ('', lower(hex(randomblob(16))));
"""


_Identity: TypeAlias = tuple[int, int]  # of a file, whatever its name: numbers of device and inode


class Database(sqlite3.Connection):
    """An open file."""

    identity: _Identity | None = None


class _Open:
    def __init__(self, path: str) -> None:
        self.lock, self.is_closed = threading.RLock(), False
        identity = _identity(path)
        self.db = sqlite3.connect(
            f"file:{quote(path)}?mode=rw",  # what is not there is not to be made, without tables
            isolation_level=None,
            check_same_thread=False,
            timeout=30,
            uri=True,
            factory=Database,
        )
        self.db.identity = identity
        self.db.execute("PRAGMA journal_mode = WAL")
        if _identity(path) != identity:
            self.db.close()
            raise DeviceFailed(f"{path} was removed this moment")
        # A crash of the machine may cost the last rows of a listing, never the file; the
        # objects themselves are on disk, and the updater puts their rows back.
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("PRAGMA cache_size = -512")


@dataclass(slots=True, eq=False)
class Turn:
    """A row that waits to be written to a file by whoever has it next."""

    row: Row
    told: str | None = None  # what came of it, once it is written


class Connections:
    """The files that were used last, and what waits to be written to them.

    Threads that wait for a file would write one row each, one after another.  Instead the first
    writes what all have left here meanwhile: one transaction costs little more than one row's.
    """

    def __init__(self, most: int = 64) -> None:
        self._turns: dict[str, list[Turn]] = {}
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock, self._most = threading.Lock(), most

    @contextlib.contextmanager
    def use(self, path: str, *, make: bool = False) -> Iterator[Database | None]:
        """Hold a database; None when there is none and none is to be made."""
        found = self._take(path, make=make)
        while found is not None:
            patience.acquire(found.lock)
            try:
                if not found.is_closed:
                    yield found.db
                    return
            except sqlite3.DatabaseError as error:
                self.drop(path)
                raise DeviceFailed(f"{path}: {error}") from error
            finally:
                found.lock.release()
            found = self._take(path, make=make)
        yield None

    @contextlib.contextmanager
    def transaction(self, path: str, db: Database) -> Iterator[None]:
        """Write all that is done meanwhile to a database that is held, or nothing.

        Raises `DeviceFailed` when it was removed by then: what is written would be lost.
        """
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.identity != _identity(path):
                raise DeviceFailed(f"{path} was removed this moment")
            yield
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def remove(self, path: str) -> None:
        """Remove a database and its file, while nobody anywhere writes to it."""
        with self.use(path) as db:
            if db is None:
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                for name in (path, f"{path}-wal", f"{path}-shm"):
                    with contextlib.suppress(OSError):
                        os.unlink(name)
            finally:
                db.execute("ROLLBACK")
        self.drop(path)

    def wait(self, path: str, turn: Turn) -> None:
        """Leave a row to be written; who leaves it must yet see that it is."""
        self._turns.setdefault(path, []).append(turn)

    def waiting(self, path: str, turn: Turn) -> list[Turn]:
        """Take what waits for a file that is held, with one's own row, which may be gone by then.

        Both are single operations of a dictionary and a list, so that no lock is needed: what
        comes too late for its list is written by who left it.
        """
        turns = list(self._turns.pop(path, ()))
        return turns if turn in turns else [*turns, turn]

    def drop(self, path: str) -> None:
        """Close a database."""
        with self._lock:
            found = self._open.pop(path, None)
        if found:
            _close(found)

    def close(self) -> None:
        """Close all."""
        for path in list(self._open):
            self.drop(path)

    def _take(self, path: str, *, make: bool) -> _Open | None:
        identity = _identity(path)  # not under the lock: others want it meanwhile
        old = list[_Open]()
        patience.acquire(self._lock)
        try:
            found = self._open.get(path)
            if found is not None and found.db.identity in (identity, _identity(path)):
                self._open.move_to_end(path)
                return found
            patience.check()
            if found is not None:
                old.append(self._open.pop(path))
                found = None
            if make or _identity(path) is not None:
                found = self._open[path] = _opened(path)
            spare = len(self._open) - self._most
            old += [self._open.popitem(last=False)[1] for _ in range(spare)]
        except (sqlite3.DatabaseError, OSError) as error:
            raise DeviceFailed(f"{path}: {error}") from error
        finally:
            self._lock.release()
            for one in old:
                _close(one)
        return found


def _opened(path: str) -> _Open:
    if not os.path.exists(path):
        # Not all that leads there: of a device that vanished nothing is to come back.
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path))
        made = f"{path}.{new_hex_id()}.new"
        try:
            with contextlib.closing(sqlite3.connect(made)) as db:
                db.execute("PRAGMA journal_mode = WAL")  # which two could not both make it
                db.executescript(_SCHEMA)
            with contextlib.suppress(FileExistsError):  # somebody else made it this moment
                os.link(made, path)
        finally:
            os.unlink(made)
    return _Open(path)


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _close(one: _Open) -> None:
    with one.lock:
        one.is_closed = True
        one.db.close()
