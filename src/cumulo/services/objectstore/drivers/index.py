"""Indexes in SQLite: the names in a container or account, with their sums kept as they change.

A name's row is newer or older than another by its stamp, on every replica alike; so rows can be
merged in any order and as often as one likes.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from cumulo.services.objectstore.drivers.base import Asked, Changes, DeviceFailed, Head, Row
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.listing import listed

_COLUMNS = "name, stamp, modified, size, count, content_type, etag, expires, facts"
_PUT = f"INSERT OR REPLACE INTO item ({_COLUMNS}, revision) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_EXISTS = "SELECT put_at, created_at, items, count, size FROM fact WHERE put_at > deleted_at"


class SqliteIndex:
    """One index; its file is made when it is first written to."""

    def __init__(self, connections: Connections, path: str, root: str) -> None:
        self._connections, self.path, self._root = connections, path, root

    def create(self, stamp: str, name: str, headers: dict[str, str]) -> bool:
        """Make it, or set headers."""
        with self._writing() as db:
            known = db.execute(_EXISTS).fetchone()
            change = "UPDATE fact SET name = ?, put_at = max(put_at, ?)"
            db.execute(change, (name, stamp))
            if known is None:
                db.execute("UPDATE fact SET created_at = ?", (stamp,))
                db.execute("DELETE FROM header WHERE stamp < ?", (stamp,))
            _set_headers(db, stamp, headers)
        return known is None

    def is_there(self) -> bool:
        """Say whether there is a file."""
        return os.path.exists(self.path)

    def head(self) -> Head | None:
        """Return what it sums up to."""
        with self._connections.use(self.path) as db:
            if db is None:
                self._check_device()
            found = db.execute(_EXISTS).fetchone() if db else None
            if found is None or db is None:
                return None
            rows = db.execute("SELECT name, value FROM header WHERE value <> ''").fetchall()
        put_at, created_at, items, count, size = found
        return Head(
            put_at=put_at,
            created_at=created_at,
            items=items,
            count=count,
            size=size,
            headers=dict(rows),
        )

    def sums(self) -> list[tuple[str, int, int, int]]:
        """Return what names sum up to by content type."""
        query = "SELECT content_type, count(*), sum(count), sum(size) FROM item GROUP BY 1"
        with self._connections.use(self.path) as db:
            return db.execute(query).fetchall() if db else []

    def change(self, stamp: str, headers: dict[str, str]) -> None:
        """Set headers."""
        with self._writing() as db:
            _set_headers(db, stamp, headers)

    def delete(self, stamp: str) -> bool:
        """Delete it if it is empty."""
        with self._writing() as db:
            empty = "UPDATE fact SET deleted_at = ? WHERE items = 0 AND put_at < ?"
            return bool(db.execute(empty, (stamp, stamp)).rowcount)

    def put(self, row: Row) -> None:
        """Set a name."""
        with self._writing() as db:
            _put(db, row, _next_revision(db))

    def remove(self, name: str, stamp: str) -> None:
        """Remove a name."""
        with self._writing() as db:
            _remove(db, name, stamp, _next_revision(db))

    def get(self, name: str) -> Row | None:
        """Return one name."""
        with self._connections.use(self.path) as db:
            query = f"SELECT {_COLUMNS} FROM item WHERE name = ?"  # noqa: S608
            found = db.execute(query, (name,)).fetchone() if db else None
        return Row(*found) if found else None

    def page(self, asked: Asked) -> list[Row | str]:
        """Return names in order."""
        with self._connections.use(self.path) as db:
            return listed(db, asked) if db else []

    def expired(self, now_s: int, limit: int) -> list[Row]:
        """Return names whose time is over."""
        with self._connections.use(self.path) as db:
            query = f"SELECT {_COLUMNS} FROM item WHERE expires <= ? LIMIT ?"  # noqa: S608
            found = db.execute(query, (now_s, limit)).fetchall() if db else []
        return [Row(*one) for one in found]

    def changes(self, since: int) -> Changes | None:
        """Return what happened after a revision."""
        with self._connections.use(self.path) as db:
            if db is None:
                return None
            fact = "SELECT put_at, created_at, deleted_at, revision, name FROM fact"
            put_at, created_at, deleted_at, revision, name = db.execute(fact).fetchone()
            rows = f"SELECT {_COLUMNS} FROM item WHERE revision > ?"  # noqa: S608
            gone = "SELECT name, stamp FROM gone WHERE revision > ?"
            return Changes(
                put_at,
                created_at,
                deleted_at,
                db.execute("SELECT name, value, stamp FROM header").fetchall(),
                [Row(*one) for one in db.execute(rows, (since,))],
                db.execute(gone, (since,)).fetchall(),
                revision,
                name,
            )

    def merge(self, changes: Changes) -> None:
        """Take over what is newer."""
        with self._writing() as db:
            newer = (
                "UPDATE fact SET name = ?, put_at = max(put_at, ?), "
                "created_at = max(created_at, ?), deleted_at = max(deleted_at, ?)"
            )
            values = (changes.name, changes.put_at, changes.created_at, changes.deleted_at)
            db.execute(newer, values)
            for name, value, stamp in changes.headers:
                _set_headers(db, stamp, {name: value})
            revision = _next_revision(db)
            for row in changes.rows:
                _put(db, row, revision)
            for name, stamp in changes.gone:
                _remove(db, name, stamp, revision)
            # Deleted where it was empty, written to elsewhere: what holds something is there.
            db.execute("UPDATE fact SET put_at = max(put_at, deleted_at || '0') WHERE items > 0")

    def forget(self, before: str) -> bool:
        """Drop old traces."""
        with self._writing() as db:
            db.execute("DELETE FROM gone WHERE stamp < ?", (before,))
            db.execute("DELETE FROM header WHERE value = '' AND stamp < ?", (before,))
            query = "SELECT 1 FROM fact WHERE deleted_at > put_at AND deleted_at < ?"
            return db.execute(query, (before,)).fetchone() is not None

    def peer_revision(self, peer: str) -> int:
        """Return how far a peer is."""
        with self._connections.use(self.path) as db:
            query = "SELECT revision FROM peer WHERE id = ?"
            found = db.execute(query, (peer,)).fetchone() if db else None
        return found[0] if found else -1

    def told(self, peer: str, revision: int) -> None:
        """Remember how far a peer is."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO peer VALUES (?, ?)", (peer, revision))

    def _check_device(self) -> None:
        if not os.path.isdir(f"{self._root}/incoming"):
            raise DeviceFailed(f"{self._root} is not there")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._check_device()
        with self._connections.use(self.path, make=True) as db:
            assert db is not None, "it was to be made"
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def _set_headers(db: sqlite3.Connection, stamp: str, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        change = (
            "INSERT INTO header VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET value = excluded.value, stamp = excluded.stamp WHERE excluded.stamp > stamp"
        )
        db.execute(change, (name, value, stamp))


def _next_revision(db: sqlite3.Connection) -> int:
    db.execute("UPDATE fact SET revision = revision + 1")
    revision: int = db.execute("SELECT revision FROM fact").fetchone()[0]
    return revision


def _put(db: sqlite3.Connection, row: Row, revision: int) -> None:
    known = db.execute("SELECT stamp, size, count FROM item WHERE name = ?", (row.name,)).fetchone()
    if known is not None and known[0] >= row.stamp:
        return
    gone = db.execute("SELECT stamp FROM gone WHERE name = ?", (row.name,)).fetchone()
    if gone is not None:
        if gone[0] >= row.stamp:
            return
        db.execute("DELETE FROM gone WHERE name = ?", (row.name,))
    values = (row.name, row.stamp, row.modified, row.size, row.count, row.content_type)
    db.execute(_PUT, (*values, row.etag, row.expires, row.facts, revision))
    _, size, count = known or ("", 0, 0)
    _add(db, 0 if known else 1, row.count - count, row.size - size)


def _remove(db: sqlite3.Connection, name: str, stamp: str, revision: int) -> None:
    known = db.execute("SELECT stamp, size, count FROM item WHERE name = ?", (name,)).fetchone()
    if known is not None and known[0] >= stamp:
        return
    mark = (
        "INSERT INTO gone VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET stamp = excluded.stamp, revision = excluded.revision WHERE excluded.stamp > stamp"
    )
    db.execute(mark, (name, stamp, revision))
    if known is not None:
        db.execute("DELETE FROM item WHERE name = ?", (name,))
        _add(db, -1, -known[2], -known[1])


def _add(db: sqlite3.Connection, items: int, count: int, size: int) -> None:
    change = "UPDATE fact SET items = items + ?, count = count + ?, size = size + ?"
    db.execute(change, (items, count, size))
