"""Ranges of an index that shards take over.

The index's sums cover only the names that it shows itself: those in no range, or in one that no
shard is read for yet.
"""

import sqlite3
from typing import Any, NamedTuple

from cumulo.services.objectstore.drivers.base import Batch, Range, Row

COLUMNS = "name, stamp, modified, size, count, content_type, etag, expires, facts"
FOUND, CREATED, ACTIVE, SHRINKING, SHRUNK = "found", "created", "active", "shrinking", "shrunk"
GIVEN = (ACTIVE, SHRINKING)  # read, and counted, in the shard
_TOLD = (CREATED, ACTIVE, SHRINKING)  # what is written goes to the shard
_LIVE = "SELECT shard, lower, upper, state, stamp FROM shard WHERE state <> 'shrunk' ORDER BY lower"
_WITHIN = "name > ? AND name <= ?"
_SUMS = f"SELECT count(*), sum(count), sum(size) FROM item WHERE {_WITHIN}"  # noqa: S608
# What is left of names that are a shard's alone goes there, and to no replica of the index.
OWN = (
    " AND NOT EXISTS (SELECT 1 FROM shard WHERE state = 'active' AND lower < name "
    "AND (upper = '' OR name <= upper))"
)
_END = "\U0010ffff" * 300  # behind all names, which are shorter


class Home(NamedTuple):
    """The range that a name belongs to."""

    shard: str
    state: str

    @property
    def is_kept(self) -> bool:
        """Say whether the index itself keeps what is written."""
        return self.state != ACTIVE

    @property
    def is_counted(self) -> bool:
        """Say whether the index's own sums cover the name."""
        return self.state not in GIVEN

    @property
    def told(self) -> str:
        """Return the shard that what is written goes to."""
        return self.shard if self.state in _TOLD else ""


NOWHERE = Home("", "")


def home(db: sqlite3.Connection, name: str) -> Home:
    """Return the range of a name."""
    query = (
        "SELECT shard, state FROM shard WHERE state <> 'shrunk' AND lower < ? "
        "AND (upper = '' OR upper >= ?) ORDER BY lower DESC LIMIT 1"
    )
    found = db.execute(query, (name, name)).fetchone()
    return Home(*found) if found else NOWHERE


def live(db: sqlite3.Connection) -> list[Range]:
    """Return the ranges that are not over, in order."""
    return [Range(*one) for one in db.execute(_LIVE)]


def every(db: sqlite3.Connection) -> list[Range]:
    """Return all ranges, those that are over too."""
    query = "SELECT shard, lower, upper, state, stamp FROM shard ORDER BY shard"
    return [Range(*one) for one in db.execute(query)]


def overlaps(known: list[Range], one: Range) -> bool:
    """Say whether a new range lies over one of another shard."""
    return any(
        other.shard != one.shard
        and (not other.upper or one.lower < other.upper)
        and (not one.upper or other.lower < one.upper)
        for other in known
    )


def put(db: sqlite3.Connection, given: list[Range]) -> None:
    """Set ranges that are newer than what is known; sums follow."""
    for one in given:
        known = db.execute("SELECT state, stamp FROM shard WHERE shard = ?", (one.shard,))
        state, stamp = known.fetchone() or (FOUND, "")
        if stamp >= one.stamp:
            continue
        change = (
            "INSERT INTO shard (shard, lower, upper, state, stamp) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (shard) DO UPDATE SET lower = excluded.lower, upper = excluded.upper, "
            "state = excluded.state, stamp = excluded.stamp"
        )
        db.execute(change, (one.shard, one.lower, one.upper, one.state, one.stamp))
        sign = (state in GIVEN) - (one.state in GIVEN)
        if sign:
            items, count, size = db.execute(_SUMS, _within(one.lower, one.upper)).fetchone()
            add(db, sign * items, sign * (count or 0), sign * (size or 0))
    db.execute("UPDATE fact SET cuts = (SELECT count(*) FROM shard WHERE state <> 'shrunk')")


def add(db: sqlite3.Connection, items: int, count: int, size: int) -> None:
    """Change what the index sums up to."""
    change = "UPDATE fact SET items = items + ?, count = count + ?, size = size + ?"
    db.execute(change, (items, count, size))


def came_in(db: sqlite3.Connection, shards: set[str]) -> None:
    """Have ranges gone through anew into which a replica brought something."""
    for shard in shards:
        again = "UPDATE shard SET moved = '', is_moved = 0, token = token + 1 WHERE shard = ?"
        db.execute(again, (shard,))


