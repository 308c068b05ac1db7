"""Indexes in SQLite: the names in a container or account, with their sums kept as they change.

A name's row is newer or older than another by its stamp, on every replica alike; so rows can be
merged in any order and as often as one likes.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from cumulo.services.objectstore.drivers import ranges
from cumulo.services.objectstore.drivers.base import (
    Asked,
    Batch,
    Changes,
    DeviceFailed,
    Head,
    Page,
    Range,
    Row,
    Told,
)
from cumulo.services.objectstore.drivers.connections import Connections, Turn
from cumulo.services.objectstore.drivers.listing import listed

_COLUMNS = ranges.COLUMNS
_ITEM = ", ".join(f"i.{name}" for name in _COLUMNS.split(", "))
_PUT = f"INSERT OR REPLACE INTO item ({_COLUMNS}, revision) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_EXISTS = "SELECT put_at, created_at, items, count, size, cuts FROM fact WHERE put_at > deleted_at"
_HEAD = (
    "SELECT h.name, h.value, f.put_at, f.created_at, f.items, f.count, f.size, f.cuts "
    "FROM fact f LEFT JOIN header h ON h.value <> '' WHERE f.put_at > f.deleted_at"
)
_CUTS = "SELECT cuts FROM fact"
_GET = f"SELECT f.cuts, {_ITEM} FROM fact f LEFT JOIN item i ON i.name = ?"  # noqa: S608
_OF_NAME = (
    "SELECT f.cuts, i.stamp, i.size, i.count, g.stamp FROM fact f "
    "LEFT JOIN item i ON i.name = ?1 LEFT JOIN gone g ON g.name = ?1"
)
_KNOWN = (
    "SELECT i.stamp, i.size, i.count, g.stamp FROM (SELECT ?1 AS name) n "
    "LEFT JOIN item i ON i.name = n.name LEFT JOIN gone g ON g.name = n.name"
)
_NEXT = (
    "UPDATE fact SET revision = revision + 1, items = items + ?, count = count + ?, "
    "size = size + ? RETURNING revision"
)
_GIVEN = "SELECT shard FROM shard WHERE state IN ('active', 'shrinking') ORDER BY lower"


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

    def is_live(self) -> bool:
        """Say whether it exists."""
        with self._connections.use(self.path) as db:
            query = "SELECT 1 FROM fact WHERE put_at > deleted_at"
            return db is not None and db.execute(query).fetchone() is not None

    def head(self) -> Head | None:
        """Return what it sums up to."""
        with self._connections.use(self.path) as db:
            if db is None:
                self._check_device()
            rows = db.execute(_HEAD).fetchall() if db else []
        if not rows:
            return None
        found, headers = rows[0][2:], {name: value for name, value, *_ in rows if name}
        shards = list[str]()
        if found[5]:
            found, shards = self._sums_of_cut(found)
        put_at, created_at, items, count, size, cuts = found
        return Head(
            put_at=put_at,
            created_at=created_at,
            items=items,
            count=count,
            size=size,
            headers=headers,
            is_cut=bool(cuts),
            shards=shards,
        )

    def _sums_of_cut(self, before: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[str]]:
        """Return sums, and the shards that are not in them, of one moment."""
        with self._reading() as db:
            found = db.execute(_EXISTS).fetchone() if db else None
            shards = [one[0] for one in db.execute(_GIVEN)] if db else []
        return found or before, shards

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
            if db.execute(_CUTS).fetchone()[0] and not ranges.end(db, stamp):
                return False
            empty = "UPDATE fact SET deleted_at = ? WHERE items = 0 AND put_at < ?"
            return bool(db.execute(empty, (stamp, stamp)).rowcount)

    def put(self, row: Row) -> str:
        """Set a name, in one transaction with whatever else waits to be set here."""
        turn = Turn(row)
        self._connections.wait(self.path, turn)
        self._check_device()
        with self._connections.use(self.path, make=True) as db:
            assert db is not None, "it was to be made"
            # Whoever had the database before may have written this one along with its own.
            if turn.told is None:
                turns = self._connections.waiting(self.path, turn)
                with self._connections.transaction(self.path, db):
                    told = [_put_alone(db, one.row) for one in turns]
                for one, shard in zip(turns, told, strict=True):
                    one.told = shard
        return turn.told or ""

    def remove(self, name: str, stamp: str) -> str:
        """Remove a name."""
        with self._writing() as db:
            revision, cuts = _next(db)
            home = ranges.home(db, name) if cuts else ranges.NOWHERE
            if home.is_kept:
                _remove(db, (name, stamp), revision, is_counted=home.is_counted)
        return home.told

    def get(self, name: str) -> Told:
        """Return one name."""
        with self._connections.use(self.path) as db:
            if db is None:
                return Told()
            cuts, *found = db.execute(_GET, (name,)).fetchone()
        if cuts:
            return self._get_of_cut(name)
        return Told(Row(*found) if found[0] is not None else None)

    def _get_of_cut(self, name: str) -> Told:
        """Return one name, or its shard, as of one moment."""
        with self._reading() as db:
            if db is None:
                return Told()
            _, *found = db.execute(_GET, (name,)).fetchone()
            home = ranges.home(db, name)
        if not home.is_counted:
            return Told(None, home.shard)
        return Told(Row(*found) if found[0] is not None else None)

    def page(self, asked: Asked) -> Page:
        """Return names in order."""
        with self._reading() as db:
            return listed(db, asked) if db else Page([])

    def ranges(self) -> list[Range]:
        """Return the ranges that are not over."""
        with self._connections.use(self.path) as db:
            return ranges.live(db) if db else []

    def set_ranges(self, given: list[Range]) -> bool:
        """Set ranges."""
        with self._writing() as db:
            known = ranges.live(db)
            new = [one for one in given if one.state == ranges.FOUND]
            if any(ranges.overlaps(known, one) for one in new):
                return False
            ranges.put(db, given)
        return True

    def splits(self, size: int, least: int, lower: str, upper: str) -> list[tuple[str, str]]:
        """Return bounds for new ranges."""
        with self._connections.use(self.path) as db:
            return ranges.splits(db, (size, least), lower, upper) if db else []

    def batch(self, shard: str, limit: int) -> Batch | None:
        """Return names that go to a shard."""
        with self._reading() as db:
            return ranges.batch(db, shard, limit) if db else None

    def moved(self, shard: str, upto: str, is_last: bool, token: int) -> None:
        """Remember what went to a shard."""
        with self._writing() as db:
            ranges.moved(db, shard, upto, is_last, token)

    def trim(self, shard: str, limit: int) -> int:
        """Forget what went to a shard."""
        with self._writing() as db:
            return ranges.trim(db, shard, limit)

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
            fact = "SELECT put_at, created_at, deleted_at, revision, name, cuts FROM fact"
            put_at, created_at, deleted_at, revision, name, cuts = db.execute(fact).fetchone()
            own = ranges.OWN if cuts else ""
            rows = f"SELECT {_COLUMNS} FROM item WHERE revision > ?{own}"  # noqa: S608
            gone = f"SELECT name, stamp FROM gone WHERE revision > ?{own}"  # noqa: S608
            return Changes(
                put_at,
                created_at,
                deleted_at,
                db.execute("SELECT name, value, stamp FROM header").fetchall(),
                [Row(*one) for one in db.execute(rows, (since,))],
                db.execute(gone, (since,)).fetchall(),
                revision,
                name,
                ranges.every(db),
            )

    def merge(self, changes: Changes) -> None:
        """Take over what is newer."""
        with self._writing() as db:
            newer = (
                "UPDATE fact SET name = coalesce(nullif(?, ''), name), put_at = max(put_at, ?), "
                "created_at = max(created_at, ?), deleted_at = max(deleted_at, ?)"
            )
            values = (changes.name, changes.put_at, changes.created_at, changes.deleted_at)
            db.execute(newer, values)
            for name, value, stamp in changes.headers:
                _set_headers(db, stamp, {name: value})
            ranges.put(db, changes.ranges)
            touched, (revision, cuts) = set[str](), _next(db)
            for row in changes.rows:
                home = ranges.home(db, row.name) if cuts else ranges.NOWHERE
                if _put(db, row, revision, is_counted=home.is_counted):
                    touched.add(home.told)
            for name, stamp in changes.gone:
                home = ranges.home(db, name) if cuts else ranges.NOWHERE
                if _remove(db, (name, stamp), revision, is_counted=home.is_counted):
                    touched.add(home.told)
            ranges.came_in(db, touched - {""})
            # Deleted where it was empty, written to elsewhere: what holds something is there.
            db.execute("UPDATE fact SET put_at = max(put_at, deleted_at || '0') WHERE items > 0")

    def forget(self, before: str) -> bool:
        """Drop old traces."""
        with self._writing() as db:
            db.execute("DELETE FROM gone WHERE stamp < ?", (before,))
            db.execute("DELETE FROM header WHERE value = '' AND stamp < ?", (before,))
            db.execute("DELETE FROM shard WHERE state = 'shrunk' AND stamp < ?", (before,))
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
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Hold a database as it is at one moment; None when there is none."""
        with self._connections.use(self.path) as db:
            if db is None:
                yield None
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._check_device()
        with self._connections.use(self.path, make=True) as db:
            assert db is not None, "it was to be made"
            with self._connections.transaction(self.path, db):
                yield db


