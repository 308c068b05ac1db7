"""Answers with an object in them: conditions, ranges, and the headers that describe it."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import quote

from cumulo.services.objectstore import links, segments
from cumulo.services.objectstore.metadata import HIDDEN
from cumulo.services.objectstore.objects import Content, Found
from cumulo.services.objectstore.refusals import unmet
from cumulo.services.objectstore.signatures import expiry
from cumulo.services.objectstore.stamps import http_date
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Reply, Stream

_MOST_RANGES = 50


def described(visit: Visit, found: Found) -> dict[str, str]:
    """Return the headers of an object."""
    stored = found.stored
    newest = max(stored.stamp, stored.posted)
    headers = {
        "Content-Type": stored.content_type,
        "Etag": found.etag,
        "Last-Modified": http_date(newest),
        "X-Timestamp": newest,
        "Accept-Ranges": "bytes",
        **{k: v for k, v in stored.headers.items() if not k.startswith(HIDDEN)},
    }
    if segments.SLO in stored.system:
        headers["X-Static-Large-Object"] = "True"
    if found.version_id:
        headers["X-Object-Version-Id"] = found.version_id
    if found.location:
        headers["Content-Location"] = found.location
    return headers | links.headers_of(found.account, stored) | _named(visit, found)


def sent(
    visit: Visit, found: Found, headers: dict[str, str], part: tuple[int, int] | None = None
) -> Reply | Stream:
    """Return an object's bytes, or as many as were asked for, or those of one part."""
    early = _condition(visit, found, headers)
    if early is not None:
        found.content.close()
        return early
    content_type = headers.pop("Content-Type")
    if part is not None:
        wanted: list[tuple[int, int]] | None = [part]
    else:
        wanted = _wanted(visit, found)
    if visit.method == "HEAD":
        found.content.close()
        return _headed(found, headers, content_type, part)
    if wanted is None:
        found.content.close()
        headers = {"Content-Range": f"bytes */{found.size}", "Accept-Ranges": "bytes"}
        body = (
            "<html><h1>Requested Range Not Satisfiable</h1>"
            "<p>The Range requested is not available.</p></html>"
        )
        return Reply(body, status=416, headers=headers, content_type="text/html; charset=UTF-8")
    if len(wanted) > 1:
        return _many(found, wanted, headers, content_type)
    start, end = wanted[0] if wanted else (0, found.size)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    body_pieces = Closing(found.content, begun(found.content.pieces(start, end - start)))
    return Stream(
        body_pieces,
        length=end - start,
        status=206 if wanted else 200,
        headers=headers,
        content_type=content_type,
    )


def _wanted(visit: Visit, found: Found) -> list[tuple[int, int]] | None:
    return ranges(visit.headers.get("range", ""), found.size) if _may_range(visit, found) else []


def _headed(
    found: Found, headers: dict[str, str], content_type: str, part: tuple[int, int] | None
) -> Stream:
    """Tell of an object; a part is told of as of a range, which HEAD knows nowhere else."""
    if part is None:
        return Stream((), length=found.size, headers=headers, content_type=content_type)
    start, end = part
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    return Stream((), length=end - start, status=206, headers=headers, content_type=content_type)


class Closing:
    """Pieces that let go of their object when the answer ends, however it ends."""

    def __init__(self, content: Content, pieces: Iterator[bytes]) -> None:
        self._content, self._pieces = content, pieces

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Let go."""
        self._content.close()


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece now, so that what is wrong from the start is told as an error."""
    first = next(pieces, None)

    def rest() -> Iterator[bytes]:
        if first is not None:
            yield first
            yield from pieces

    return rest()


def ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """Read a Range header: nothing when it says nothing, None when it cannot be satisfied."""
    unit, _, rest = text.partition("=")
    if unit.strip().lower() != "bytes" or not rest:
        return []
    found: list[tuple[int, int]] = []
    parts = rest.split(",")
    for part in parts[: _MOST_RANGES + 1]:
        first, dash, last = part.strip().partition("-")
        if not dash or not _numeric(first) or not _numeric(last) or not (first or last):
            return []
        if first and last and int(last) < int(first):
            return []
        start = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if start < end and (first or int(last) > 0):
            found.append((start, end))
    return found if found and len(parts) <= _MOST_RANGES else None


