"""Open SQLite files: a bounded number, each used by one thread at a time."""

import contextlib
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from cumulo.kit import patience
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


class _Open:
    def __init__(self, path: str) -> None:
        self.lock, self.is_closed = threading.RLock(), False
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self.db.execute("PRAGMA journal_mode = WAL")
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
    def use(self, path: str, *, make: bool = False) -> Iterator[sqlite3.Connection | None]:
        """Hold a database; None when there is none and none is to be made."""
        found = self._take(path, make=make)
        while found is not None:
            with patience.held(found.lock):
                if not found.is_closed:
                    try:
                        yield found.db
                    except sqlite3.DatabaseError as error:
                        self.drop(path)
                        raise DeviceFailed(f"{path}: {error}") from error
                    return
            found = self._take(path, make=make)
        yield None

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
        is_there = os.path.exists(path)  # not under the lock: others want it meanwhile
        with patience.held(self._lock):
            found = self._open.get(path)
            if found is not None and (is_there or os.path.exists(path)):
                self._open.move_to_end(path)
                return found
            patience.check()
            if not make and not os.path.exists(path):
                return None
            try:
                self._open[path] = opened = _opened(path)
            except (sqlite3.DatabaseError, OSError) as error:
                raise DeviceFailed(f"{path}: {error}") from error
            old = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - self._most)]
        for one in old:
            _close(one)
        return opened


def _opened(path: str) -> _Open:
    if not os.path.exists(path):
        # Not all that leads there: of a device that vanished nothing is to come back.
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path))
        made = f"{path}.{os.getpid()}.new"
        with contextlib.closing(sqlite3.connect(made)) as db:
            db.executescript(_SCHEMA)
        os.rename(made, path)
    return _Open(path)


def _close(one: _Open) -> None:
    with one.lock:
        one.is_closed = True
        one.db.close()
