"""Ports that take large bodies: like those of `server`, but they know when a body broke off.

granian's WSGI ends a chunked body in the same way whether its last chunk came or the client went
away, so that half a file would pass for a whole one; its ASGI aborts the process when a client
leaves at the wrong moment.  Hence uvicorn.  The application is the same WSGI one, in threads; only
the few lines here and in `exchange` are asynchronous.
"""

import asyncio
import ctypes
import logging
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self, cast
from urllib.parse import unquote_to_bytes

import uvicorn
import uvloop
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from cumulo.kit import clock, log, patience
from cumulo.web.exchange import Answer, Calls, Exchange, Message, Receive, spelled
from cumulo.web.server import BACKLOG, COMMON, IDLE_S, HttpServer

LOG = log.get("web")
# The loop serves a quick request itself, as threads that take turns at the interpreter with it make
# many of them slower than one.  Once several in a row took long, threads serve all for a while; one
# alone did most likely wait for a processor.
_LONG_S = 0.005
_LONG_IN_A_ROW = 2
_WHILE_S = 1.0
_LONGEST_HEAD = 64 << 10
_LEAST = 4096  # bytes of a piece of a body that is kept by itself
_M_ARENA_MAX, _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -8, -1, -3  # of malloc.h
_HEAPS = 2
_AT_HAND = 4 << 20  # bytes that a heap may have left at its end


class StreamingServer(HttpServer):
    """One port; it listens from `start` to `stop`.

    A client that sends nothing, or takes nothing, for `silence_s` seconds gives up its thread; one
    that is still at it `grace_s` after a stop is cut off.
    """

    def __init__(  # noqa: PLR0913 - what a port is told are this many things
        self,
        app: Callable[..., Any],
        host: str,
        port: int,
        *,
        threads: int = 64,
        silence_s: float = 60.0,
        grace_s: int = 5,
        is_quick: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        """Serve in threads, save for those requests without a body of which `is_quick` is true.

        Those must wait for nothing but, now and then, a local disk.
        """
        super().__init__(app, host, port, threads=threads)
        self._silence_s, self._grace_s, self._is_quick = silence_s, grace_s, is_quick
        self._server: uvicorn.Server | None = None

    def start(self, listener: socket.socket | None = None) -> None:
        """Return once the port listens, or serve a socket that does and is given up with the stop.

        Raises `Conflict` when somebody else has the port.
        """
        self._listener = listener
        share_heaps()
        super().start()

    def stop(self) -> None:
        """Stop listening; requests under way have a moment to end, then they are broken off."""
        if self._server:
            self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=self._grace_s + 10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        calls = Calls(asyncio.get_running_loop(), self._silence_s)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix=f"http-{self.port}")
        bridge = _Bridge(self._app, calls, pool, self._is_quick)
        self._server = uvicorn.Server(
            uvicorn.Config(
                bridge.serve,
                host=self.host,
                port=self.port,
                http=type("_Bridged", (_Protocol,), {"bridge": bridge}),
                ws="none",
                interface="asgi3",
                lifespan="off",
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=self._grace_s,
                log_config=None,
                log_level=logging.CRITICAL,
                access_log=False,
                proxy_headers=False,
                server_header=False,
            )
        )
        try:
            await self._server.serve(sockets=[self._listener] if self._listener else None)
        finally:
            calls.close()
            await asyncio.to_thread(pool.shutdown)
            for connection in self._server.server_state.connections.copy():
                connection.transport.abort()
            await asyncio.sleep(0)


