"""A client of OVSDB (RFC 7047): a copy of some tables that follows the server, and transactions.

One thread reads; callers in any thread see the copy under a lock and write one after another.
A transaction is computed from the copy; when it lost a race it is computed again.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

import structlog

from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import BackendError
from cumulo.services.network.drivers.ovn.replica import Replica, Schema

T = TypeVar("T")
Op: TypeAlias = dict[str, Any]

_RACES = {"duplicate uuid", "referential integrity violation", "timed out"}
_ATTEMPTS = 10
_IDLE_S = 15.0  # without a word from the server we ask whether it is there
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
log = structlog.get_logger(__name__)


class Client:
    """A database as it is now, and the way to change it."""

    def __init__(
        self,
        remote: str,
        database: str,
        tables: Mapping[str, Sequence[str]],
        timeout_s: float = 10.0,
    ) -> None:
        self._remotes = [part.strip() for part in remote.split(",")]
        self._database = database
        self._tables = tables
        self._timeout_s = timeout_s
        self._replica = Replica(Schema(tables={}))
        self._changed = threading.Condition()
        self._connected = False
        self._problem = "not connected yet"
        self._socket: socket.socket | None = None
        self._sending = threading.Lock()
        self._writing = threading.Lock()
        self._answers: dict[int, Future[Any]] = {}
        self._last_id = 0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Break the connection and end the reader."""
        self._closing.set()
        if self._socket is not None:
            _shut(self._socket)
        if self._thread is not None:
            self._thread.join()

    def read(self, question: Callable[[Replica], T]) -> T:
        """Return what `question` finds; it must be quick and keep nothing of the replica."""
        self._connect()
        with self._changed:
            self._must_be_connected()
            return question(self._replica)

    def wait_until(self, question: Callable[[Replica], bool], timeout_s: float) -> bool:
        """Wait until the answer is yes; False when it is still no after that time."""
        self._connect()
        with self._changed:
            return self._changed.wait_for(
                lambda: self._connected and question(self._replica), timeout_s
            )

    def transact(self, compute: Callable[[Replica], Sequence[Op]]) -> list[Any]:
        """Carry out what `compute` finds to do, all of it or nothing; return the results."""
        self._connect()
        with self._writing:
            for _ in range(_ATTEMPTS):
                with self._changed:
                    self._must_be_connected()
                    operations = list(compute(self._replica))
                    seen = self._replica.generation
                if not operations:
                    return []
                results = self._call("transact", [self._database, *operations])
                error = _error_in(results)
                if error is None:
                    return results
                log.info("transaction repeated", database=self._database, error=error)
                self.wait_until(lambda now, seen=seen: now.generation != seen, 0.1)  # type: ignore[misc]
        raise Unavailable(f"{self._database} changed under each of {_ATTEMPTS} attempts: {error}.")

    def _connect(self) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"ovsdb {self._database}", daemon=True
                )
                self._thread.start()

    def _must_be_connected(self) -> None:
        if not self._changed.wait_for(lambda: self._connected, self._timeout_s):
            raise Unavailable(f"{self._database} does not answer: {self._problem}.")

    def _call(self, method: str, params: list[Any]) -> list[Any]:
        answer: Future[Any] = Future()
        with self._sending:
            self._last_id += 1
            number = self._last_id
            self._answers[number] = answer
        try:
            self._send({"id": number, "method": method, "params": params})
            result: list[Any] = answer.result(self._timeout_s)
        except (TimeoutError, OSError) as error:
            raise Unavailable(f"{self._database} did not answer {method}: {error}.") from error
        finally:
            self._answers.pop(number, None)
        return result

    def _send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode()
        with self._sending:
            if self._socket is None:
                raise ConnectionError("the connection is broken")
            self._socket.sendall(data)

    def _run(self) -> None:
        """Keep a connection until told to stop."""
        pause_s, turn = _FIRST_PAUSE_S, 0
        while not self._closing.is_set():
            remote = self._remotes[turn % len(self._remotes)]
            turn += 1
            try:
                self._follow(remote)
                self._problem = f"{remote} closed the connection"
            except (OSError, ValueError, KeyError) as error:
                self._problem = f"{remote}: {error}"
            was_connected = self._connected
            self._forget()
            if was_connected and not self._closing.is_set():
                log.warning("database lost", database=self._database, error=self._problem)
                pause_s = _FIRST_PAUSE_S
            self._closing.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _follow(self, remote: str) -> None:
        """Copy the tables and keep up with them until the connection ends."""
        with _dial(remote) as connection:
            connection.settimeout(_IDLE_S)
            self._socket = connection
            messages = _Messages(connection)
            self._send({"id": "schema", "method": "get_schema", "params": [self._database]})
            schema = Schema.of(messages.answer("schema"), self._tables)
            watched = {name: [{"columns": list(t)}] for name, t in schema.tables.items()}
            params = [self._database, "copy", watched]
            self._send({"id": "copy", "method": "monitor_cond", "params": params})
            replica = Replica(schema)
            replica.apply(messages.answer("copy"))
            with self._changed:
                self._replica, self._connected = replica, True
                self._changed.notify_all()
            while (message := messages.next(self._ask)) is not None:
                self._take(message)

    def _ask(self) -> None:
        self._send({"id": "echo", "method": "echo", "params": []})

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "update2":
            with self._changed:
                self._replica.apply(message["params"][1])
                self._changed.notify_all()
        elif method == "echo":
            self._send({"id": message["id"], "result": message["params"], "error": None})
        elif method is not None:
            raise ConnectionError(f"the server sent {method}")  # a database taken away or altered
        elif (answer := self._answers.get(message["id"])) is not None:
            if message.get("error"):
                answer.set_exception(BackendError(f"{self._database}: {message['error']}"))
            else:
                answer.set_result(message["result"])

    def _forget(self) -> None:
        with self._changed:
            self._connected = False
            self._changed.notify_all()
        with self._sending:
            self._socket = None
            pending = list(self._answers.values())
        for answer in pending:
            if not answer.done():
                answer.set_exception(ConnectionError("the connection broke"))


