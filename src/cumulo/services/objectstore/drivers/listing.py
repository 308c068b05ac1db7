"""Listings: the rows of an index between two names, with what a delimiter folds."""

import sqlite3
from typing import Any

from cumulo.services.objectstore.drivers.base import Asked, Row

_COLUMNS = "name, stamp, modified, size, count, content_type, etag, expires, facts"
_LAST = "\U0010ffff"


def listed(db: sqlite3.Connection, asked: Asked) -> list[Row | str]:
    """Return what was asked for, in the order of the names' bytes."""
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
            self._marker = folded
        else:
            self._marker, self._inclusive = asked.marker, folded + _LAST