def share_heaps() -> None:
    """Have all threads of the process take memory from a few heaps, which keep some at hand.

    glibc would give each of the first sixteen its own, which keeps room for the pieces of bodies
    that passed through it.  A mapping for each piece instead doubles what it costs to send one.  To
    give the end of a heap back after each is a quarter of what it costs to store one of a MiB, as
    the system has to find and clear those pages again; `garbage.settle` has it back soon enough.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other libraries than glibc have none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _HEAPS)
        mallopt(_M_TRIM_THRESHOLD, _AT_HAND)
        mallopt(_M_MMAP_THRESHOLD, _AT_HAND)


class _Protocol(HttpToolsProtocol):
    """A connection, which ends when its next request does not come, or too slowly, or too long.

    A request that came in one piece, as nearly all small ones do, goes to a thread at once: the
    task that waits for the rest of others costs as much as all else that is done for it here.
    """

    bridge: "_Bridge"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._is_parsing = False
        self._begun: RequestResponseCycle | None = None
        self._last_seen: object = self
        self._head_size = self._wanted = 0
        self._look = self.loop.call_later(IDLE_S, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; what is still no whole head has a bound."""
        self._is_parsing = True
        super().data_received(data)
        self._is_parsing = False
        self._head_size = self._head_size + len(data) if self._waits else 0
        if self._head_size > _LONGEST_HEAD:
            self.send_400_response("The head of the request is too long.")
        if self._begun is not None:
            cycle, self._begun = self._begun, None
            if cycle.more_body or cycle.waiting_for_100_continue:
                self._begin(cycle)
            else:
                self.bridge.serve_whole(cycle, partial(self.receive, cycle))

    def on_body(self, body: bytes) -> None:
        """Take bytes in; who waits for more than these sleeps on."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        if not isinstance(cycle.body, _Body):
            cycle.body = _Body()  # type: ignore[assignment]
        cycle.body += body
        if len(cycle.body) > max(self._wanted, HIGH_WATER_LIMIT):
            self.flow.pause_reading()
        if len(cycle.body) >= self._wanted:
            cycle.message_event.set()

    async def receive(
        self, cycle: RequestResponseCycle, wanted: int, silence_s: float | None
    ) -> Message:
        """Return the next part of a body, in the terms of `exchange.Receive`."""
        self._wanted = wanted
        if len(cycle.body) < wanted and cycle.more_body and not cycle.disconnected:
            cycle.message_event.clear()
        try:
            async with asyncio.timeout(silence_s):
                return cast("Message", await cycle.receive())
        except TimeoutError:
            if not cycle.body:
                raise
            cycle.message_event.set()
            return cast("Message", await cycle.receive())
        finally:
            self._wanted = 0

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin with a request, or see first whether all of it is there."""
        if self._is_parsing:
            self._begun = cycle
        else:
            self._begin(cycle)

    def _begin(self, cycle: RequestResponseCycle) -> None:
        """Have a task take in a request and see to its answer."""
        app = partial(self.bridge.serve, partial(self.receive, cycle))
        super()._start_asgi_task(cycle, app)

    @property
    def _waits(self) -> bool:
        """Say whether the next thing to come is the head of a request."""
        return self.cycle is None or self.cycle.response_complete

    def _check(self) -> None:
        """Close what has waited for the head of the same request since the last look."""
        if self.transport.is_closing():
            self.transport.abort()  # its client takes nothing of what is left to be sent
            return
        seen = self.cycle or self.transport
        if self._waits and self._last_seen is seen:
            self.transport.close()
            return
        self._last_seen = seen if self._waits else self
        self._look = self.loop.call_later(IDLE_S, self._check)


