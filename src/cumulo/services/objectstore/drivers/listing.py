"""Listings: the rows of an index between two names, with what a delimiter folds."""

import sqlite3
from typing import Any

import msgspec

from cumulo.services.objectstore.drivers import ranges
from cumulo.services.objectstore.drivers.base import Asked, Hole, Page, Range, Row

_COLUMNS = ranges.COLUMNS
_LAST = "\U0010ffff"


def listed(db: sqlite3.Connection, asked: Asked) -> Page:
    """Return what was asked for, in the order of the names' bytes."""
    if not db.execute("SELECT cuts FROM fact").fetchone()[0]:
        return Page(_plain(db, asked))
    given = [one for one in ranges.live(db) if one.state in ranges.GIVEN]
    rows, holes = list[Row | str](), list[Hole]()
    for shard, lower, upper in _stretches(given, asked):
        if len(rows) >= asked.limit:
            break
        if shard:
            holes.append(Hole(len(rows), shard, lower, upper))
            continue
        # Told apart by nobody: what was folded before a hole is folded behind it once more.
        rows += _plain(db, msgspec.structs.replace(asked, lower=lower, upper=upper))
    return Page(rows, holes)


def _stretches(given: list[Range], asked: Asked) -> list[tuple[str, str, str]]:
    """Return what is asked for in the order of the answer: shard, or nothing, and bounds."""
    own = [("", *bounds) for bounds in ranges.gaps(given, asked.lower, asked.upper)]
    others = [(one.shard, one.lower, one.upper) for one in given]
    found = sorted([*own, *others], key=lambda one: one[1], reverse=asked.reverse)
    bounded = [
        (shard, max(lower, asked.lower), _lesser(upper, asked.upper))
        for shard, lower, upper in found
    ]
    return [one for one in bounded if _may_hold(one[1], one[2], asked)]


def _lesser(upper: str, other: str) -> str:
    return min(upper, other) if upper and other else upper or other


def _may_hold(lower: str, upper: str, asked: Asked) -> bool:
    low, high = asked.marker, asked.end_marker
    if asked.reverse:
        low, high = high, low
    prefix = asked.prefix if asked.path is None else ""
    if upper and (lower >= upper or upper <= low or upper < prefix):
        return False
    return not (high and lower >= high) and not (prefix and lower >= prefix + _LAST)


def _plain(db: sqlite3.Connection, asked: Asked) -> list[Row | str]:
    if asked.path is not None:
        return _Walk(db, _in_path(asked)).run()
    if not asked.delimiter:
        return [Row(*one) for one in _rows(db, asked, asked.marker, asked.limit)]
    return _Walk(db, asked).run()


def _in_path(asked: Asked) -> Asked:
    path = asked.path.rstrip("/") + "/" if asked.path else ""
    return Asked(
        limit=asked.limit,
        marker=asked.marker,
        end_marker=asked.end_marker,
        prefix=path,
        delimiter="/",
        path=path,
        reverse=asked.reverse,
        lower=asked.lower,
        upper=asked.upper,
    )


def _rows(
    db: sqlite3.Connection, asked: Asked, marker: str, limit: int, inclusive: str = ""
) -> list[Any]:
    low, high = (asked.end_marker, marker) if asked.reverse else (marker, asked.end_marker)
    where, values = ["1"], []
    if low:
        where.append("name > ?")
        values.append(low)
    if high:
        where.append("name < ?")
        values.append(high)
    if inclusive:
        where.append("name >= ?")
        values.append(inclusive)
    if asked.lower:
        where.append("name > ?")
        values.append(asked.lower)
    if asked.upper:
        where.append("name <= ?")
        values.append(asked.upper)
    if asked.prefix:
        where.append("name >= ? AND name < ?")
        values += [asked.prefix, asked.prefix + _LAST]
    order = "DESC" if asked.reverse else "ASC"
    query = (
        f"SELECT {_COLUMNS} FROM item WHERE {' AND '.join(where)} "  # noqa: S608 - no value in it
        f"ORDER BY name {order} LIMIT ?"
    )
    found: list[Any] = db.execute(query, (*values, limit)).fetchall()
    return found


class _Walk:
    """A listing with a delimiter: behind each folded name it goes on at the next."""

    def __init__(self, db: sqlite3.Connection, asked: Asked) -> None:
        self._db, self._asked = db, asked
        self._marker, self._inclusive = asked.marker, ""
        self._found: list[Row | str] = []

    def run(self) -> list[Row | str]:
        while (left := self._asked.limit - len(self._found)) > 0:
            rows = _rows(self._db, self._asked, self._marker, min(left, 1000), self._inclusive)
            if not rows:
                break
            self._take(rows)
        return self._found

    def _take(self, rows: list[Any]) -> None:
        asked, start = self._asked, len(self._asked.prefix)
        for row in rows:
            name = str(row[0])
            self._marker, self._inclusive = name, ""
            end = name.find(asked.delimiter, start)
            if asked.path is not None and name == asked.path:
                continue
            whole = end + len(asked.delimiter)
            if end < 0 or (asked.path is not None and len(name) == whole):
                self._found.append(Row(*row))
                continue
            self._fold(name[:whole])
            return

    def _fold(self, folded: str) -> None:
        """Note a folded name, and go on behind all that it stands for."""
        asked = self._asked
        if asked.path is None and folded != asked.marker:
            self._found.append(folded)
        if asked.reverse:
            # A path shows what is named as a folder is, which comes behind what is inside.
            self._marker = folded if asked.path is None else folded + "\0"
        else:
            self._marker, self._inclusive = asked.marker, folded + _LAST
