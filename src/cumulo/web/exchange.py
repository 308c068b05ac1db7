"""One request and its answer, between the thread that serves it and the loop with its client."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from typing import Any, NamedTuple, TypeAlias, TypeVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cumulo.kit.errors import Invalid

Message: TypeAlias = dict[str, Any]
R = TypeVar("R")
# Returns the next part of a body once it has as many bytes, or is the last, or so many seconds
# passed since it was asked for; raises `TimeoutError` if nothing has come by then.
Receive: TypeAlias = Callable[[int, float | None], Coroutine[Any, Any, Message]]
_ENOUGH = 1 << 20  # bytes gathered before a thread is woken for them
# Answers up to this size are sent when their thread has gone: each time that a thread waits for the
# loop costs as much as all the rest of a small request.
_SMALL = 64 << 10
_HELD = 64 << 20  # bytes of bodies that may be gathered before they have a thread
# What comes after a refusal is taken and dropped, or clients that send all before they read
# would find a broken connection instead of the reason.
_DROPPED = 64 << 20
_DROPPED_SILENCE_S = 0.2


class Calls:
    """What threads have the loop do for them; once closed, nothing, and they go on at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, silence_s: float) -> None:
        self.loop, self.silence_s = loop, silence_s
        self.room = _HELD
        self._waiting: set[Future[Any]] = set()
        self._is_closed = False

    def wait(self, work: Coroutine[Any, Any, R]) -> R:
        """Return what `work` returns in the loop; raises `TimeoutError` when that is closed."""
        if self._is_closed:
            work.close()
            raise TimeoutError("the service stops")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        self._waiting.add(future)
        if self._is_closed:
            future.cancel()
        try:
            return future.result()
        except CancelledError as error:
            raise TimeoutError("the service stops") from error
        finally:
            self._waiting.discard(future)

    def close(self) -> None:
        """Let every thread that waits go on."""
        self._is_closed = True
        for future in self._waiting.copy():
            future.cancel()


class Answer(NamedTuple):
    """An answer as the application gave it; one that is not small goes out piece by piece."""

    start: Message
    pieces: Iterable[bytes]
    is_small: bool

    def messages(self) -> list[Message]:
        """Return a small one whole; an error under way breaks off before anything is sent."""
        try:
            return [self.start, {"body": b"".join(self.pieces)}]
        finally:
            self.close()

    def close(self) -> None:
        """Let go of what the pieces come from."""
        close = getattr(self.pieces, "close", None)
        if close:
            close()


