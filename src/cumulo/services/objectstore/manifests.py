"""Static large objects as clients make them: a list of parts, each looked at before it counts."""

import base64
import binascii
import re
from collections.abc import Iterable

import msgspec

from cumulo.kit.errors import CloudError
from cumulo.services.objectstore import links, segments
from cumulo.services.objectstore.objects import Given
from cumulo.services.objectstore.refusals import Unprocessable, bad, too_large
from cumulo.services.objectstore.segments import SLO, SLO_SIZE, Segment
from cumulo.services.objectstore.settings import MAX_MANIFEST_SIZE
from cumulo.services.objectstore.stamps import iso
from cumulo.services.objectstore.visits import Visit

_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One part as the client names it."""

    path: str = ""
    etag: str | None = None
    size_bytes: int | str | None = None
    range: str | None = None
    data: str | None = None


def given_manifest(visit: Visit, account: str, one: Given) -> Given:
    """Return what is stored of a static large object."""
    lines = _parsed(_whole(one.pieces))
    if not lines:
        raise bad("Number of segments must be at least 1")
    if len(lines) > visit.settings.max_manifest_segments:
        raise too_large(f"Number of segments must be <= {visit.settings.max_manifest_segments}")
    parts: list[Segment] = []
    problems: list[str] = []
    for number, line in enumerate(lines):
        try:
            parts.append(_looked_at(visit, account, line, number))
        except CloudError as error:
            problems.append(f"{line.path}, {error.message or _words(error)}")
    if problems:
        raise bad("Errors:\n" + "\n".join(problems))
    etag, size = segments.etag_of(parts), sum(part.span()[1] for part in parts)
    if one.etag and one.etag != etag:
        raise Unprocessable("")
    body = msgspec.json.encode(parts)
    return msgspec.structs.replace(
        one,
        pieces=[body],
        length=len(body),
        etag="",
        system={SLO: etag, SLO_SIZE: str(size)},
        shown_size=size,
        facts=msgspec.json.encode({"slo_etag": f'"{etag}"'}).decode(),
    )


def raw(parts: list[Segment]) -> bytes:
    """Return a manifest as it may be sent again."""
    lines: list[dict[str, object]] = []
    for part in parts:
        if part.data:
            lines.append({"data": part.data})
            continue
        line: dict[str, object] = {"path": part.name, "etag": part.hash, "size_bytes": part.bytes}
        lines.append(line | ({"range": part.range} if part.range else {}))
    return msgspec.json.encode(lines)


def shown(parts: list[Segment]) -> bytes:
    """Return a manifest as clients read it."""
    lines: list[dict[str, object]] = []
    for part in parts:
        if part.data:
            lines.append({"data": part.data})
            continue
        line: dict[str, object] = {
            "name": part.name,
            "hash": part.hash,
            "bytes": part.bytes,
            "content_type": part.content_type,
            "last_modified": part.last_modified,
        }
        line |= {"range": part.range} if part.range else {}
        lines.append(line | ({"sub_slo": True} if part.sub_slo else {}))
    return msgspec.json.encode(lines)


def _whole(pieces: Iterable[bytes]) -> bytes:
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > MAX_MANIFEST_SIZE:
            raise too_large(f"Manifest File > {MAX_MANIFEST_SIZE} bytes")
    return body


def _parsed(body: bytes) -> list[Line]:
    try:
        return msgspec.json.decode(body, type=list[Line])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(f"Manifest must be valid JSON.\n{error}") from error


def _looked_at(visit: Visit, account: str, line: Line, number: int) -> Segment:
    if line.data is not None:
        return _inline(line, number)
    container, slash, name = line.path.strip("/").partition("/")
    if not (slash and name):
        raise bad(f"Index {number}: path does not refer to an object.")
    if visit.grant is not None and visit.grant.stamp:
        return _as_elsewhere(line, number)
    found = links.open_found(visit.sub("HEAD"), account, container, name)
    found.content.close()
    etag, size, is_large = found.etag, found.size, SLO in found.stored.system
    if is_large:
        etag, size = found.stored.system[SLO], int(found.stored.system[SLO_SIZE])
    if line.etag and line.etag.strip('"').lower() != etag:
        raise bad("Etag Mismatch")
    if line.size_bytes is not None and str(line.size_bytes) != str(size):
        raise bad("Size Mismatch")
    if size < 1:
        raise bad("Too Small; each segment must be at least 1 byte.")
    return Segment(
        name=f"/{container}/{name}",
        hash=etag,
        bytes=size,
        range=_span(line.range, size),
        sub_slo=is_large,
        content_type=found.stored.content_type,
        last_modified=iso(found.stored.stamp),
    )


def _as_elsewhere(line: Line, number: int) -> Segment:
    """Take a part as the cluster that this one is kept like knows it; it may follow later."""
    if not line.etag or not str(line.size_bytes).isdecimal():
        raise bad(f"Index {number}: a part from elsewhere needs etag and size_bytes.")
    size = int(str(line.size_bytes)[:18])
    where = "/" + line.path.strip("/")
    return Segment(name=where, hash=line.etag, bytes=size, range=_span(line.range, size))


def _inline(line: Line, number: int) -> Segment:
    if line.path or line.etag or line.size_bytes is not None or line.range:
        raise bad(f"Index {number}: data goes without path, etag, size_bytes or range.")
    try:
        held = base64.b64decode(line.data or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad(f"Index {number}: data must be valid base64") from error
    if not held:
        raise bad(f"Index {number}: data must not be empty")
    return Segment(data=line.data or "", bytes=len(held))


def _span(text: str | None, size: int) -> str:
    """Return a range with both its ends, or nothing where it is the whole."""
    if not text:
        return ""
    found = _RANGE.fullmatch(text)
    if found is None or found.group() == "-":
        raise bad("Invalid Range")
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start > end or start >= size:
        raise bad("Unsatisfiable Range")
    return "" if (start, end) == (0, size - 1) else f"{start}-{end}"


def _words(error: CloudError) -> str:
    kinds = {"NotFound": "404 Not Found", "Forbidden": "403 Forbidden"}
    return kinds.get(type(error).__name__, "401 Unauthorized")
