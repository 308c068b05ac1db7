"""A host's commands, served to other processes: of this machine over a Unix socket, or of others.

Who may speak is asked of the kernel, not of the peer.  `Transport` is all that a transport over
the network (`tls.py`) has to bring instead: a listening socket and who its peers are.
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import msgspec
import structlog

from cumulo.kit.errors import CloudError
from cumulo.node import streams
from cumulo.node.api import HostError, Node
from cumulo.node.wire import NODE, PREFIX, Fault, Vocabulary

_BODY_LIMIT = 64 * 1024 * 1024
_IDLE_S = 60.0
_STATUS = {"Unavailable": 503, "NotFound": 404}
log = structlog.get_logger(__name__)


class Transport(Protocol):
    """Where the commands come in."""

    def listen(self) -> socket.socket:
        """Return a listening socket."""

    def admit(self, peer: socket.socket) -> socket.socket | None:
        """Return the connection to speak over, or None to whom we do not speak."""

    def close(self) -> None:
        """Remove what listening left behind."""


class UnixTransport:
    """A Unix socket that serves root and certain users, as the kernel knows them."""

    def __init__(self, path: Path, users: Collection[int] = ()) -> None:
        self._path = path
        self._users = frozenset({0, os.geteuid(), *users})
        self._inode = 0

    def listen(self) -> socket.socket:
        """Take the place of a dead predecessor's socket."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(self._path.name + ".new")
        draft.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(draft))
        draft.chmod(0o666)  # `admit` decides; a mode can name only one user
        listener.listen(128)
        self._inode = draft.stat().st_ino
        draft.rename(self._path)
        return listener

    def admit(self, peer: socket.socket) -> socket.socket | None:
        """Let the users in, on the kernel's word."""
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _gid = struct.unpack("3i", raw)
        if uid in self._users:
            return peer
        log.warning("peer refused", uid=uid, pid=pid, path=str(self._path))
        return None

    def close(self) -> None:
        """Remove the socket's name, unless a successor has taken it."""
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        self._inode = 0


# What is offered to a peer, and in which words.
Offer: TypeAlias = Callable[[socket.socket], tuple[object, Vocabulary]]


class CommandServer:
    """Serves commands until it is closed; one runs to its end even when the caller left."""

    def __init__(self, offer: Offer, transport: Transport) -> None:
        self._offer = offer
        self._transport = transport
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def start(self) -> None:
        """Listen, and serve from threads of its own."""
        self._listener = self._transport.listen()
        self._spawn("node-server", self._accept, self._listener)

    def close(self) -> None:
        """Stop listening and part from everyone connected."""
        if self._listener is None:
            return
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the one who accepts
        self._listener.close()
        self._transport.close()
        with self._lock:
            for peer in self._open:
                with contextlib.suppress(OSError):
                    # As a plain socket: the thread that reads it may be in the midst of TLS.
                    socket.socket.shutdown(peer, socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return  # closed
            self._spawn("node-peer", self._talk, accepted)

    def _talk(self, accepted: socket.socket) -> None:
        accepted.settimeout(_IDLE_S)
        with accepted, contextlib.suppress(OSError):  # a peer may leave at any moment
            peer = self._transport.admit(accepted)
            if peer is not None:
                with peer:
                    self._serve(peer)

    def _serve(self, peer: socket.socket) -> None:
        with self._lock:
            self._open.add(peer)
        try:
            _Handler(peer, self._offer(peer))
        finally:
            with self._lock:
                self._open.discard(peer)

    def _spawn(self, name: str, do: Callable[[socket.socket], None], on: socket.socket) -> None:
        threading.Thread(target=do, args=(on,), name=name, daemon=True).start()


class NodeServer(CommandServer):
    """Serves a node to whoever is let in."""

    def __init__(self, node: Node, transport: Transport) -> None:
        super().__init__(lambda peer: (node, NODE), transport)
        self.node = node


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP on one connection, as long as the peer wants."""

    protocol_version = "HTTP/1.1"

    def __init__(self, peer: socket.socket, offer: tuple[object, Vocabulary]) -> None:
        self._offer = offer
        super().__init__(peer, "", None)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_LIMIT:
            self.close_connection = True
            fault = Fault(kind="HostError", message=f"{length} bytes are more than a host reads.")
            self._answer(413, msgspec.json.encode(fault))
            return
        status, answer = _carry_out(self._offer, self.path, self.rfile.read(length))
        if isinstance(answer, socket.socket):
            self._hand_over(answer)
        else:
            self._answer(status, answer)

    def _hand_over(self, stream: socket.socket) -> None:
        """Let the connection be the stream from here on."""
        self.close_connection = True
        with stream:
            self.connection.sendall(streams.AGREED)
            streams.join(self.connection, stream)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the caller logs its steps."""


def _carry_out(
    offer: tuple[object, Vocabulary], path: str, body: bytes
) -> tuple[int, bytes | socket.socket]:
    """Return the status and body of the answer to a command, or the stream that it opened."""
    target, words = offer
    try:
        name = path.removeprefix(PREFIX) if path.startswith(PREFIX) else ""
        if name in words.streams:
            return 101, cast(socket.socket, words.streams[name].carry_out(target, body))
        command = words.commands.get(name)
        if command is None:
            raise HostError(f"The host knows no command {path}: it may need an upgrade.")
        return 200, command.call(target, body)
    except CloudError as error:
        fault = Fault.of(error)
        return _STATUS.get(fault.kind, 409), msgspec.json.encode(fault)
    except Exception:
        log.exception("command failed", command=path)
        fault = Fault(kind="HostError", message=f"{path} failed: see the log of the host.")
        return 500, msgspec.json.encode(fault)
