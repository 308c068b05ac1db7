"""What it takes to make rows as they should be, and the copy of a database it is found by."""

import json
from typing import Any

import pytest

from cumulo.services.network.drivers.ovn.replica import Replica, Schema
from cumulo.services.network.drivers.ovn.rows import Change, Parent, Row, row_id

SPEC: dict[str, Any] = {
    "tables": {
        "Logical_Switch": {
            "columns": {
                "name": {"type": "string"},
                "ports": {
                    "type": {"key": {"type": "uuid"}, "min": 0, "max": "unlimited"},
                },
                "external_ids": {
                    "type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
                },
            }
        },
        "Logical_Switch_Port": {
            "columns": {
                "name": {"type": "string"},
                "up": {"type": {"key": "boolean", "min": 0, "max": 1}},
                "tag": {"type": {"key": {"type": "integer"}, "min": 0, "max": 1}},
                "external_ids": {
                    "type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
                },
            }
        },
    }
}
WANTED = {table: list(spec["columns"]) for table, spec in SPEC["tables"].items()}
SWITCH = Row(table="Logical_Switch", key="s", unit="network s", columns={"name": "s"})


def lsp(name: str, switch: str = "s", **columns: Any) -> Row:
    return Row(
        table="Logical_Switch_Port",
        key=name,
        unit=f"port {name}",
        columns={"name": name, "tag": frozenset(), **columns},
        parent=Parent("Logical_Switch", row_id("Logical_Switch", switch), "ports"),
    )


class Server:
    """Does what OVSDB does with the operations that we use, and tells of it as OVSDB does."""

    def __init__(self) -> None:
        self.replica = Replica(Schema.of(SPEC, WANTED))

    def commit(self, change: Change) -> int:
        for operation in json.loads(json.dumps(change.operations)):
            getattr(self, operation["op"])(operation)
        return len(change.operations)

    def insert(self, operation: dict[str, Any]) -> None:
        self.tell(operation["table"], operation["uuid"], {"insert": operation["row"]})

    def update(self, operation: dict[str, Any]) -> None:
        table, row = operation["table"], operation["where"][0][2][1]
        columns = self.replica.schema.tables[table]
        changes = {}
        for name, value in operation["row"].items():
            column, old = columns[name], self.replica.rows(table)[row][name]
            if column.kind == "map":
                new = dict(value[1])
                gone = {k: v for k, v in old.items() if k not in new}  # type: ignore[union-attr]
                fresh = {k: v for k, v in new.items() if old.get(k) != v}  # type: ignore[union-attr]
                changes[name] = ["map", [[k, v] for k, v in (gone | fresh).items()]]
            else:
                changes[name] = value
        self.tell(table, row, {"modify": changes})

    def mutate(self, operation: dict[str, Any]) -> None:
        [[column, _, member]] = operation["mutations"]
        self.tell(operation["table"], operation["where"][0][2][1], {"modify": {column: member}})

    def delete(self, operation: dict[str, Any]) -> None:
        self.tell(operation["table"], operation["where"][0][2][1], {"delete": None})

    def tell(self, table: str, row: str, change: dict[str, Any]) -> None:
        self.replica.apply({table: {row: change}})


@pytest.fixture
def server() -> Server:
    server = Server()
    change = Change(server.replica)
    change.only("network s", [SWITCH])
    change.only("port a", [lsp("a")])
    change.only("port b", [lsp("b")])
    server.commit(change)
    return server


def ports_of(server: Server, switch: str = "s") -> Any:
    return server.replica.rows("Logical_Switch")[row_id("Logical_Switch", switch)]["ports"]


def test_rows_are_made_inside_their_parents(server: Server) -> None:
    assert ports_of(server) == {lsp("a").id, lsp("b").id}
    assert server.replica.marked("port a") == {("Logical_Switch_Port", lsp("a").id)}
    assert sorted(server.replica.marks()) == ["network s", "port a", "port b"]


def test_what_is_as_it_should_be_takes_no_operation(server: Server) -> None:
    change = Change(server.replica)
    change.only("network s", [SWITCH])
    change.only("port a", [lsp("a")])
    assert change.operations == []


def test_only_different_cells_are_written(server: Server) -> None:
    change = Change(server.replica)
    change.only("port a", [lsp("a", tag=frozenset({7}))])
    [operation] = change.operations
    assert operation["op"] == "update"
    assert operation["row"] == {"tag": ["set", [7]]}
    server.commit(change)
    assert server.replica.rows("Logical_Switch_Port")[lsp("a").id]["tag"] == {7}


def test_a_unit_loses_what_it_should_not_have(server: Server) -> None:
    change = Change(server.replica)
    change.only("port a", [])
    server.commit(change)
    assert ports_of(server) == {lsp("b").id}


def test_a_row_moves_to_another_parent(server: Server) -> None:
    other = Row(table="Logical_Switch", key="t", unit="network t", columns={"name": "t"})
    change = Change(server.replica)
    change.only("network t", [other])
    change.only("port a", [lsp("a", switch="t")])
    server.commit(change)
    assert ports_of(server) == {lsp("b").id}
    assert ports_of(server, "t") == {lsp("a").id}


def test_a_bare_row_is_left_alone_when_it_is_there(server: Server) -> None:
    bare = Row(table="Logical_Switch", key="s", unit="network s", columns={"name": "bare"})
    change = Change(server.replica)
    change.ensure_exists(bare)
    assert change.operations == []


def test_what_goes_with_its_parent_takes_no_operation(server: Server) -> None:
    change = Change(server.replica)
    change.remove("Logical_Switch", SWITCH.id)
    change.remove("Logical_Switch_Port", lsp("a").id)
    assert [operation["op"] for operation in change.operations] == ["delete"]


def test_the_copy_follows_each_kind_of_update() -> None:
    server = Server()
    row = "11111111-1111-1111-1111-111111111111"
    member = ["uuid", "22222222-2222-2222-2222-222222222222"]
    server.tell("Logical_Switch", row, {"initial": {"name": "s", "ports": member}})
    cells = server.replica.rows("Logical_Switch")[row]
    assert cells == {"name": "s", "ports": {member[1]}, "external_ids": {}}
    server.tell("Logical_Switch", row, {"modify": {"ports": ["set", [member]], "name": "t"}})
    assert cells["ports"] == set()
    assert cells["name"] == "t"
    server.tell("Logical_Switch", row, {"modify": {"external_ids": ["map", [["k", "1"]]]}})
    server.tell("Logical_Switch", row, {"modify": {"external_ids": ["map", [["k", "2"]]]}})
    assert cells["external_ids"] == {"k": "2"}
    server.tell("Logical_Switch", row, {"modify": {"external_ids": ["map", [["k", "2"]]]}})
    assert cells["external_ids"] == {}
    server.tell("Logical_Switch", row, {"delete": None})
    assert server.replica.rows("Logical_Switch") == {}


def test_an_optional_value_is_replaced_not_toggled() -> None:
    server = Server()
    row = "11111111-1111-1111-1111-111111111111"
    server.tell("Logical_Switch_Port", row, {"insert": {"name": "p", "up": True}})
    server.tell("Logical_Switch_Port", row, {"modify": {"up": True}})
    assert server.replica.rows("Logical_Switch_Port")[row]["up"] == {True}
    server.tell("Logical_Switch_Port", row, {"modify": {"up": ["set", []]}})
    assert server.replica.rows("Logical_Switch_Port")[row]["up"] == set()
