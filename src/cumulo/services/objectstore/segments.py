"""Large objects: one object made of many, by a list (static) or by a prefix (dynamic)."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

import msgspec

from cumulo.kit.errors import Conflict
from cumulo.services.objectstore import containers, links, objects
from cumulo.services.objectstore.containers import container_visible
from cumulo.services.objectstore.drivers.base import Asked, Row
from cumulo.services.objectstore.objects import Found
from cumulo.services.objectstore.refusals import bad, missing
from cumulo.services.objectstore.visits import Visit

SLO = "slo"  # in an object's system facts: its etag as a whole
SLO_SIZE = "slo-size"
_DEEPEST = 10


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a large object, as its manifest keeps it."""

    name: str = ""  # /container/object
    hash: str = ""
    bytes: int = 0  # of the whole object that the part is of
    range: str = ""
    sub_slo: bool = False
    content_type: str = ""
    last_modified: str = ""
    data: str = ""  # base64, where the part stands in the manifest

    def span(self) -> tuple[int, int]:
        """Return where the part begins and how long it is."""
        if self.data or not self.range:
            return 0, self.bytes
        first, _, last = self.range.partition("-")
        return int(first), int(last) - int(first) + 1


class Joined:
    """The bytes of many objects, one after another."""

    def __init__(
        self, visit: Visit, account: str, parts: Sequence[Segment], depth: int = 0
    ) -> None:
        self._visit, self._account, self._parts = visit, account, parts
        self._depth = depth

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes; a part that is not what it was ends the answer where it stands."""
        at = 0
        for part in self._parts:
            first, size = part.span()
            skip, left = max(0, start - at), min(at + size, start + length) - max(start, at)
            if left > 0:
                yield from self._of(part, first + skip, left)
            at += size

    def spans(self) -> list[tuple[int, int]]:
        """Return where each part begins and ends in the whole."""
        found, at = list[tuple[int, int]](), 0
        for part in self._parts:
            _, size = part.span()
            found.append((at, at + size))
            at += size
        return found

    def close(self) -> None:
        """Nothing is held between parts."""

    def _of(self, part: Segment, start: int, length: int) -> Iterator[bytes]:
        if part.data:
            yield data_of(part)[start : start + length]
            return
        found = opened_part(self._visit, self._account, part, self._depth)
        try:
            yield from found.content.pieces(start, length)
        finally:
            found.content.close()


def opened_part(visit: Visit, account: str, part: Segment, depth: int) -> Found:
    """Open a part; refuse one that changed since."""
    container, _, name = part.name.lstrip("/").partition("/")
    found = links.open_found(visit, account, container, name)
    if SLO in found.stored.system and depth < _DEEPEST:
        found = static(visit, found, depth + 1)
    if part.hash and found.etag.strip('"') != part.hash:
        found.content.close()
        raise Conflict(f"Part {part.name} is not what it was.", told=True)
    return found


def resolved(visit: Visit, found: Found) -> Found:
    """Return an object with the bytes that it stands for, unless its manifest is wanted."""
    if visit.param("multipart-manifest") == "get":
        return found
    if SLO in found.stored.system:
        return static(visit, found)
    if "X-Object-Manifest" in found.stored.headers:
        return _dynamic(visit, found)
    return found


def static(visit: Visit, found: Found, depth: int = 0) -> Found:
    """Return a static large object as a whole."""
    parts = manifest_of(found)
    joined = Joined(visit.sub("GET"), found.account, parts, depth)
    size = sum(part.span()[1] for part in parts)
    etag = f'"{found.stored.system[SLO]}"'
    return msgspec.structs.replace(found, content=joined, size=size, etag=etag)


def spans(found: Found) -> list[tuple[int, int]] | None:
    """Return where each part of a static large object begins and ends; None for others."""
    if SLO in found.stored.system and isinstance(found.content, Joined):
        return found.content.spans()
    return None


def manifest_of(found: Found) -> list[Segment]:
    """Return the parts of a static large object."""
    held = b"".join(found.content.pieces(0, found.stored.size))
    found.content.close()
    return msgspec.json.decode(held, type=list[Segment])


def data_of(part: Segment) -> bytes:
    """Return the bytes of a part that stands in its manifest."""
    return base64.b64decode(part.data)


def etag_of(parts: Sequence[Segment]) -> str:
    """Return what stands for the content of a static large object."""
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        if part.data:
            digest.update(hashlib.md5(data_of(part), usedforsecurity=False).hexdigest().encode())
        elif part.range:
            digest.update(f"{part.hash}:{part.range};".encode())
        else:
            digest.update(part.hash.encode())
    return digest.hexdigest()


def _dynamic(visit: Visit, found: Found) -> Found:
    """Return an object made of all that begins with a prefix, as the listing has it now."""
    container, _, prefix = unquote(found.stored.headers["X-Object-Manifest"]).partition("/")
    found.content.close()
    container_visible(visit.sub("GET"), found.account, container)
    asked = Asked(prefix=prefix, limit=visit.settings.max_deletes_per_request)
    rows = containers.rows(visit, found.account, container, asked)
    parts = [
        Segment(name=f"/{container}/{row.name}", hash=row.etag, bytes=row.size)
        for row in rows
        if isinstance(row, Row) and not _is_itself(found, container, row.name)
    ]
    together = hashlib.md5("".join(part.hash for part in parts).encode(), usedforsecurity=False)
    joined = Joined(visit.sub("GET"), found.account, parts)
    size = sum(part.bytes for part in parts)
    etag = f'"{together.hexdigest()}"'
    return msgspec.structs.replace(found, content=joined, size=size, etag=etag)


def _is_itself(found: Found, container: str, name: str) -> bool:
    return (container, name) == (found.container, found.name)


def with_parts(visit: Visit, found: Found, depth: int = 0) -> list[tuple[str, str, str]]:
    """Return what a static large object is made of, itself last."""
    if SLO not in found.stored.system:
        found.content.close()
        raise missing()
    addresses: list[tuple[str, str, str]] = []
    for part in manifest_of(found):
        if part.data:
            continue
        container, _, name = part.name.lstrip("/").partition("/")
        if part.sub_slo and depth < _DEEPEST:
            addresses += _inner(visit, found.account, part, depth + 1)
        else:
            addresses.append((found.account, container, name))
    return [*addresses, (found.account, found.container, found.name)]


def named_parts(found: Found) -> list[tuple[str, str]]:
    """Return container and name of each part of a static large object that has no parts itself."""
    if SLO not in found.stored.system:
        found.content.close()
        raise missing()
    parts = [part for part in manifest_of(found) if not part.data]
    if any(part.sub_slo for part in parts):
        raise bad("No segments may be large objects.")
    split = [part.name.lstrip("/").partition("/") for part in parts]
    return [(container, name) for container, _, name in split]


def _inner(visit: Visit, account: str, part: Segment, depth: int) -> list[tuple[str, str, str]]:
    container, _, name = part.name.lstrip("/").partition("/")
    reading = objects.find(visit, account, container, name)
    if reading is None or SLO not in reading.stored.system:
        return [(account, container, name)]
    return with_parts(visit, links.plain((account, container, name), reading), depth)
