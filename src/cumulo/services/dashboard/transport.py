"""How the dashboard reaches an API: by a call where this process serves it, else over HTTP."""

import http.client
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import msgspec

from cumulo.kit.errors import Unavailable

App: TypeAlias = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]
_PIECE = 1 << 20
_TIMEOUT_S = 60


class Body(Protocol):
    """What a request carries when that is too much to hold."""

    length: int | None  # None: it is not known before it has come

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to an API."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Body = b""
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the API said."""

    status: int
    headers: Mapping[str, str]  # lower-case names
    pieces: Iterable[bytes] = field(repr=False)

    def read(self) -> bytes:
        """Return all of it."""
        return b"".join(self.pieces)

    def json(self) -> Any:
        """Return what it means; nothing where there is no body."""
        text = self.read()
        return msgspec.json.decode(text) if text else None


class Transport:
    """Sends requests; `local` is the application behind each port that this process serves."""

    def __init__(self, local: Callable[[], Mapping[int, App]]) -> None:
        self._local, self._apps = local, dict[int, App]()
        self._lock = threading.Lock()

    def send(self, ask: Ask) -> Told:
        """Return the answer, whatever its status; raise `Unavailable` when there is none."""
        parts = urlsplit(ask.url)
        app = self._app(parts)
        if app is not None:
            return _called(app, ask, parts)
        try:
            return _sent(ask, parts)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{parts.netloc} does not answer: {error}.") from error

    def _app(self, parts: SplitResult) -> App | None:
        with self._lock:
            if not self._apps:
                self._apps.update(self._local())
        return self._apps.get(parts.port or 0)


def _called(app: App, ask: Ask, parts: SplitResult) -> Told:
    length = len(ask.body) if isinstance(ask.body, bytes) else ask.body.length
    source: Any = io.BytesIO(ask.body) if isinstance(ask.body, bytes) else Reader(ask.body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": ask.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": ask.remote,
        "HTTP_HOST": parts.netloc,
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": source,
    }
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    else:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    for name, value in ask.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        started[:] = [int(status[:3]), {name.lower(): value for name, value in headers}]

    pieces = app(environ, start_response)
    return Told(started[0], started[1], pieces)


def _sent(ask: Ask, parts: SplitResult) -> Told:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    headers = dict(ask.headers)
    if not isinstance(ask.body, bytes) and ask.body.length is not None:
        headers["Content-Length"] = str(ask.body.length)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request(ask.method, path, ask.body, headers)
        answer = connection.getresponse()
    except BaseException:
        connection.close()
        raise
    found = {name.lower(): value for name, value in answer.getheaders()}
    return Told(answer.status, found, _pieces(connection, answer))


def _pieces(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
) -> Iterator[bytes]:
    try:
        while piece := answer.read(_PIECE):
            yield piece
    finally:
        connection.close()


class Reader:
    """Reads from pieces as from a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._held = iter(pieces), b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        while size < 0 or len(self._held) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._held += piece
        cut = len(self._held) if size < 0 else size
        found, self._held = self._held[:cut], self._held[cut:]
        return found
