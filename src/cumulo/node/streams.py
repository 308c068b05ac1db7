"""Connections that carry bytes instead of answers, once whoever was asked has agreed.

They are asked for as commands are; 101 says that from there on they belong to the stream.
"""

import contextlib
import select
import socket
import ssl
from collections.abc import Iterable

_HEAD_LIMIT = 8192
_ANSWER_LIMIT = 64 * 1024
_PIECE = 256 * 1024
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: stream\r\n\r\n"


def ask(peer: socket.socket, path: str, body: bytes) -> tuple[int, bytes]:
    """Ask for a stream; return the status, and the answer where that is not 101.

    The head is read byte by byte: what follows it is the stream's already.
    """
    head = f"POST {path} HTTP/1.1\r\nHost: node\r\nContent-Length: {len(body)}\r\n\r\n"
    peer.sendall(head.encode() + body)
    lines = _head(peer).split(b"\r\n")
    status = int(lines[0].split()[1])
    if status == 101:
        return status, b""
    lengths = [int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")]
    return status, _exactly(peer, min(lengths[0] if lengths else 0, _ANSWER_LIMIT))


def join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends, then end both.

    One thread does it: a connection over TLS does not bear two.
    """
    ways = [_Way(one, other), _Way(other, one)]
    for each in (one, other):
        each.setblocking(False)
    with contextlib.suppress(OSError, ValueError):  # somebody may close either meanwhile
        while not any(way.is_over for way in ways):
            moved = [way.carry() for way in ways]
            if not any(moved):
                _wait(ways)
    for each in (one, other):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(each, socket.SHUT_RDWR)


class _Way:
    """One direction, with what was read and could not be written yet."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source, self.target = source, target
        self.held = b""
        self._ended = False

    @property
    def is_over(self) -> bool:
        """Say whether nothing more will come this way."""
        return self._ended and not self.held

    def carry(self) -> bool:
        """Move what can be moved now; say whether anything was."""
        moved = False
        if not self.held and not self._ended:
            try:
                self.held = self.source.recv(_PIECE)
                self._ended = not self.held
                moved = True
            except _NOT_NOW:
                pass
        if self.held:
            try:
                self.held = self.held[self.target.send(self.held) :]
                moved = True
            except _NOT_NOW:
                pass
        return moved


def _wait(ways: Iterable[_Way]) -> None:
    """Return when a side may have something, or may take what is held for it."""
    poll = select.poll()
    wanted: dict[int, int] = {}
    for way in ways:
        which, event = (way.target, select.POLLOUT) if way.held else (way.source, select.POLLIN)
        wanted[which.fileno()] = wanted.get(which.fileno(), 0) | event
    for number, events in wanted.items():
        poll.register(number, events)
    poll.poll()


def _head(peer: socket.socket) -> bytes:
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        piece = peer.recv(1)
        if not piece or len(head) > _HEAD_LIMIT:
            raise ConnectionError("the answer to a request for a stream broke off")
        head += piece
    return bytes(head)


def _exactly(peer: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        piece = peer.recv(length - len(found))
        if not piece:
            raise ConnectionError("the answer to a request for a stream broke off")
        found += piece
    return found
