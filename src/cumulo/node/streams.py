"""Connections that carry bytes instead of answers, once whoever was asked has agreed.

They are asked for as commands are; 101 says that from there on they belong to the stream.
"""

import contextlib
import socket
import threading

_HEAD_LIMIT = 8192
_ANSWER_LIMIT = 64 * 1024
_PIECE = 64 * 1024
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
    """Carry bytes both ways until either side ends, then end both."""
    for each in (one, other):
        each.settimeout(None)
    back = threading.Thread(target=_carry, args=(other, one), name="stream", daemon=True)
    back.start()
    _carry(one, other)
    back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


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