class _Messages:
    """The JSON texts that follow each other on a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decoder = json.JSONDecoder()
        self._data = bytearray()
        self._text = ""

    def answer(self, wanted: str) -> dict[str, Any]:
        """Return the result of the request with this id; nothing else was asked yet."""
        while (message := self.next(None)) is not None:
            if message.get("id") == wanted and "method" not in message:
                if message.get("error"):
                    raise ConnectionError(f"{wanted}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
        raise ConnectionError("the server closed the connection")

    def next(self, ask: Callable[[], None] | None) -> dict[str, Any] | None:
        """Return the next message, None at the end; `ask` is called when it is quiet for long."""
        asked = False
        while True:
            # Only a closing brace can end a message, so a long one is not parsed at each piece.
            if self._text.endswith(("}", "}\n")):
                try:
                    message, end = self._decoder.raw_decode(self._text)
                except json.JSONDecodeError:
                    pass
                else:
                    self._text = self._text[end:].lstrip()
                    found: dict[str, Any] = message
                    return found
            try:
                piece = self._connection.recv(1 << 20)
            except TimeoutError:
                if asked or ask is None:
                    raise
                ask()
                asked = True
                continue
            if not piece:
                return None
            self._add(piece)

    def _add(self, piece: bytes) -> None:
        self._data += piece
        try:
            self._text += self._data.decode()
            self._data.clear()
        except UnicodeDecodeError:  # the piece ends inside a character
            pass


def _error_in(results: list[Any]) -> str | None:
    """Return the race that a transaction lost, if it did; other errors are raised."""
    for result in results:
        if isinstance(result, dict):
            error = result.get("error")
            if error in _RACES:
                return str(error)
            if error is not None and error != "aborted":
                raise BackendError(f"{error}: {result.get('details', '')}")
            if result.get("count") == 0:
                return "a row is gone"
    return None


def _dial(remote: str) -> socket.socket:
    kind, _, address = remote.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection
    if kind == "tcp":
        host, _, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=5)
    raise ValueError(f"{remote}: give unix:PATH or tcp:HOST:PORT")


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
