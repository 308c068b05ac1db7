"""One HTTP server for the metadata requests of all networks, through sockets opened in each.

It passes on what it understands and nothing else: path, body and four headers of the request,
and from itself who asks.  A guest may be slow, greedy or hostile without harm to the others.
"""

import contextlib
import http.client
import ipaddress
import os
import selectors
import socket
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import structlog

from cumulo.kit import clock
from cumulo.kit.errors import CloudError, NotFound
from cumulo.node.controller import Controller, MetadataAnswer, MetadataQuestion
from cumulo.node.signatures import NETWORK, PEER, SIGNATURE, sign

_FORWARDED = ("Accept", "Content-Type", "User-Agent", "If-None-Match")
_RETURNED = ("Content-Type", "ETag", "Last-Modified", "Retry-After", "Allow")
_METHODS = ("GET", "HEAD", "POST", "PUT")
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a guest may take."""

    path: int = 4096
    body: int = 64 * 1024
    answer: int = 4 * 1024 * 1024
    connections: int = 128
    connections_of_network: int = 32
    connections_of_peer: int = 8
    read_s: float = 10.0  # between two pieces of a request
    connection_s: float = 60.0  # for a connection as a whole
    upstream_s: float = 30.0


class _Peer(NamedTuple):
    network_id: str
    address: str


class Upstream(Protocol):
    """Who knows the answers."""

    def ask(self, question: MetadataQuestion, limits: Limits) -> MetadataAnswer:
        """Return the answer; OSError, HTTPException or CloudError when there is none."""


class HttpUpstream:
    """The metadata API, asked directly by a host that signs what it says."""

    def __init__(self, url: str, secret: bytes) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{url}: give http://HOST:PORT")
        self._host, self._port = parts.hostname, parts.port or 80
        self._secret = secret

    def ask(self, question: MetadataQuestion, limits: Limits) -> MetadataAnswer:
        """Sign the question and pass it on."""
        headers = {
            **question.headers,
            "Host": f"{self._host}:{self._port}",
            NETWORK: question.network_id,
            PEER: question.address,
            SIGNATURE: sign(self._secret, question.network_id, question.address),
            "Content-Length": str(len(question.body)),
            "Connection": "close",
        }
        upstream = http.client.HTTPConnection(self._host, self._port, timeout=limits.upstream_s)
        with contextlib.closing(upstream):
            upstream.request(question.method, question.path, question.body, headers)
            answer = upstream.getresponse()
            body = answer.read(limits.answer + 1)
            return MetadataAnswer(status=answer.status, headers=answer.getheaders(), body=body)


class ControllerUpstream:
    """The controller, which knows by our certificate which host we are."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def ask(self, question: MetadataQuestion, limits: Limits) -> MetadataAnswer:
        """Pass the question on."""
        return self._controller.answer_metadata(question)


class Proxy:
    """Accepts on sockets of many networks and asks one upstream."""

    def __init__(self, upstream: Upstream, limits: Limits | None = None) -> None:
        self.upstream = upstream
        self.limits = limits or Limits()
        self._selector = selectors.DefaultSelector()
        self._listeners: dict[str, socket.socket] = {}
        self._open: dict[socket.socket, tuple[_Peer, float]] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None

    def serve(self, network_id: str, listener: socket.socket) -> None:
        """Answer what comes in by this socket, which is the proxy's from now on."""
        listener.setblocking(False)
        self.forget(network_id)
        with self._lock:
            self._listeners[network_id] = listener
            self._selector.register(listener, selectors.EVENT_READ, network_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="metadata", daemon=True)
                self._thread.start()
        self._wake()

    def forget(self, network_id: str) -> None:
        """Close the network's socket and the connections made by it."""
        with self._lock:
            listener = self._listeners.pop(network_id, None)
            if listener is None:
                return
            self._selector.unregister(listener)
            ended = [c for c, (peer, _) in self._open.items() if peer.network_id == network_id]
        listener.close()
        for connection in ended:
            _shut(connection)

    def networks(self) -> set[str]:
        """Return the networks whose requests are answered."""
        with self._lock:
            return set(self._listeners)

    def close(self) -> None:
        """Stop answering; once is enough."""
        if self._closing:
            return
        for network_id in self.networks():
            self.forget(network_id)
        self._closing = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(timeout=self._end_overdue()):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                else:
                    self._accept(key.fileobj, key.data)  # type: ignore[arg-type]

    def _end_overdue(self) -> float | None:
        """End connections that had their time; return when the next will be due."""
        now = clock.monotonic()
        with self._lock:
            ends = {c: since + self.limits.connection_s for c, (_, since) in self._open.items()}
        for connection, end in ends.items():
            if end <= now:
                _shut(connection)
        return max(0.1, min(ends.values()) - now) if ends else None

    def _accept(self, listener: socket.socket, network_id: str) -> None:
        try:
            connection, address = listener.accept()
        except OSError:  # gone again, or the listener is
            return
        peer = _Peer(network_id, _plain(address[0]))
        with self._lock:
            is_welcome = self._is_welcome(peer)
            if is_welcome:
                self._open[connection] = (peer, clock.monotonic())
        if not is_welcome:
            with connection, contextlib.suppress(OSError):
                connection.setblocking(False)
                connection.send(_BUSY)
            return
        threading.Thread(
            target=self._talk, args=(connection, peer), name="metadata request", daemon=True
        ).start()

    def _is_welcome(self, peer: _Peer) -> bool:
        networks = Counter(each.network_id for each, _ in self._open.values())
        of_peer = sum(each == peer for each, _ in self._open.values())
        return (
            len(self._open) < self.limits.connections
            and networks[peer.network_id] < self.limits.connections_of_network
            and of_peer < self.limits.connections_of_peer
        )

    def _talk(self, connection: socket.socket, peer: _Peer) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(self.limits.read_s)
                _Handler(connection, peer, self)
        finally:
            with self._lock:
                self._open.pop(connection, None)