class _Body:
    """What came of a body, in place of uvicorn's bytearray, which copies all when more comes.

    Small pieces are put together, as each takes more memory than its bytes.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._length = 0

    def __iadd__(self, piece: bytes) -> Self:
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, bytearray) and len(piece) < _LEAST:
            last += piece
        else:
            self._pieces.append(piece if len(piece) >= _LEAST else bytearray(piece))
        self._length += len(piece)
        return self

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)


class _Bridge:
    """Serves one WSGI application to an ASGI server."""

    def __init__(
        self,
        app: Callable[..., Any],
        calls: Calls,
        pool: ThreadPoolExecutor,
        is_quick: Callable[[dict[str, Any]], bool] | None,
    ) -> None:
        self._app, self._calls, self._pool = app, calls, pool
        self._is_quick = is_quick or (lambda _: False)
        self._sending = set[asyncio.Task[None]]()
        self._long = 0  # quick requests in a row, the last among them, that took long
        self._threads_until = 0.0  # when the loop serves quick requests again

    async def serve(self, receive: Receive, scope: Message, _receive: Any, send: Any) -> None:
        """Serve one request in a thread; an answer that stays unfinished ends the connection."""
        exchange, loop = Exchange(self._calls, receive, send), self._calls.loop
        environ = _environ(scope, exchange)
        try:
            await exchange.prepare(environ)
            answer = await loop.run_in_executor(self._pool, self._sent, environ, exchange)
            if answer is not None:
                await exchange.send_all(*answer)
        except TimeoutError:
            LOG.info("answer not taken", path=scope["path"])
        except Exception:
            LOG.exception("bug", path=scope["path"])
            raise

    def serve_whole(self, cycle: RequestResponseCycle, receive: Receive) -> None:
        """Serve a request that is there with all its body."""
        exchange = Exchange(self._calls, receive, cycle.send, bytes(cycle.body))
        cycle.body = bytearray()
        environ = _environ(cycle.scope, exchange)  # type: ignore[arg-type]
        if self._is_quick(environ) and clock.monotonic() >= self._threads_until:
            self._serve_here(cycle, environ, exchange)
        else:
            self._hand_over(cycle, environ, exchange, None)

    def _serve_here(
        self, cycle: RequestResponseCycle, environ: dict[str, Any], exchange: Exchange
    ) -> None:
        """Serve a quick request in the loop; a thread sends a large answer, or one to wait for."""
        began = clock.monotonic()
        try:
            with patience.hurry():
                answer = self._answer(environ, exchange)
                messages = answer.messages() if answer.is_small else []
            if answer.is_small:
                content = spelled(messages, environ["REQUEST_METHOD"])
                self._finish(cycle, exchange, messages, content)
            else:
                self._hand_over(cycle, environ, exchange, answer)
        except patience.WouldWait:
            self._hand_over(cycle, environ, exchange, None)
        except Exception:
            LOG.exception("bug", path=environ["PATH_INFO"])
            self._break_off(cycle)
        now = clock.monotonic()
        self._long = self._long + 1 if now - began > _LONG_S else 0
        if self._long == _LONG_IN_A_ROW:
            self._long, self._threads_until = 0, now + _WHILE_S

    def _hand_over(
        self,
        cycle: RequestResponseCycle,
        environ: dict[str, Any],
        exchange: Exchange,
        answer: Answer | None,
    ) -> None:
        """Have a thread serve a request, or send the answer that there is already."""
        try:
            self._pool.submit(self._answer_whole, cycle, environ, exchange, answer)
        except RuntimeError:  # the pool is closed: the service stops
            cycle.transport.close()
            if answer is not None:
                answer.close()

    def _answer_whole(
        self,
        cycle: RequestResponseCycle,
        environ: dict[str, Any],
        exchange: Exchange,
        answer: Answer | None,
    ) -> None:
        loop = self._calls.loop
        try:
            messages = exchange.sent(answer or self._answer(environ, exchange))
            if messages is not None:
                content = spelled(messages, environ["REQUEST_METHOD"])
                loop.call_soon_threadsafe(self._finish, cycle, exchange, messages, content)
        except TimeoutError:
            LOG.info("answer not taken", path=environ["PATH_INFO"])
            loop.call_soon_threadsafe(self._break_off, cycle)
        except Exception:
            LOG.exception("bug", path=environ["PATH_INFO"])
            loop.call_soon_threadsafe(self._break_off, cycle)

    def _finish(
        self,
        cycle: RequestResponseCycle,
        exchange: Exchange,
        answer: list[Message],
        content: bytes | None,
    ) -> None:
        """Send a small answer: in one piece, unless uvicorn has to spell it or the client waits."""
        if cycle.disconnected:
            return
        if content is None or not cycle.keep_alive or cycle.flow.write_paused:
            self._hold(self._send(cycle, exchange, answer))
            return
        cycle.transport.write(content)
        cycle.response_started = cycle.response_complete = True
        cycle.on_response()

    async def _send(
        self, cycle: RequestResponseCycle, exchange: Exchange, answer: list[Message]
    ) -> None:
        try:
            await exchange.send_all(*answer)
        except TimeoutError:
            LOG.info("answer not taken", path=cycle.scope["path"])
            self._break_off(cycle)
        except RuntimeError:  # uvicorn's word for an answer that is not as long as it says
            LOG.exception("bug", path=cycle.scope["path"])
            self._break_off(cycle)

    def _break_off(self, cycle: RequestResponseCycle) -> None:
        """End an answer that cannot be finished, and the connection with it."""
        if cycle.response_started:
            cycle.transport.close()
        else:
            self._hold(cycle.send_500_response())

    def _hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the loop do something that it would forget if nobody held it."""
        task = self._calls.loop.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _sent(self, environ: dict[str, Any], exchange: Exchange) -> list[Message] | None:
        """Return an answer that is small; one that is not is sent from here."""
        return exchange.sent(self._answer(environ, exchange))

    def _answer(self, environ: dict[str, Any], exchange: Exchange) -> Answer:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started[:] = [int(status[:3]), headers]

        pieces = self._app(environ, start_response)
        if "HTTP_EXPECT" not in environ or exchange.is_begun:
            exchange.drop_rest()
        return exchange.answer(started[0], started[1], pieces)


def _environ(scope: Message, body: Exchange) -> dict[str, Any]:
    """Return a request in the terms of WSGI."""
    host, port = scope["server"]
    environ: dict[str, Any] = {
        **COMMON,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": scope["client"][0],
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue  # in a WSGI environ X_Auth_Token could not be told from X-Auth-Token
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
