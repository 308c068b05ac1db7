"""Bodies too large to hold."""

from collections.abc import Iterator
from typing import Protocol

from cumulo.kit.errors import Invalid, TooLarge

_PIECE = 1 << 20


class Readable(Protocol):
    """What a WSGI server hands over as the body."""

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102


class Upload:
    """A request body, read piece by piece while it arrives; `length` is None when chunked."""

    def __init__(self, source: Readable, length: int | None, content_type: str = "") -> None:
        self._source, self.length, self.content_type = source, length, content_type

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces of up to 1 MiB; raise `Invalid` when the client went away midway."""
        left = self.length
        while left is None or left > 0:
            piece = self._source.read(_PIECE if left is None else min(_PIECE, left))
            if not piece:
                break
            if left is not None:
                left -= len(piece)
            yield piece
        if left:
            raise Invalid(f"The request body ended {left} bytes before the length it announced.")


def read_whole(source: Readable, length: int | None, limit: int) -> bytes:
    """Return a small body; refuse one over `limit` without reading it to its end."""
    if length is not None and length > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes.")
    if length is not None:
        return source.read(length)
    body = source.read(limit + 1)
    while len(body) <= limit and (piece := source.read(limit + 1 - len(body))):
        body += piece
    if len(body) > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes.")
    return body
