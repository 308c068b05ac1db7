"""The OVSDB client, against a server that misbehaves as told."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import BackendError
from cumulo.services.network.drivers.ovn.ovsdb import Client
from tests.waiting import eventually

SCHEMA = {"tables": {"T": {"columns": {"name": {"type": "string"}}}}}
ROW = "11111111-1111-1111-1111-111111111111"
Answer = Callable[[list[Any]], Any]


class Server:
    """Serves one table; `on_transact` decides what a transaction gets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Any] = {ROW: {"initial": {"name": "one"}}}
        self.on_transact: Answer = lambda operations: [{} for _ in operations]
        self.transacted: list[list[Any]] = []
        self.split = 1 << 20
        self.connections: list[socket.socket] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        text, decoder = "", json.JSONDecoder()
        while True:
            try:
                piece = connection.recv(65536)
            except OSError:
                return
            if not piece:
                return
            text += piece.decode()
            while text:
                try:
                    message, end = decoder.raw_decode(text)
                except json.JSONDecodeError:
                    break
                text = text[end:]
                with suppress(OSError):  # the client may be gone by now
                    self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        results = {
            "get_schema": lambda _: SCHEMA,
            "monitor_cond": lambda _: {"T": self.rows},
            "transact": self._transact,
        }
        if message.get("method") in results:
            result = results[message["method"]](message["params"])
            self.send({"id": message["id"], "result": result, "error": None})

    def _transact(self, params: list[Any]) -> Any:
        self.transacted.append(params[1:])
        return self.on_transact(params[1:])

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, ensure_ascii=False).encode()
        with contextlib.suppress(BrokenPipeError):  # a client may go when it likes
            for at in range(0, len(data), self.split):
                self.connections[-1].sendall(data[at : at + self.split])

    def tell(self, row: str, change: dict[str, Any]) -> None:
        self.send({"id": None, "method": "update2", "params": ["copy", {"T": {row: change}}]})

    def cut(self) -> None:
        self.connections[-1].shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "s")
    yield server
    server.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = Client(f"unix:{server.path}", "DB", {"T": ["name", "not_in_this_schema"]}, 2.0)
    yield client
    client.close()


def names(client: Client) -> list[Any]:
    return client.read(lambda db: sorted(str(row["name"]) for row in db.rows("T").values()))


def test_it_follows_the_server(client: Client, server: Server) -> None:
    assert names(client) == ["one"]
    server.tell("2" * 8, {"insert": {"name": "two"}})
    assert client.wait_until(lambda db: len(db.rows("T")) == 2, 5)
    assert names(client) == ["one", "two"]
    assert not client.wait_until(lambda db: len(db.rows("T")) == 3, 0.01)


def test_messages_may_come_in_any_pieces(client: Client, server: Server) -> None:
    server.split = 1
    assert names(client) == ["one"]
    server.tell("2" * 8, {"insert": {"name": "zwölf } {"}})
    server.split = 7
    server.tell("3" * 8, {"insert": {"name": "}}€"}})
    assert client.wait_until(lambda db: len(db.rows("T")) == 3, 5)
    assert names(client) == ["one", "zwölf } {", "}}€"]


def test_a_broken_connection_is_made_again(client: Client, server: Server) -> None:
    assert names(client) == ["one"]
    server.rows = {ROW: {"initial": {"name": "changed meanwhile"}}}
    server.cut()
    eventually(lambda: names(client) == ["changed meanwhile"])


def test_without_a_server_it_is_unavailable(tmp_path: Path) -> None:
    client = Client(f"unix:{tmp_path / 'nobody'}", "DB", {"T": ["name"]}, timeout_s=0.05)
    with pytest.raises(Unavailable, match="nobody"):
        names(client)
    with pytest.raises(Unavailable):
        client.transact(lambda _: [{"op": "comment"}])
    client.close()


def test_a_lost_race_is_run_again(client: Client, server: Server) -> None:
    answers = iter([[{"error": "duplicate uuid"}], [{"count": 0}], [None, {"error": "timed out"}]])
    server.on_transact = lambda operations: next(answers, [{"count": 1}])
    seen: list[int] = []

    def compute(db: Any) -> list[dict[str, Any]]:
        seen.append(db.generation)
        return [{"op": "update"}]

    assert client.transact(compute) == [{"count": 1}]
    assert len(seen) == len(server.transacted) == 4


def test_a_race_that_is_never_won_ends(client: Client, server: Server) -> None:
    server.on_transact = lambda operations: [{"count": 0}]
    with pytest.raises(Unavailable, match="changed under"):
        client.transact(lambda _: [{"op": "update"}])


def test_a_refusal_is_final(client: Client, server: Server) -> None:
    server.on_transact = lambda operations: [
        {"error": "constraint violation", "details": "no such colour"}
    ]
    with pytest.raises(BackendError, match="no such colour"):
        client.transact(lambda _: [{"op": "insert"}])
    assert len(server.transacted) == 1


def test_nothing_to_do_asks_nobody(client: Client, server: Server) -> None:
    assert client.transact(lambda _: []) == []
    assert server.transacted == []


def test_a_connection_that_breaks_meanwhile_is_unavailable(client: Client, server: Server) -> None:
    def cut(operations: list[Any]) -> Any:
        server.cut()
        return []

    server.on_transact = cut
    with pytest.raises(Unavailable):
        client.transact(lambda _: [{"op": "insert"}])


def test_it_answers_when_asked_whether_it_is_there(client: Client, server: Server) -> None:
    assert names(client) == ["one"]
    server.send({"id": "echo", "method": "echo", "params": []})
    server.tell("2" * 8, {"insert": {"name": "two"}})
    eventually(lambda: names(client) == ["one", "two"])


@pytest.mark.parametrize("remote", ["nonsense", "ssl:127.0.0.1:6641"])
def test_a_remote_that_it_does_not_understand(remote: str) -> None:
    client = Client(remote, "DB", {"T": ["name"]}, timeout_s=0.05)
    with pytest.raises(Unavailable, match="give unix:PATH"):
        names(client)
    client.close()
