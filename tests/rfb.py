"""A viewer of screens: as much of RFB 3.8 as it takes to look at one."""

import socket
import struct
from collections.abc import Callable

_WITHOUT_COMPRESSION = struct.pack(">BxHi", 2, 1, 0)


class Viewer:
    """Looks at a screen through any connection, given how to send to it and to receive."""

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
        self._send, self._receive, self._held = send, receive, b""
        assert self._take(12) == b"RFB 003.008\n"
        send(b"RFB 003.008\n")
        assert 1 in self._take(self._take(1)[0]), "the screen asks for a password"
        send(b"\x01")
        assert self._take(4) == bytes(4)
        send(b"\x01")
        self.width, self.height = struct.unpack(">HH", self._take(4))
        self._take(16)
        self.name = self._take(struct.unpack(">I", self._take(4))[0]).decode()
        send(_WITHOUT_COMPRESSION)

    def type(self, text: str) -> None:
        """Press and release a key for each character."""
        for char in text:
            symbol = 0xFF0D if char == "\n" else ord(char)
            self._send(b"".join(struct.pack(">BBxxI", 4, down, symbol) for down in (1, 0)))

    def look(self, *, incremental: bool = False) -> bytes:
        """Return the pixels, four bytes each, of what is shown or of what has changed."""
        area = (0, 0, self.width, self.height)
        self._send(struct.pack(">BBHHHH", 3, incremental, *area))
        while (kind := self._take(1)[0]) != 0:
            self._skip(kind)
        pixels = b""
        for _ in range(struct.unpack(">xH", self._take(3))[0]):
            width, height, encoding = struct.unpack(">4xHHi", self._take(12))
            assert encoding == 0
            pixels += self._take(width * height * 4)
        return pixels

    def _skip(self, kind: int) -> None:
        """Pass over a colour map, a bell, or what was copied at the guest."""
        if kind == 1:
            count = struct.unpack(">xHH", self._take(5))[1]
            self._take(6 * count)
        elif kind == 3:
            self._take(struct.unpack(">3xI", self._take(7))[0])

    def _take(self, length: int) -> bytes:
        while len(self._held) < length:
            piece = self._receive()
            assert piece, "the screen is gone"
            self._held += piece
        taken, self._held = self._held[:length], self._held[length:]
        return taken


def viewer_of(connection: socket.socket) -> Viewer:
    """Return a viewer over a socket."""
    return Viewer(connection.sendall, lambda: connection.recv(1 << 16))
