"""Requests from several clients, each on a connection of its own: one again and again, or a list.

The bytes are made once and answers are read only as far as they have to be, so that the clients
leave the machine to what is measured.
"""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

_JOINED = 64 << 10  # bytes of a body that go out together with the head


class Blows(NamedTuple):
    """What came of it: milliseconds of each request in order of length, and how long all took."""

    ms: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Return requests a second."""
        return len(self.ms) / self.seconds

    def percentile(self, share: float) -> float:
        """Return how many milliseconds that share of the requests took at most."""
        return self.ms[min(int(len(self.ms) * share), len(self.ms) - 1)]


def hammer(url: str, headers: Mapping[str, str], times: int, clients: int) -> Blows:
    """GET `url` so often in all; every answer must be 200."""
    parts, request = urlsplit(url), spelled("GET", url, headers)
    where = (parts.hostname or "", parts.port or 80)
    each: list[list[float]] = [[] for _ in range(clients)]
    threads = [
        threading.Thread(target=_client, args=(where, request, times // clients, mine))
        for mine in each
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return Blows(sorted(ms for mine in each for ms in mine), seconds)


def volley(url: str, requests: Sequence[tuple[bytes, bytes]], clients: int, status: int) -> float:
    """Send each of some requests, head and body, to who has `url`; return the seconds it took.

    Every answer must have that status.
    """
    parts = urlsplit(url)
    where, rest, lock = (parts.hostname or "", parts.port or 80), list(requests), Lock()

    def shoot() -> None:
        with socket.create_connection(where) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with lock:
                    if not rest:
                        return
                    head, body = rest.pop()
                if len(body) < _JOINED:
                    connection.sendall(head + body)
                else:
                    connection.sendall(head)
                    connection.sendall(body)
                _read_answer(connection, status)

    threads = [threading.Thread(target=shoot) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def spelled(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _client(where: tuple[str, int], request: bytes, times: int, found: list[float]) -> None:
    with socket.create_connection(where) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            began = time.perf_counter()
            connection.sendall(request)
            _read_answer(connection)
            found.append((time.perf_counter() - began) * 1000)


def _read_answer(connection: socket.socket, status: int = 200) -> None:
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    head = data[:end].lower()
    if not head.startswith(b"http/1.1 %d" % status):
        raise SystemExit(f"an answer was not {status}: {data[:300]!r}")
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    missing = length - (len(data) - end - 4)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise SystemExit("the connection was closed in the middle of an answer")
    return data
