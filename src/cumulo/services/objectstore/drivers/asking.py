"""What monitoring asks a device server over HTTP, on the port that serves the devices.

A caller of ours begins with four bytes that no request begins with.  Nothing can be changed this
way, and an answer ends the connection.
"""

import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias

Answerer: TypeAlias = Callable[[str], tuple[int, str, bytes]]
_METHODS = (b"GET ", b"HEAD", b"OPTI")
_MOST = 8192
_SERVER = "object-server/cumulo"


def is_asked(start: bytes) -> bool:
    """Say whether what a connection begins with is a request over HTTP."""
    return start in _METHODS


def answer(connection: socket.socket, start: bytes, answerer: Answerer) -> None:
    """Answer one request, whose first bytes were read."""
    method, path = _request(connection, start)
    if method == "OPTIONS":
        status, kind, body = 200, "text/plain", b""
    else:
        status, kind, body = answerer(path)
    allow = "Allow: GET, HEAD, OPTIONS\r\n" if method == "OPTIONS" else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: {_SERVER}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n{allow}Connection: close\r\n\r\n"
    )
    connection.sendall(head.encode() + (b"" if method == "HEAD" else body))


def _request(connection: socket.socket, start: bytes) -> tuple[str, str]:
    held = start
    while b"\r\n\r\n" not in held and len(held) < _MOST:
        piece = connection.recv(_MOST - len(held))
        if not piece:
            break
        held += piece
    words = held.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return words[0], words[1] if len(words) > 1 else ""
