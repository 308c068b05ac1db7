"""Forms with files in them, read while they arrive."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cumulo.services.objectstore.refusals import bad

_LONGEST_HEAD = 16384
_LONGEST_FIELD = 65536


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; a file is read by whoever wants it, before the next."""

    name: str
    filename: str | None
    headers: dict[str, str]
    pieces: Iterator[bytes]

    def text(self) -> str:
        """Return a small field whole."""
        held = b""
        for piece in self.pieces:
            held += piece
            if len(held) > _LONGEST_FIELD:
                raise bad("FormPost: a field is too long")
        return held.decode("utf-8", "replace")


class Form:
    """The parts of a body, in order."""

    def __init__(self, pieces: Iterable[bytes], boundary: str) -> None:
        self._source = iter(pieces)
        self._held, self._is_over = b"", False
        self._end = b"\r\n--" + boundary.encode("latin-1")

    def __iter__(self) -> Iterator[Part]:
        """Yield parts; what was not read of one is passed over."""
        self._held = b"\r\n"
        for _ in self._until_boundary():
            pass
        while not self._ends():
            headers = self._head()
            names = _parameters(headers.get("content-disposition", ""))
            content = self._until_boundary()
            yield Part(names.get("name", ""), names.get("filename"), headers, content)
            for _ in content:
                pass

    def _ends(self) -> bool:
        while len(self._held) < 2 and self._more():
            pass
        return len(self._held) < 2 or self._held.startswith(b"--")

    def _more(self) -> bool:
        piece = next(self._source, None)
        if piece is None:
            return False
        self._held += piece
        return True

    def _until_boundary(self) -> Iterator[bytes]:
        while True:
            at = self._held.find(self._end)
            if at >= 0:
                content, self._held = self._held[:at], self._held[at + len(self._end) :]
                if content:
                    yield content
                return
            sure = len(self._held) - len(self._end)
            if sure > 0:
                content, self._held = self._held[:sure], self._held[sure:]
                yield content
            if not self._more():
                raise bad("FormPost: the form has no end")

    def _head(self) -> dict[str, str]:
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > _LONGEST_HEAD or not self._more():
                raise bad("FormPost: a part has no head")
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        found: dict[str, str] = {}
        for line in head.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                found[name.strip().lower()] = value.strip()
        return found


def _parameters(value: str) -> dict[str, str]:
    """Read name="value" pairs, with escaped quotes in them."""
    found: dict[str, str] = {}
    _, _, rest = value.partition(";")
    while rest:
        name, _, rest = rest.strip().partition("=")
        if rest.startswith('"'):
            end = rest.find('"', 1)
            while end > 0 and rest[end - 1] == "\\":
                end = rest.find('"', end + 1)
            if end < 0:
                break
            text, rest = rest[1:end].replace('\\"', '"'), rest[end + 1 :].partition(";")[2]
        else:
            text, _, rest = rest.partition(";")
        found[name.strip().lower()] = text.strip()
    return found