def _numeric(text: str) -> bool:
    return len(text) < 19 and (not text or (text.isascii() and text.isdecimal()))


def _may_range(visit: Visit, found: Found) -> bool:
    condition = visit.headers.get("if-range", "").strip()
    if not condition:
        return True
    return condition.strip('"') == found.etag.strip('"') or condition == http_date(
        max(found.stored.stamp, found.stored.posted)
    )


def _condition(visit: Visit, found: Found, headers: dict[str, str]) -> Reply | None:
    """Return the answer where a condition makes one without the bytes."""
    asked, etag = visit.headers, found.etag.strip('"')
    at = -(-float(max(found.stored.stamp, found.stored.posted)) // 1)
    match, none_match = asked.get("if-match"), asked.get("if-none-match")
    if match and not _matches(match, etag):
        raise unmet()
    unmodified = _seconds(asked.get("if-unmodified-since"))
    if not match and unmodified is not None and at > unmodified:
        raise unmet()
    since = _seconds(asked.get("if-modified-since"))
    is_known = _matches(none_match, etag) if none_match else since is not None and at <= since
    if not is_known:
        return None
    kept = {k: v for k, v in headers.items() if k in ("Etag", "Last-Modified", "Content-Type")}
    return Reply(status=304, headers=kept)


def refused(visit: Visit, found: Found) -> bool:
    """Say whether a condition forbids to use an object, as a copy's source."""
    return _condition(visit, found, {}) is not None


def _matches(condition: str, etag: str) -> bool:
    names = [one.strip().removeprefix("W/").strip('"') for one in condition.split(",")]
    return "*" in names or etag in names


def _seconds(text: str | None) -> float | None:
    parsed = parsedate_tz(text) if text else None
    try:
        return float(mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError):
        return None


def _named(visit: Visit, found: Found) -> dict[str, str]:
    """Return how a browser should keep what a signed address led to."""
    if visit.grant is None or "temp_url_sig" not in visit.query:
        return {}
    headers = {"Expires": http_date(f"{_expires(visit)}")}
    name = visit.param("filename") or found.name.rstrip("/").rpartition("/")[2]
    if "inline" in visit.query and "filename" not in visit.query:
        return {**headers, "Content-Disposition": "inline"}
    kind = "inline" if "inline" in visit.query else "attachment"
    plain = quote(name, safe=" !#$&+,:;<=>@[]^`{|}~()*'?")
    coded = f"filename*=UTF-8''{quote(name, safe='')}"
    return {**headers, "Content-Disposition": f'{kind}; filename="{plain}"; {coded}'}


def _expires(visit: Visit) -> int:
    return expiry(visit.param("temp_url_expires"))


@dataclass(frozen=True, slots=True)
class _Part:
    head: bytes
    start: int
    length: int


def _many(
    found: Found, wanted: list[tuple[int, int]], headers: dict[str, str], content_type: str
) -> Stream:
    """Return several ranges in one body."""
    boundary = secrets.token_hex(16)
    parts = [
        _Part(
            (
                f"--{boundary}\r\nContent-Type: {content_type}\r\n"
                f"Content-Range: bytes {start}-{end - 1}/{found.size}\r\n\r\n"
            ).encode(),
            start,
            end - start,
        )
        for start, end in wanted
    ]
    tail = f"--{boundary}--".encode()
    length = sum(len(part.head) + part.length + 2 for part in parts) + len(tail)
    return Stream(
        Closing(found.content, _together(found, parts, tail)),
        length=length,
        status=206,
        headers=headers,
        content_type=f"multipart/byteranges;boundary={boundary}",
    )


def _together(found: Found, parts: list[_Part], tail: bytes) -> Iterator[bytes]:
    for part in parts:
        yield part.head
        yield from found.content.pieces(part.start, part.length)
        yield b"\r\n"
    yield tail
