"""Tables of an OVSDB database as plain values, changed as the server's updates say.

A cell is a scalar, a set (optional values too: with none or one member) or a dict.  UUIDs are
strings like any other; the schema knows which cells hold them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

Cell: TypeAlias = str | int | bool | set[str] | set[int] | dict[str, str]
Row: TypeAlias = dict[str, Cell]

MARK = "cumulo:unit"
_ZERO: dict[str, str | int | bool] = {
    "string": "",
    "integer": 0,
    "real": 0,
    "boolean": False,
    "uuid": "00000000-0000-0000-0000-000000000000",
}


class Column(msgspec.Struct, frozen=True):
    """What a column may hold."""

    kind: Literal["scalar", "set", "map"]
    base: str
    is_single: bool = False  # an optional value: a set with at most one member

    @classmethod
    def of(cls, spec: Any) -> "Column":
        """Read a column's type from the schema."""
        if isinstance(spec, str):
            return cls("scalar", spec)
        key = spec["key"]
        base = key if isinstance(key, str) else key["type"]
        if "value" in spec:
            return cls("map", base)
        low, high = spec.get("min", 1), spec.get("max", 1)
        return cls("scalar", base) if (low, high) == (1, 1) else cls("set", base, high == 1)

    def default(self) -> Cell:
        """Return what a cell holds that nobody wrote."""
        if self.kind == "scalar":
            return _ZERO[self.base]
        return {} if self.kind == "map" else set()

    def decode(self, wire: Any) -> Cell:
        """Return a cell's value from its JSON."""
        if self.kind == "map":
            return {_atom(key): _atom(value) for key, value in wire[1]}
        if self.kind == "set":
            many = isinstance(wire, list) and wire[0] == "set"
            return {_atom(value) for value in (wire[1] if many else [wire])}
        scalar: Cell = _atom(wire)
        return scalar

    def encode(self, value: object) -> Any:
        """Return a cell's value as JSON."""
        if isinstance(value, Mapping):
            return ["map", [[key, value[key]] for key in sorted(value)]]
        if isinstance(value, str | int):
            return ["uuid", value] if self.base == "uuid" else value
        assert isinstance(value, Iterable)
        atoms = [["uuid", atom] if self.base == "uuid" else atom for atom in sorted(value)]
        return ["set", atoms]


class Schema(msgspec.Struct, frozen=True):
    """The columns that are copied, by table."""

    tables: dict[str, dict[str, Column]]

    @classmethod
    def of(cls, spec: Mapping[str, Any], wanted: Mapping[str, Sequence[str]]) -> "Schema":
        """Read the wanted part of a schema; columns that it lacks are left out."""
        tables = {}
        for table, names in wanted.items():
            columns = spec["tables"][table]["columns"]
            tables[table] = {
                name: Column.of(columns[name]["type"]) for name in names if name in columns
            }
        return cls(tables)


class Replica:
    """The rows, by table and UUID; `generation` grows with each change."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.generation = 0
        self._tables: dict[str, dict[str, Row]] = {name: {} for name in schema.tables}
        self._marked: dict[str, set[tuple[str, str]]] = {}

    def rows(self, table: str) -> dict[str, Row]:
        """Return a table's rows by their UUIDs."""
        return self._tables[table]

    def row(self, table: str, row_id: str) -> Row | None:
        """Return a row, if it is there."""
        return self._tables[table].get(row_id)

    def marked(self, mark: str) -> set[tuple[str, str]]:
        """Return table and UUID of every row whose external ids carry this mark."""
        return set(self._marked.get(mark, ()))

    def marks(self) -> list[str]:
        """Return all marks that any row carries."""
        return list(self._marked)

    def apply(self, updates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Change rows as an `update2` notification says."""
        self.generation += 1
        for table, changes in updates.items():
            for row_id, change in changes.items():
                self._apply(table, row_id, change)

    def _apply(self, table: str, row_id: str, change: Mapping[str, Any]) -> None:
        rows, columns = self._tables[table], self.schema.tables[table]
        before = _mark_of(rows.get(row_id))
        if "delete" in change:
            rows.pop(row_id, None)
        elif "modify" in change:
            row = rows[row_id]
            for name, wire in change["modify"].items():
                row[name] = _modified(columns[name], row[name], wire)
        else:
            given = change["initial"] if "initial" in change else change["insert"]
            rows[row_id] = {
                name: column.decode(given[name]) if name in given else column.default()
                for name, column in columns.items()
            }
        after = _mark_of(rows.get(row_id))
        if before != after:
            self._remark(table, row_id, before, after)

    def _remark(self, table: str, row_id: str, before: str | None, after: str | None) -> None:
        if before is not None:
            self._marked[before].discard((table, row_id))
            if not self._marked[before]:
                del self._marked[before]
        if after is not None:
            self._marked.setdefault(after, set()).add((table, row_id))


def _modified(column: Column, old: Any, wire: Any) -> Cell:
    """Apply a change as it travels: new values for single ones, differences for others."""
    new: Any = column.decode(wire)
    if column.kind == "scalar" or column.is_single:
        changed: Cell = new
        return changed
    if column.kind == "map":
        gone = {key for key, value in new.items() if old.get(key) == value}
        return {key: value for key, value in (old | new).items() if key not in gone}
    old ^= new  # in place: a set may have thousands of members, and changes by one
    same: Cell = old
    return same


def _mark_of(row: Row | None) -> str | None:
    if row is None:
        return None
    ids = row.get("external_ids")
    return ids.get(MARK) if isinstance(ids, dict) else None


def _atom(wire: Any) -> Any:
    return wire[1] if isinstance(wire, list) else wire
