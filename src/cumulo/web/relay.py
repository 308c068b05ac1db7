"""The edge of long-lived streams: files for a browser, and websockets joined to a connection.

The only asynchronous code there is, but for that of large bodies.  Whoever opens a websocket shows
a token in its query; what the token opens is not this module's to know, and the token goes nowhere
else: not into an answer, not into a log.
"""

import asyncio
import contextlib
import logging
import mimetypes
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import uvicorn

from cumulo.kit import log
from cumulo.kit.errors import CloudError
from cumulo.web.server import BACKLOG, IDLE_S, HttpServer

LOG = log.get("web")
Message: TypeAlias = dict[str, Any]
Connect: TypeAlias = Callable[[str], socket.socket]
VIEWER = Path(__file__).parent / "viewer"  # the pages that show consoles
_PIECE = 1 << 16
_LARGEST_MESSAGE = 1 << 20  # of a client: what it copies and pastes
_ALIVE_S = 20.0  # how often a client is asked whether it is still there, and how soon it must say
_SAFE = (
    (b"cache-control", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),  # the address of the page has the token in it
    (b"x-content-type-options", b"nosniff"),
)


class RelayServer(HttpServer):
    """One port; it listens from `start` to `stop`, which ends every stream.

    `connect` turns a token into a connection, in a thread; it raises what clients are refused for.
    """

    def __init__(
        self,
        files: dict[str, Path],
        connect: Connect,
        host: str,
        port: int,
        *,
        allowed_origins: tuple[str, ...] = (),
        most: int = 512,
    ) -> None:
        relay = Relay(files, connect, allowed_origins)
        super().__init__(relay.serve, host, port)
        self._most = most
        self._server: uvicorn.Server | None = None

    def stop(self) -> None:
        """Stop listening and end every stream."""
        if self._server:
            self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self._app,
            host=self.host,
            port=self.port,
            http="h11",
            ws="websockets-sansio",
            ws_max_size=_LARGEST_MESSAGE,
            ws_ping_interval=_ALIVE_S,
            ws_ping_timeout=_ALIVE_S,
            ws_per_message_deflate=False,
            interface="asgi3",
            lifespan="off",
            limit_concurrency=self._most,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=1,
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        await self._server.serve()


class Relay:
    """An ASGI application: `files` by their paths, and a websocket at every path."""

    def __init__(
        self, files: dict[str, Path], connect: Connect, allowed_origins: tuple[str, ...] = ()
    ) -> None:
        self._files, self._connect = files, connect
        self._allowed = frozenset(allowed_origins)

    async def serve(self, scope: Message, receive: Any, send: Any) -> None:
        """Serve a file or join a websocket to what its token opens."""
        if scope["type"] == "websocket":
            await self._join(scope, receive, send)
        else:
            await self._show(scope, send)

    async def _show(self, scope: Message, send: Any) -> None:
        path = self._files.get(scope["path"])
        status, body, kind = 404, b"There is no such page.\n", "text/plain"
        if scope["method"] not in ("GET", "HEAD"):
            status, body = 405, b"This can only be read.\n"
        elif path is not None:
            status, body = 200, await asyncio.to_thread(path.read_bytes)
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            *_SAFE,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})

    async def _join(self, scope: Message, receive: Any, send: Any) -> None:
        await receive()
        try:
            connection = await asyncio.to_thread(self._opened, scope)
        except CloudError as error:
            LOG.info("stream refused", reason=error.message, remote=_remote(scope))
            await send({"type": "websocket.close", "code": 1008})  # before it is open: 403
            return
        with connection:
            offered = scope.get("subprotocols") or []
            chosen = "binary" if "binary" in offered else None
            await send({"type": "websocket.accept", "subprotocol": chosen})
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                await _both_ways(reader, writer, receive, send)
            finally:
                writer.close()

    def _opened(self, scope: Message) -> socket.socket:
        self._check_origin(scope)
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        connection = self._connect(tokens[-1])
        connection.setblocking(False)
        return connection

    def _check_origin(self, scope: Message) -> None:
        """Refuse a page of somebody else's; what is no browser says no origin."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        if origin is None:
            return
        try:
            host = urlsplit(origin).netloc
        except ValueError:
            host = ""
        if host != headers.get(b"host") and host not in self._allowed:
            raise ForeignOrigin(f"A page at {origin!r} must not open consoles of this cloud.")


def files_in(directory: Path) -> dict[str, Path]:
    """Return every file under a directory by the path that a browser finds it at."""
    return {
        f"/{path.relative_to(directory).as_posix()}": path
        for path in directory.rglob("*")
        if path.is_file()
    }


class ForeignOrigin(CloudError):
    """A page from elsewhere tried to open a stream."""


async def _both_ways(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, receive: Any, send: Any
) -> None:
    """Carry bytes both ways until either side ends."""
    ways = [
        asyncio.create_task(_to_client(reader, send)),
        asyncio.create_task(_from_client(receive, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _to_client(reader: asyncio.StreamReader, send: Any) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(_PIECE):
            await send({"type": "websocket.send", "bytes": piece})
    await send({"type": "websocket.close", "code": 1000})


async def _from_client(receive: Any, writer: asyncio.StreamWriter) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        content = message.get("bytes")
        writer.write(message["text"].encode() if content is None else content)
        await writer.drain()


def _remote(scope: Message) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
