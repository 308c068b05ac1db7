"""Ports: one WSGI application each, served by granian from threads of this process.

The only module that touches granian's worker objects, the same that its own threaded server
uses; they are not a public interface, so the version is pinned and a test serves with it.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from granian._futures import _new_cbscheduler
from granian._granian import WorkerSignal, WSGIWorker
from granian._loops import loops
from granian.http import HTTP1Settings
from granian.net import SocketSpec

from cumulo.kit import processors
from cumulo.kit.errors import Conflict

BACKLOG = 1024
IDLE_S = 30
# At once, those that rest between two requests too: clients keep theirs open for half a minute.
CONNECTIONS = 4096
COMMON: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


class HttpServer:
    """One port; it listens from `start` to `stop`."""

    def __init__(self, app: Callable[..., Any], host: str, port: int, *, threads: int = 16) -> None:
        self._app, self._threads = app, threads
        self.host, self.port = host, port
        self._signal, self._stopped = WorkerSignal(), threading.Event()
        self._thread: threading.Thread | None = None
        self._listener: socket.socket | None = None  # what listens already

    def start(self) -> None:
        """Return once the port listens; raises `Conflict` when somebody else has it."""
        if self._listener is None:
            _check_free(self.host, self.port)
        self._signal.add_cb(self._stopped.set)
        self._thread = threading.Thread(target=self._run, name=f"http-{self.port}", daemon=True)
        self._thread.start()
        _wait_for(self.host, self.port, self._thread)

    def stop(self) -> None:
        """Stop listening and let requests under way end."""
        self._signal.set()
        if self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        loop = loops.get("asyncio")
        listener = (SocketSpec(self.host, self.port, BACKLOG), None)
        kind: Any = WSGIWorker
        worker = kind(
            1, listener, None, 1, self._threads, self._threads, IDLE_S, CONNECTIONS, "1",
            HTTP1Settings(), None, None, False, None, None, None, "tls1.3", None, [], False,
            (None, None),
        )  # fmt: skip
        scheduler = _new_cbscheduler(loop, _runner(self._app), impl_asyncio=True)
        try:
            worker.serve_mtr(scheduler, loop, self._signal)
            self._stopped.wait()
        finally:
            loop.close()


def listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """Return sockets that listen on one port, for as many processes; each takes its share.

    Raises `Conflict` when somebody else has the port.
    """
    _check_free(host, port)
    found = list[socket.socket]()
    for _ in range(count):
        one = socket.socket(_family(host), socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, port))
        one.listen(BACKLOG)
        found.append(one)
    return found


def _check_free(host: str, port: int) -> None:
    """Find a taken port now, with its number, rather than in a thread that nobody watches."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(f"Port {port} on {host} cannot be used: {error.strerror}.") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _wait_for(host: str, port: int, server: threading.Thread) -> None:
    """Return once somebody listens; granian does not say when it begins to."""
    while server.is_alive():
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.002)
        else:
            return


def _runner(app: Callable[..., Any]) -> Callable[[Any, dict[str, Any]], int]:
    """Return granian's callback; its own would show our environment variables as headers."""

    def run(proto: Any, scope: dict[str, Any]) -> int:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started[:] = [int(status[:3]), headers]

        processors.join()
        answer = app(COMMON | scope, start_response)
        status, headers = started
        if isinstance(answer, list | tuple):
            proto.response_bytes(status, headers, b"".join(answer))
        else:
            proto.response_iter(status, headers, _Pieces(answer))
        return int(status)

    return run


class _Pieces:
    """An iterator with the `close` that granian calls at the end, also of a broken one."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._inner = pieces
        self.__next__ = iter(pieces).__next__

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close:
            close()