class Exchange:
    """The body of a request and its answer, from a thread."""

    def __init__(
        self, calls: Calls, receive: Receive, send: Any, whole: bytes | None = None
    ) -> None:
        self._calls, self._receive, self._send = calls, receive, send
        self._held = whole or b""
        self._is_whole = whole is not None
        self._is_alone = False
        self._problem = ""
        self.is_begun = False

    async def prepare(self, environ: Mapping[str, Any]) -> None:
        """Take in a small body whole, unless its client waits to be asked for it."""
        length = environ.get("CONTENT_LENGTH")
        if length is None or length == "0":
            self._is_whole = "HTTP_TRANSFER_ENCODING" not in environ
        elif length.isdecimal() and "HTTP_EXPECT" not in environ:
            await self._hold(int(length))

    async def _hold(self, length: int) -> None:
        """Take in a body whole if there is room for it."""
        if length > min(_ENOUGH, self._calls.room):
            return
        self._calls.room -= length
        try:
            await self._gather(length + 1, self._calls.silence_s)
        except TimeoutError as error:
            self._problem = self._why(error)
        finally:
            self._calls.room += length

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end; raise `Invalid` at a wrong end."""
        wanted = size if size >= 0 else 1 << 62
        if len(self._held) < wanted and not self._is_whole and not self._problem:
            try:
                self._calls.wait(self._gather(min(wanted, _ENOUGH), self._calls.silence_s))
            except TimeoutError as error:
                self._problem = self._why(error)
        if self._problem:
            raise Invalid(f"The request body is not whole: {self._problem}.")
        piece, self._held = self._held[:wanted], self._held[wanted:]
        return piece

    def _why(self, error: TimeoutError) -> str:
        return str(error) or f"nothing came for {self._calls.silence_s} seconds"

    def drop_rest(self) -> None:
        """Take what is still coming, as far as that is little and soon."""
        left = _DROPPED
        try:
            while left > 0 and not self._is_whole and not self._problem:
                left -= len(self._held)
                self._held = b""
                self._calls.wait(self._gather(_ENOUGH, _DROPPED_SILENCE_S))
        except TimeoutError as error:
            self._problem = str(error) or "its client waits"

    def answer(
        self, status: int, headers: list[tuple[str, str]], pieces: Iterable[bytes]
    ) -> Answer:
        """Return an answer in the terms of ASGI."""
        start: Message = {"type": "http.response.start", "status": status}
        start["headers"] = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers]
        if not self._is_whole and (b"connection", b"close") not in start["headers"]:
            start["headers"].append((b"connection", b"close"))
        length = dict(start["headers"]).get(b"content-length", b"")
        is_small = length.isdigit() and int(length) <= _SMALL
        return Answer(start, pieces, is_small or isinstance(pieces, list | tuple))

    def sent(self, answer: Answer) -> list[Message] | None:
        """Return a small answer; send a large one piece by piece as fast as its client takes it."""
        if answer.is_small:
            return answer.messages()
        try:
            self._stream(answer.start, answer.pieces)
        finally:
            answer.close()
        return None

    def _stream(self, start: Message, pieces: Iterable[bytes]) -> None:
        """Send pieces; the last ends the answer at once where its length was announced."""
        length = dict(start["headers"]).get(b"content-length", b"")
        left = int(length) if length.isdigit() else -1
        end: Message = {"body": b""}
        watcher: Future[None] | None = None
        try:
            waiting = [start]
            for piece in pieces:
                if not (left or piece):
                    continue
                left -= len(piece)
                waiting += [{"body": piece, "more_body": True}, *([] if left else [end])]
                self._calls.wait(self.send_all(*waiting))
                waiting = []
                if left and watcher is None:
                    watcher = asyncio.run_coroutine_threadsafe(self._watch(), self._calls.loop)
            if left or waiting:
                self._calls.wait(self.send_all(*waiting, end))
        finally:
            if watcher is not None:
                watcher.cancel()

    async def _watch(self) -> None:
        """Notice that the client has gone; uvicorn would take the answer as if it had not."""
        while (await self._receive(0, None))["type"] == "http.request":
            pass
        self._is_alone = True

    async def _gather(self, wanted: int, silence_s: float) -> None:
        """Collect what has arrived until it is worth waking the thread."""
        self.is_begun = True
        missing = wanted - len(self._held)
        while missing > 0 and not (self._is_whole or self._problem):
            message = await self._receive(missing, silence_s)
            if message["type"] != "http.request":
                self._problem = "the client went away"
            self._is_whole = message.get("more_body") is False
            piece = message.get("body", b"")
            self._held = self._held + piece if self._held else piece
            missing -= len(piece)

    async def send_all(self, *messages: Message) -> None:
        """Send parts of an answer."""
        for message in messages:
            if self._is_alone:
                raise TimeoutError("the client went away")
            async with asyncio.timeout(self._calls.silence_s):
                await self._send({"type": "http.response.body", **message})


def spelled(answer: list[Message], method: str) -> bytes | None:
    """Return an answer as it goes out; None where uvicorn must say how it or the connection ends.

    uvicorn looks at each header by two regular expressions, which takes as long as the rest.
    """
    start, *rest = answer
    headers, body = start["headers"], b"".join(message["body"] for message in rest)
    known = dict(headers)
    length = known.get(b"content-length", b"0" if start["status"] == 204 else b"")
    is_whole = length == b"%d" % len(body) or (method == "HEAD" and length.isdigit() and not body)
    lines = [STATUS_LINE[start["status"]], *(b"%b: %b\r\n" % header for header in headers)]
    head = b"".join(lines)
    if not is_whole or b"connection" in known or head.count(b"\n") != len(lines):
        return None
    return b"%b\r\n%b" % (head, body)
