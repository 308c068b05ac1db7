"""Websites of tests: a few answers on a port of this machine, under any name and address."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from cumulo.kit.outbound import Destinations, Outbound


class Line:
    """A connection that says it ends at an address of its own choice."""

    def __init__(self, plain: socket.socket, address: str) -> None:
        self._plain, self._address = plain, address

    def getpeername(self) -> tuple[str, int]:
        return self._address, 80

    def __getattr__(self, name: str) -> object:
        return getattr(self._plain, name)


@dataclass
class Website:
    """What it answers to each path, and which connections were asked of it."""

    pages: Mapping[str, bytes]
    names: dict[str, list[str]] = field(default_factory=lambda: {"site": ["93.184.216.34"]})
    visited: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)  # paths after whose answer it does not hang up

    def outbound(self, **rules: tuple[object, ...]) -> Outbound:
        """Return the way to it: names stand for what `names` says; all lead here."""
        return self.limited(Destinations(**rules))  # type: ignore[arg-type]

    def limited(self, rules: Destinations | None = None, **limits: float) -> Outbound:
        """Return a way to it that has limits."""
        return Outbound(
            rules or Destinations(),
            resolve=self._resolve,
            connect=self._connect,
            **{"silence_s": 5.0, **limits},  # type: ignore[arg-type]
        )

    def _resolve(self, host: str, port: int) -> list[str]:
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return self.names[host]

    def _connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.visited.append(address)
        ours, theirs = socket.socketpair()
        ours.settimeout(timeout_s)
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return Line(ours, address)  # type: ignore[return-value]

    def _serve(self, line: socket.socket) -> None:
        with line:
            head = b""
            while b"\r\n\r\n" not in head:
                more = line.recv(65536)
                if not more:
                    return
                head += more
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            answer = self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                line.sendall(answer)
                if path in self.held:
                    line.recv(1)


def page(content: bytes, *, length: int | None = None) -> bytes:
    """Return an answer with a body, which may say that it is longer than it is."""
    told = len(content) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % told + content


def redirect(url: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % url.encode()


@contextmanager
def listening() -> Iterator[int]:
    """Yield a real port of this machine on which nobody must ever connect."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