def splits(
    db: sqlite3.Connection, sizes: tuple[int, int], lower: str, upper: str
) -> list[tuple[str, str]]:
    """Return bounds for new ranges of about so many names, and no fewer, where there are none."""
    found, (size, least) = list[tuple[str, str]](), sizes
    for low, high in gaps(live(db), lower, upper):
        ends, at = list[str](), low
        while (end := _name_after(db, at, high, size)) is not None:
            ends.append(end)
            at = end
        left = db.execute(_SUMS, _within(at, high)).fetchone()[0]
        if ends and left < least:
            ends.pop()
        elif left < least:
            continue
        found += zip([low, *ends], [*ends, high], strict=True)
    return found


def gaps(ranges: list[Range], lower: str, upper: str) -> list[tuple[str, str]]:
    """Return the bounds of what lies between ranges, inside of bounds."""
    found: list[tuple[str, str]] = []
    at = lower
    for one in ranges:
        if at < one.lower and not (upper and one.lower >= upper):
            found.append((at, one.lower))
        if not one.upper:
            return found
        at = max(at, one.upper)
    return [*found, (at, upper)] if not upper or at < upper else found


def _name_after(db: sqlite3.Connection, at: str, upper: str, count: int) -> str | None:
    query = f"SELECT name FROM item WHERE {_WITHIN} ORDER BY name LIMIT 1 OFFSET ?"  # noqa: S608
    found = db.execute(query, (*_within(at, upper), count - 1)).fetchone()
    return found[0] if found else None


def batch(db: sqlite3.Connection, shard: str, limit: int) -> Batch | None:
    """Return the next names of a range that go to its shard."""
    query = "SELECT lower, upper, moved, is_moved, token FROM shard WHERE shard = ?"
    found = db.execute(query, (shard,)).fetchone()
    if found is None or found[3]:
        return None
    lower, upper, moved, _, token = found
    within = (*_within(max(lower, moved), upper), limit)
    rows = _pairs(db, ("item", COLUMNS), within)
    gone = _pairs(db, ("gone", "name, stamp"), within)
    full = [one[-1][0] for one in (rows, gone) if len(one) == limit]
    upto = min(full) if full else upper
    return Batch(
        [Row(*one) for one in rows if not full or one[0] <= upto],
        [(name, stamp) for name, stamp in gone if not full or name <= upto],
        upto,
        not full,
        token,
    )


def _pairs(db: sqlite3.Connection, what: tuple[str, str], within: tuple[Any, ...]) -> list[Any]:
    table, columns = what
    query = f"SELECT {columns} FROM {table} WHERE {_WITHIN} ORDER BY name LIMIT ?"  # noqa: S608
    return db.execute(query, within).fetchall()


def moved(db: sqlite3.Connection, shard: str, upto: str, is_last: bool, token: int) -> None:
    """Remember how far the names of a range went."""
    change = "UPDATE shard SET moved = ?, is_moved = ? WHERE shard = ? AND token = ?"
    db.execute(change, (upto, is_last, shard, token))


def trim(db: sqlite3.Connection, shard: str, limit: int) -> int:
    """Forget names that went to a shard that is read instead."""
    query = "SELECT lower, upper FROM shard WHERE shard = ? AND is_moved AND state = 'active'"
    found = db.execute(query, (shard,)).fetchone()
    if found is None:
        return 0
    count = 0
    for table in ("item", "gone"):
        names = f"SELECT name FROM {table} WHERE {_WITHIN} LIMIT ?"  # noqa: S608
        which = f"DELETE FROM {table} WHERE name IN ({names})"  # noqa: S608
        count += db.execute(which, (*_within(*found), limit)).rowcount
    return count


def end(db: sqlite3.Connection, stamp: str) -> bool:
    """End all ranges of an index that goes; say whether nothing is left in them."""
    known = live(db)
    for one in known:
        while trim(db, one.shard, 10000):
            pass
        if one.state in GIVEN and db.execute(_SUMS, _within(one.lower, one.upper)).fetchone()[0]:
            return False
    put(db, [Range(one.shard, one.lower, one.upper, SHRUNK, stamp) for one in known])
    return True


def _within(lower: str, upper: str) -> tuple[str, str]:
    return lower, upper or _END
