"""What device servers and their callers say to each other: frames over TCP, after a handshake.

Each side proves that it knows the cluster's secret; nothing is told to who does not.  What is said
is not hidden from whoever can listen: like Swift's, the network between servers is a private one.
"""

import hashlib
import hmac
import secrets
import socket
import struct
from typing import Any

import msgspec

from cumulo.services.objectstore.drivers.base import DeviceFailed, NotWhole

CALL, BYTES, DONE, FAILED, SPOILED = b"C", b"B", b"D", b"F", b"S"
_HEAD = struct.Struct(">cI")
_LONGEST = 256 << 20
_NONCE = 32
_HELLO = b"cumu"  # begins what a caller says, so that a server can tell it from a request over HTTP
_LOST = "the connection was lost"


class ConnectionLost(DeviceFailed):
    """The other side is gone, or was never there."""


class Call(msgspec.Struct, array_like=True, frozen=True):
    """Something to be done by a device, or by one of its indexes."""

    device: str
    method: str
    args: msgspec.Raw
    index: tuple[str, int, str] | None = None  # kind, partition, key


class Wire:
    """One connection between a caller and a server."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection

    def send(self, kind: bytes, payload: bytes | memoryview) -> None:
        """Send a frame."""
        try:
            head = _HEAD.pack(kind, len(payload))
            if len(payload) < 65536:
                self._socket.sendall(head + payload)
            else:
                self._socket.sendall(head)
                self._socket.sendall(payload)
        except OSError as error:
            raise ConnectionLost(_LOST) from error

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next frame's kind and content."""
        kind, length = _HEAD.unpack(self._exactly(_HEAD.size))
        if length > _LONGEST:
            raise DeviceFailed("a frame is too long")
        return kind, self._exactly(length)

    def answer(self) -> bytes:
        """Return what the other side did, or raise what kept it from it."""
        kind, content = self.receive()
        if kind == DONE:
            return content
        words = content.decode("utf-8", "replace")[:500]
        raise NotWhole(words) if kind == SPOILED else DeviceFailed(words)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask_in(self, secret: bytes) -> None:
        """Prove to a server that we belong to it, and have it do the same."""
        self._send_raw(_HELLO)
        theirs, mine = self._exactly(_NONCE), secrets.token_bytes(_NONCE)
        self._send_raw(mine + _proof(secret, b"caller", theirs, mine))
        if not hmac.compare_digest(self._exactly(_NONCE), _proof(secret, b"server", theirs, mine)):
            raise DeviceFailed("the server does not know the cluster's secret")

    def let_in(self, secret: bytes) -> bool:
        """Have a caller prove that it belongs to us; say whether it does.

        Its first four bytes were read by `begun`.
        """
        mine = secrets.token_bytes(_NONCE)
        self._send_raw(mine)
        theirs, proof = self._exactly(_NONCE), self._exactly(_NONCE)
        if not hmac.compare_digest(proof, _proof(secret, b"caller", mine, theirs)):
            return False
        self._send_raw(_proof(secret, b"server", mine, theirs))
        return True

    def begun(self) -> bytes:
        """Return the first four bytes that a caller says."""
        return self._exactly(len(_HELLO))

    def _send_raw(self, content: bytes) -> None:
        try:
            self._socket.sendall(content)
        except OSError as error:
            raise ConnectionLost(_LOST) from error

    def _exactly(self, length: int) -> bytes:
        held = bytearray(length)
        view, at = memoryview(held), 0
        try:
            while at < length:
                size = self._socket.recv_into(view[at:])
                if not size:
                    raise ConnectionLost(_LOST)
                at += size
        except OSError as error:
            raise ConnectionLost(_LOST) from error
        return bytes(held)


def secret_of(salt: str) -> bytes:
    """Return what the servers of a cluster know each other by."""
    return hashlib.sha256(b"devices" + salt.encode()).digest()


def encoded(*args: Any) -> bytes:
    """Return the arguments of a call, or its result."""
    return msgspec.msgpack.encode(args)


def _proof(secret: bytes, who: bytes, server: bytes, caller: bytes) -> bytes:
    return hmac.new(secret, who + server + caller, hashlib.sha256).digest()
