"""The consoles of a guest without a machine: a screen that shows its text, and a terminal.

The screen speaks RFB 3.8 as QEMU does, as far as viewers ask: no password, 32 bits a pixel, raw
rectangles.  What is typed in either is echoed; nobody can log in.
"""

import contextlib
import functools
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import Protocol

from cumulo.node.api import ConsoleKind
from cumulo.node.drivers.fake_font import glyph

COLUMNS, ROWS = 80, 25
_CELL_WIDTH, _CELL_HEIGHT = 8, 16
WIDTH, HEIGHT = COLUMNS * _CELL_WIDTH, ROWS * _CELL_HEIGHT
_LOOK_MS = 50  # how soon new text shows
_PIXELS = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_INK, _PAPER = b"\xff\xff\xff\x00", b"\x00\x00\x00\x00"
_KEYS = {0xFF0D: "\r", 0xFF8D: "\r", 0xFF08: "\b", 0xFF09: "\t"}
# What follows the kind of a message, where that is of a fixed length.
_SET_PIXEL_FORMAT, _SET_ENCODINGS, _WANT_UPDATE, _KEY, _POINTER, _CUT_TEXT = 0, 2, 3, 4, 5, 6
_REST = {_SET_PIXEL_FORMAT: 19, _WANT_UPDATE: 9, _KEY: 7, _POINTER: 5}
_CUT_TEXT_LIMIT = 1 << 20


class Terminal(Protocol):
    """What a console shows and takes."""

    def text(self) -> str | None:
        """Return all that was written; None once nobody writes any more."""

    def type(self, keys: str) -> None:
        """Take what somebody typed."""


def open_console(terminal: Terminal, name: str, kind: ConsoleKind) -> socket.socket:
    """Return a connection to a terminal, served until either side ends it."""
    ours, theirs = socket.socketpair()
    serve = _serve_serial if kind == "serial" else _serve_screen
    of_it = (serve, ours, _Peer(ours, terminal), name)
    threading.Thread(target=_served, args=of_it, name=f"fake-{kind}", daemon=True).start()
    return theirs


def _served(
    serve: "Callable[[_Peer, str], None]", ours: socket.socket, peer: "_Peer", name: str
) -> None:
    with ours, contextlib.suppress(OSError, EOFError):
        serve(peer, name)


class _Peer:
    """Who looks at a terminal and types; gone when either has gone."""

    def __init__(self, connection: socket.socket, terminal: Terminal) -> None:
        self.send, self.terminal = connection.sendall, terminal
        self._connection = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def has_sent(self) -> bool:
        """Wait a moment for something to read, and say whether there is."""
        return bool(self._poll.poll(_LOOK_MS))

    def some(self, most: int = 4096) -> bytes:
        """Return what there is to read, once there is."""
        while not self.has_sent():
            self.text()
        piece = self._connection.recv(most)
        if not piece:
            raise EOFError("the viewer left")
        return piece

    def exactly(self, length: int) -> bytes:
        """Return as many bytes."""
        found = b""
        while len(found) < length:
            found += self.some(length - len(found))
        return found

    def text(self) -> str:
        """Return what the terminal shows."""
        text = self.terminal.text()
        if text is None:
            raise EOFError("the guest stopped")
        return text


def _serve_serial(peer: _Peer, _name: str) -> None:
    shown = peer.text()
    while True:
        text = peer.text()
        if text != shown:
            news = text[len(shown) :] if text.startswith(shown) else text
            peer.send(news.replace("\n", "\r\n").encode())
            shown = text
        if peer.has_sent():
            peer.terminal.type(peer.some().decode("utf-8", "replace"))


def _serve_screen(peer: _Peer, name: str) -> None:
    _agree(peer, name)
    shown: list[str] = [""] * ROWS
    is_wanted = False
    while True:
        lines = screen(peer.text())
        changed = [row for row in range(ROWS) if lines[row] != shown[row]]
        if is_wanted and changed:
            peer.send(struct.pack(">BxH", 0, len(changed)))
            peer.send(b"".join(_rectangle(row, lines[row]) for row in changed))
            shown, is_wanted = lines, False
        if peer.has_sent():
            wanted, whole = _take(peer)
            is_wanted = is_wanted or wanted
            shown = [""] * ROWS if whole else shown


def _agree(peer: _Peer, name: str) -> None:
    """Agree on the protocol, on no password and on the pixels."""
    peer.send(b"RFB 003.008\n")
    peer.exactly(12)
    peer.send(b"\x01\x01")
    peer.exactly(1)
    peer.send(bytes(4))
    peer.exactly(1)
    title = name.encode()[:255]
    about = struct.pack(">HH", WIDTH, HEIGHT) + _PIXELS + struct.pack(">I", len(title))
    peer.send(about + title)


def _take(peer: _Peer) -> tuple[bool, bool]:
    """Take a message; return whether it wants an update, and whether of all."""
    kind = peer.exactly(1)[0]
    if kind == _SET_ENCODINGS:
        peer.exactly(4 * struct.unpack(">xH", peer.exactly(3))[0])
    elif kind == _CUT_TEXT:
        length = struct.unpack(">3xI", peer.exactly(7))[0]
        if length > _CUT_TEXT_LIMIT:
            raise EOFError("too much text")
        peer.exactly(length)
    elif kind in _REST:
        rest = peer.exactly(_REST[kind])
        if kind == _SET_PIXEL_FORMAT and rest[3] != 32:
            raise EOFError("only 32 bits a pixel")
        if kind == _KEY:
            _press(peer.terminal, *struct.unpack(">B2xI", rest))
        return kind == _WANT_UPDATE, kind == _WANT_UPDATE and not rest[0]
    else:
        raise EOFError("a message that nobody knows")
    return False, False


def _press(terminal: Terminal, is_down: int, symbol: int) -> None:
    key = _KEYS.get(symbol, chr(symbol) if 32 <= symbol < 127 else "")
    if is_down and key:
        terminal.type(key)


def screen(text: str) -> list[str]:
    """Return the lines that a screen shows of a text, each as wide as the screen."""
    lines: list[str] = []
    for line in text[-COLUMNS * ROWS * 2 :].split("\n"):
        lines += [line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS)] or [""]
    lines[-1] += "_"  # where the next character goes
    last = [line[:COLUMNS] for line in lines[-ROWS:]]
    return [line.ljust(COLUMNS) for line in [*last, *[""] * (ROWS - len(last))]]


def _rectangle(row: int, line: str) -> bytes:
    head = struct.pack(">HHHHi", 0, row * _CELL_HEIGHT, WIDTH, _CELL_HEIGHT, 0)
    return head + b"".join(_dots(char, dot) for dot in range(_CELL_HEIGHT) for char in line)


@functools.cache
def _dots(char: str, row: int) -> bytes:
    """Return one row of the pixels of a character; it is drawn twice as high as wide."""
    return b"".join(_INK if bits >> (row // 2) & 1 else _PAPER for bits in glyph(char))
