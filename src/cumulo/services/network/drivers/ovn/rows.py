"""Rows as the projections want them, and the operations that make a database agree.

A row's UUID follows from its table and key.  So a row can be named before it exists, made twice
without harm, and two processes that make it at the same moment cannot make two of it.
"""

import functools
import uuid
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from cumulo.services.network.drivers.base import Unit
from cumulo.services.network.drivers.ovn.ovsdb import Op
from cumulo.services.network.drivers.ovn.replica import MARK, Replica

Map: TypeAlias = dict[str, str] | dict[str, int]
Value: TypeAlias = str | int | bool | frozenset[str] | frozenset[int] | Map

_NAMESPACE = uuid.UUID("5a1cf0a2-52c5-4d0c-9c5f-6f1a7c8e9b10")
_PARENT = "cumulo:in"
# Rows of these tables are there in their own right; others live while their parent names them.
_ROOTS = {
    *("Logical_Switch", "Logical_Router", "Port_Group", "DHCP_Options", "DNS"),
    *("Load_Balancer", "BFD"),
}


class Parent(NamedTuple):
    """The cell that must name a row."""

    table: str
    row_id: str
    column: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it should be; columns that are not named are nobody's business."""

    table: str
    key: str  # unique in its table
    unit: str  # the unit that it was made for
    columns: dict[str, Value]
    ids: dict[str, str] = {}  # external ids besides the marks
    parent: Parent | None = None

    @property
    def id(self) -> str:
        """Return the row's UUID."""
        return row_id(self.table, self.key)

    def cells(self) -> dict[str, Value]:
        """Return all columns, marks included."""
        marks = {MARK: self.unit, **self.ids}
        if self.parent is not None:
            marks[_PARENT] = " ".join(self.parent)
        return {**self.columns, "external_ids": marks}


@functools.lru_cache(maxsize=65536)
def row_id(table: str, key: str) -> str:
    """Return the UUID of a row of ours."""
    return str(uuid.uuid5(_NAMESPACE, f"{table} {key}"))


def unit_mark(unit: Unit, unit_id: str) -> str:
    """Return the mark of all rows made for a unit."""
    return f"{unit} {unit_id}"


class Change:
    """Collects the operations that lead from what is there to what should be.

    It sees its own additions: a row ensured earlier counts as present.
    """

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.operations: list[Op] = []
        self._made: set[str] = set()
        self._gone: set[str] = set()

    def has(self, table: str, wanted_id: str) -> bool:
        """Say whether the row is there when the operations so far are done."""
        there = self.replica.row(table, wanted_id) is not None
        return (there or wanted_id in self._made) and wanted_id not in self._gone

    def only(self, unit: str, rows: Iterable[Row]) -> None:
        """Make these the unit's rows: missing ones, different ones, and no others."""
        wanted = list(rows)
        for row in wanted:
            self.ensure(row)
        keep = {row.id for row in wanted}
        for table, present_id in sorted(self.replica.marked(unit)):
            if present_id not in keep:
                self.remove(table, present_id)

    def ensure(self, row: Row) -> None:
        """Make the row as it should be."""
        present = self.replica.row(row.table, row.id)
        if present is None:
            self._insert(row)
            return
        self.patch(row.table, row.id, row.cells())
        before = _parent_of(present)
        if before is not None and before != row.parent:
            self.leave(before, row.id)
        if row.parent is not None:
            self.join(row.parent, row.id)

    def ensure_exists(self, row: Row) -> None:
        """Make the row if it is not there; leave it as it is when it is."""
        if not self.has(row.table, row.id):
            self._insert(row)

    def patch(self, table: str, present_id: str, cells: Mapping[str, Value]) -> None:
        """Write those of the cells that differ, into a row that is there."""
        present = self.replica.row(table, present_id)
        assert present is not None
        different = {name: cell for name, cell in cells.items() if present[name] != cell}
        if different:
            self.operations.append(
                {
                    "op": "update",
                    "table": table,
                    "where": _is(present_id),
                    "row": self._encode(table, different),
                }
            )

    def remove(self, table: str, present_id: str) -> None:
        """Remove a row, or find it gone."""
        present = self.replica.row(table, present_id)
        if present is None or present_id in self._gone:
            return
        self._gone.add(present_id)
        if table in _ROOTS:
            self.operations.append({"op": "delete", "table": table, "where": _is(present_id)})
        else:
            parent = _parent_of(present)
            if parent is not None:
                self.leave(parent, present_id)

    def join(self, parent: Parent, member_id: str) -> None:
        """Have a cell name the row."""
        present = self.replica.row(parent.table, parent.row_id)
        if present is None or not _names(present[parent.column], member_id):
            self._mutate(parent, member_id, "insert")

    def leave(self, parent: Parent, member_id: str) -> None:
        """Have a cell not name the row."""
        present = self.replica.row(parent.table, parent.row_id)
        if present is None or parent.row_id in self._gone:
            return
        if _names(present[parent.column], member_id):
            self._mutate(parent, member_id, "delete")

    def _insert(self, row: Row) -> None:
        self._made.add(row.id)
        self.operations.append(
            {
                "op": "insert",
                "table": row.table,
                "uuid": row.id,
                "row": self._encode(row.table, row.cells()),
            }
        )
        if row.parent is not None:
            self._mutate(row.parent, row.id, "insert")

    def _mutate(self, parent: Parent, member_id: str, how: str) -> None:
        self.operations.append(
            {
                "op": "mutate",
                "table": parent.table,
                "where": _is(parent.row_id),
                "mutations": [[parent.column, how, ["uuid", member_id]]],
            }
        )

    def _encode(self, table: str, cells: Mapping[str, Value]) -> dict[str, object]:
        columns = self.replica.schema.tables[table]
        return {name: columns[name].encode(cell) for name, cell in cells.items()}


def _is(wanted_id: str) -> list[list[object]]:
    return [["_uuid", "==", ["uuid", wanted_id]]]


def _names(cell: object, member_id: str) -> bool:
    assert isinstance(cell, set)
    return member_id in cell


def _parent_of(present: Mapping[str, object]) -> Parent | None:
    ids = present["external_ids"]
    assert isinstance(ids, dict)
    return Parent(*ids[_PARENT].split(" ")) if _PARENT in ids else None
