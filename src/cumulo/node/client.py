"""A host in another process, reached as if it were here.

Commands may be given again, so one that met a connection which the host had meanwhile closed is
given again at once, over a new one.
"""

import contextlib
import http.client
import socket
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from cumulo.kit.errors import Unavailable
from cumulo.node import streams
from cumulo.node.api import Node
from cumulo.node.tls import as_plain
from cumulo.node.wire import NODE, PREFIX, Command, Fault, Vocabulary

_IDLE_KEPT = 16
_STREAM_TIMEOUT_S = 15.0  # somebody waits for it


class Dialer(Protocol):
    """How to reach a host."""

    name: str  # for messages

    def dial(self, timeout_s: float) -> socket.socket:
        """Return a connection; OSError when there is none to be had."""


class UnixDialer:
    """Reaches a host by the Unix socket it listens on."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)

    def dial(self, timeout_s: float) -> socket.socket:
        """Connect."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            connection.connect(self.name)
        except OSError:
            connection.close()
            raise
        return connection


def remote_node(dialer: Dialer, *, timeout_s: float = 300.0) -> Node:
    """Return the host behind a dialer.

    A command that takes longer than `timeout_s`, beyond the time it was itself given, ends in
    Unavailable here and goes on there; given again it finds its work under way or done.
    """
    return cast(Node, remote(NODE, dialer, timeout_s=timeout_s))


def remote(vocabulary: Vocabulary, dialer: Dialer, *, timeout_s: float = 300.0) -> object:
    """Return what understands the vocabulary, behind a dialer."""
    channel = _Channel(dialer, timeout_s)
    methods = {name: _method(channel, command) for name, command in vocabulary.commands.items()}
    methods |= {name: _stream(channel, command) for name, command in vocabulary.streams.items()}
    there = type("Remote", (), methods)()
    weakref.finalize(there, channel.close)
    return there


def _method(channel: "_Channel", command: Command) -> Callable[..., Any]:
    def call(self: object, *args: Any, **kwargs: Any) -> Any:
        extra_s = command.own_time(args, kwargs)
        body = command.encode_arguments(args, kwargs)
        return command.decode_result(channel.post(PREFIX + command.name, body, extra_s))

    return call


def _stream(channel: "_Channel", command: Command) -> Callable[..., socket.socket]:
    def call(self: object, *args: Any, **kwargs: Any) -> socket.socket:
        body = command.encode_arguments(args, kwargs)
        return channel.open(PREFIX + command.name, body)

    return call


class _Connection(http.client.HTTPConnection):
    def __init__(self, dialer: Dialer, timeout_s: float) -> None:
        super().__init__("node", timeout=timeout_s)
        self._dialer = dialer
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = self._dialer.dial(self._timeout_s)


class _Channel:
    """Connections to one host, kept for the next command."""

    def __init__(self, dialer: Dialer, timeout_s: float) -> None:
        self._dialer = dialer
        self._timeout_s = timeout_s
        self._idle: deque[_Connection] = deque(maxlen=_IDLE_KEPT)

    def post(self, path: str, body: bytes, extra_s: float) -> bytes:
        """Send a command and return its result; raise the error that the host raised."""
        timeout_s = self._timeout_s + extra_s
        with self._answering(timeout_s):
            status, answer = self._post(path, body, timeout_s)
        if status == 200:
            return answer
        raise _fault(self._dialer.name, status, answer).error()

    def open(self, path: str, body: bytes) -> socket.socket:
        """Ask for a stream and return it; raise the error that the host raised."""
        with self._answering(_STREAM_TIMEOUT_S):
            peer = self._dialer.dial(_STREAM_TIMEOUT_S)
            try:
                status, answer = streams.ask(peer, path, body)
            except BaseException:
                peer.close()
                raise
        if status == 101:
            return as_plain(peer)
        peer.close()
        raise _fault(self._dialer.name, status, answer).error()

    @contextlib.contextmanager
    def _answering(self, timeout_s: float) -> Iterator[None]:
        """Say what it means when the host does not answer in the block."""
        try:
            yield
        except TimeoutError as error:
            message = f"The host at {self._dialer.name} did not answer within {timeout_s:g} s."
            raise Unavailable(message) from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            message = f"The host at {self._dialer.name} does not answer: {reason}."
            raise Unavailable(message) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        while self._idle:
            kept = self._idle.pop()
            try:
                return self._exchange(kept, path, body, timeout_s)
            except (ConnectionError, http.client.HTTPException):
                continue  # closed while it was idle; a timeout is told, not repeated
        fresh = _Connection(self._dialer, timeout_s)
        fresh.connect()
        return self._exchange(fresh, path, body, timeout_s)

    def _exchange(
        self, connection: _Connection, path: str, body: bytes, timeout_s: float
    ) -> tuple[int, bytes]:
        try:
            connection.sock.settimeout(timeout_s)
            connection.request("POST", path, body)
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, answer


def _fault(name: str, status: int, answer: bytes) -> Fault:
    try:
        return msgspec.json.decode(answer, type=Fault)
    except msgspec.MsgspecError:
        return Fault(kind="Unavailable", message=f"{name} answered {status} without a reason.")