def _set_headers(db: sqlite3.Connection, stamp: str, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        change = (
            "INSERT INTO header VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET value = excluded.value, stamp = excluded.stamp WHERE excluded.stamp > stamp"
        )
        db.execute(change, (name, value, stamp))


def _next(db: sqlite3.Connection) -> tuple[int, int]:
    """Begin a revision; return it, and how many ranges there are."""
    db.execute("UPDATE fact SET revision = revision + 1")
    found: tuple[int, int] = db.execute("SELECT revision, cuts FROM fact").fetchone()
    return found


def _put_alone(db: sqlite3.Connection, row: Row) -> str:
    """Set a name, in a revision of its own; return the shard to be told too."""
    cuts, *known = db.execute(_OF_NAME, (row.name,)).fetchone()
    home = ranges.home(db, row.name) if cuts else ranges.NOWHERE
    if home.is_kept:
        _put_over(db, row, known, None, is_counted=home.is_counted)
    return home.told


def _put(db: sqlite3.Connection, row: Row, revision: int | None, *, is_counted: bool) -> bool:
    """Set a name, in a revision of its own unless it is one of many; say whether it was newer."""
    known = db.execute(_KNOWN, (row.name,)).fetchone()
    return _put_over(db, row, known, revision, is_counted=is_counted)


def _put_over(
    db: sqlite3.Connection,
    row: Row,
    known: Sequence[Any],
    revision: int | None,
    *,
    is_counted: bool,
) -> bool:
    """Set a name of which it was seen what there is."""
    stamp, size, count, gone = known
    if max(stamp or "", gone or "") >= row.stamp:
        return False
    if gone is not None:
        db.execute("DELETE FROM gone WHERE name = ?", (row.name,))
    counted = (0, 0, 0)
    if is_counted:
        counted = (stamp is None, row.count - (count or 0), row.size - (size or 0))
    if revision is None:
        revision = db.execute(_NEXT, counted).fetchone()[0]
    elif is_counted:
        ranges.add(db, *counted)
    values = (row.name, row.stamp, row.modified, row.size, row.count, row.content_type)
    db.execute(_PUT, (*values, row.etag, row.expires, row.facts, revision))
    return True


def _remove(
    db: sqlite3.Connection, what: tuple[str, str], revision: int, *, is_counted: bool
) -> bool:
    name, stamp = what
    known = db.execute("SELECT stamp, size, count FROM item WHERE name = ?", (name,)).fetchone()
    if known is not None and known[0] >= stamp:
        return False
    mark = (
        "INSERT INTO gone VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET stamp = excluded.stamp, revision = excluded.revision WHERE excluded.stamp > stamp"
    )
    db.execute(mark, (name, stamp, revision))
    if known is not None:
        db.execute("DELETE FROM item WHERE name = ?", (name,))
        if is_counted:
            ranges.add(db, -1, -known[2], -known[1])
    return True