class _Refused(Exception):
    """The request is not passed on."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off a connection and passes each on."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # refusals have a status line, whatever came
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain"

    def __init__(self, connection: socket.socket, peer: _Peer, proxy: Proxy) -> None:
        self._peer, self._proxy = peer, proxy
        super().__init__(connection, (peer.address, 0), proxy)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_") and name[3:] in _METHODS:
            return self._pass_on
        raise AttributeError(name)

    def version_string(self) -> str:
        """Say who answers."""
        return "Cumulo"

    def log_message(self, format: str, *args: object) -> None:
        """Note what http.server has to say."""
        log.debug("metadata request", network=self._peer.network_id, text=format % args)

    def _pass_on(self) -> None:
        try:
            status, headers, answer = self._ask(self._body())
        except _Refused as refusal:
            self._refuse(refusal.status, str(refusal))
        except (TimeoutError, http.client.HTTPException, ValueError) as error:
            self._refuse(502, f"The metadata API did not answer as it should: {error}")
        except OSError as error:
            self._refuse(503, f"The metadata API is away: {error}")
        except CloudError as error:
            status = 404 if isinstance(error, NotFound) else 503
            self._refuse(status, f"The metadata API did not answer: {error.message}")
        else:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

    def _body(self) -> bytes:
        limits = self._proxy.limits
        lengths = self.headers.get_all("Content-Length", ["0"])
        if not self.path.startswith("/"):
            raise _Refused(400, "The path must begin with a slash.")
        if len(self.path) > limits.path:
            raise _Refused(414, f"The path has more than {limits.path} characters.")
        if "Transfer-Encoding" in self.headers:
            raise _Refused(411, "Give the length of the body.")
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise _Refused(400, "Content-Length must be one number.")
        if len(lengths[0]) > 9 or int(lengths[0]) > limits.body:
            raise _Refused(413, f"The body has more than {limits.body} bytes.")
        return self.rfile.read(int(lengths[0]))

    def _refuse(self, status: int, text: str) -> None:
        self.close_connection = True
        self.send_error(status, text)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        proxy = self._proxy
        question = MetadataQuestion(
            network_id=self._peer.network_id,
            address=self._peer.address,
            method=self.command,
            path=self.path,
            headers={name: self.headers[name] for name in _FORWARDED if name in self.headers},
            body=body,
        )
        answer = proxy.upstream.ask(question, proxy.limits)
        if len(answer.body) > proxy.limits.answer:
            raise ValueError("the answer is too long")
        headers = {name.title(): value for name, value in answer.headers}
        length = str(len(answer.body))
        if self.command == "HEAD":
            length = headers.get("Content-Length", "0")
        kept = [(name, headers[name.title()]) for name in _RETURNED if name.title() in headers]
        return answer.status, [*kept, ("Content-Length", length)], answer.body


def _plain(address: str) -> str:
    """Return a peer's address as the database has it: no mapped IPv4, no scope."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
