"""Objects: bytes under a name, taken in while they arrive, and safely on disk before they count."""

import hashlib
import mimetypes
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from cumulo.kit import clock
from cumulo.services.objectstore import (
    accounts,
    containers,
    layouts,
    listings,
    metadata,
    policies,
    replicas,
)
from cumulo.services.objectstore.cluster import Place
from cumulo.services.objectstore.containers import Container, container_visible
from cumulo.services.objectstore.drivers.base import Row, Stored
from cumulo.services.objectstore.refusals import (
    Unprocessable,
    bad,
    missing,
    taken,
    too_large,
    unmet,
)
from cumulo.services.objectstore.ring import OBJECTS
from cumulo.services.objectstore.settings import MAX_OBJECT_NAME_LENGTH
from cumulo.services.objectstore.stamps import iso
from cumulo.services.objectstore.updates import put_row, remove_row
from cumulo.services.objectstore.visits import Visit


class Content(Protocol):
    """Bytes that can be read from anywhere."""

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes of a range that is inside."""

    def close(self) -> None:
        """Let go of them."""


class Found(msgspec.Struct, frozen=True):
    """An object as it was found, with its bytes within reach."""

    account: str
    container: str
    name: str
    stored: Stored
    content: Content
    size: int
    etag: str
    version_id: str = ""
    location: str = ""  # where it really lies, when a link led there

    @property
    def path(self) -> str:
        """Return container and name."""
        return f"{self.container}/{self.name}"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """An object to be stored."""

    pieces: Iterable[bytes] = ()
    length: int | None = None
    etag: str = ""  # what the client says the bytes hash to
    stamp: str = ""  # when it was written first, if that was elsewhere
    content_type: str = ""
    headers: dict[str, str] = {}
    system: dict[str, str] = {}
    # What the listing shows, where that is not the file itself.
    shown_size: int | None = None
    shown_etag: str = ""
    facts: str = ""


def given(visit: Visit, name: str, pieces: Iterable[bytes], length: int | None) -> Given:
    """Return what a request wants to store, checked."""
    check_name(name)
    metadata.check_sizes(visit.headers)
    if length is not None and length > visit.settings.max_file_size:
        raise too_large("Your request is too large.")
    content_type = visit.headers.get("content-type") or guessed(name)
    if visit.says("x-detect-content-type"):
        content_type = guessed(name)
    return Given(
        pieces=pieces,
        length=length,
        etag=visit.headers.get("etag", "").strip('"').lower(),
        content_type=content_type,
        headers=metadata.of_object(visit.headers),
        stamp=visit.grant.stamp if visit.grant else "",
    )


def place_of(visit: Visit, address: tuple[str, str, str]) -> Place:
    """Return where an object lies, which its container's policy decides."""
    kind = OBJECTS
    if len(visit.settings.policies) > 1:
        head = containers.find(visit, address[0], address[1])
        kind = policies.ring_of(visit.settings, policies.name_of(visit.settings, head))
    return visit.cluster.place(kind, *address)


def check_newer(visit: Visit, address: tuple[str, str, str]) -> None:
    """Refuse what was written elsewhere before what is here."""
    stamp = visit.grant.stamp if visit.grant else ""
    if stamp:
        place = place_of(visit, address)
        known = replicas.states(visit.cluster, place).values()
        if any(max(state.newest) >= stamp for state in known):
            raise taken()


def check_quotas(visit: Visit, container: Container, name: str, size: int) -> None:
    """Refuse what neither container nor account has room for."""
    if not containers.has_quota(container) and not accounts.has_quota(visit, container.account):
        return
    known = listings.get(visit.cluster, container.account, container.name, name)
    count = 0 if known else 1
    containers.check_quota(visit, container, size, count)
    policy = policies.name_of(visit.settings, container.head)
    accounts.check_quota(visit, container.account, size, count, policy)


class Arriving:
    """An object whose bytes come in; nobody sees any of them before `keep`."""

    def __init__(self, visit: Visit, address: tuple[str, str, str]) -> None:
        self._visit, self._address = visit, address
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._writing = layouts.writing(visit.cluster, place_of(visit, address))

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        self.size += len(piece)
        self._writing.write(piece)
        self._digest.update(piece)  # meanwhile the devices are busy with it

    def check(self, one: Given) -> None:
        """Refuse bytes that are not those that were announced."""
        if one.length is not None and self.size != one.length:
            raise bad(f"The body has {self.size} bytes where {one.length} were announced.")
        if one.etag and one.etag != self._digest.hexdigest():
            raise Unprocessable("")

    def keep(self, one: Given) -> Stored:
        """Make the bytes the object's, safely on disk, and show it in the listing."""
        account, container, name = self._address
        cluster, etag = self._visit.cluster, self._digest.hexdigest()
        stored = self._writing.keep(
            Stored(
                name="",
                stamp=one.stamp or cluster.stamps.next(),
                size=self.size,
                etag=etag,
                content_type=one.content_type,
                headers=one.headers,
                system=one.system,
            )
        )
        row = Row(
            name,
            stored.stamp,
            iso(stored.stamp),
            size=self.size if one.shown_size is None else one.shown_size,
            count=1,
            content_type=one.content_type,
            etag=one.shown_etag or etag,
            expires=_expires(one.headers),
            facts=one.facts,
        )
        put_row(cluster, account, container, row)
        return stored

    def discard(self) -> None:
        """Leave nothing of what was not kept."""
        self._writing.discard()


def store(visit: Visit, account: str, container: str, name: str, one: Given) -> Stored:
    """Take an object in, whoever asks; afterwards it is there whole, or nothing has happened."""
    address, most = (account, container, name), visit.settings.max_file_size
    arriving = Arriving(visit, address)
    try:
        for piece in one.pieces:
            if arriving.size + len(piece) > most:
                raise too_large("Your request is too large.")
            arriving.write(piece)
        arriving.check(one)
        if visit.headers.get("if-none-match", "").strip() != "*":
            return arriving.keep(one)
        with visit.cluster.lock(place_of(visit, address)):
            check_absent(visit, account, container, name)
            return arriving.keep(one)
    finally:
        arriving.discard()


def check_absent(visit: Visit, account: str, container: str, name: str) -> None:
    """Refuse to replace an object where the client said there must be none."""
    condition = visit.headers.get("if-none-match")
    if condition is None:
        return
    if condition.strip() != "*":
        raise bad("If-None-Match only supports *")
    if find(visit, account, container, name) is not None:
        raise unmet()


def find(visit: Visit, account: str, container: str, name: str) -> layouts.Reading | None:
    """Open an object that has not expired, whoever asks."""
    reading = layouts.opened(visit.cluster, place_of(visit, (account, container, name)))
    if reading is None:
        return None
    if is_expired(reading.stored):
        reading.close()
        return None
    return reading


def is_expired(stored: Stored) -> bool:
    """Say whether an object's time is over."""
    at = stored.headers.get("X-Delete-At")
    return at is not None and int(at) <= clock.timestamp()


def update(visit: Visit, account: str, container: str, name: str) -> Stored:
    """Replace an object's headers by those given."""
    container_visible(visit, account, container, writes=True)
    reading = find(visit, account, container, name)
    if reading is None:
        raise missing()
    reading.close()
    metadata.check_sizes(visit.headers)
    held = reading.stored.headers.items()
    kept = {name: value for name, value in held if name.startswith(metadata.HIDDEN)}
    headers = metadata.of_object(visit.headers) | kept
    return replace_headers(visit, (account, container, name), reading.stored, headers)


def replace_headers(
    visit: Visit, address: tuple[str, str, str], stored: Stored, headers: dict[str, str]
) -> Stored:
    """Replace an object's headers, whoever asks."""
    cluster, stamp = visit.cluster, visit.cluster.stamps.next()
    content_type = visit.headers.get("content-type") or stored.content_type
    kept = {**headers, "Content-Type": content_type}
    layouts.post(cluster, place_of(visit, address), stamp, kept)
    account, container, name = address
    row = listings.get(cluster, account, container, name)
    if row is not None:
        changed = msgspec.structs.replace(
            row,
            stamp=stamp,
            modified=iso(stamp),
            content_type=content_type,
            expires=_expires(headers),
        )
        put_row(cluster, account, container, changed)
    return msgspec.structs.replace(stored, headers=headers, content_type=content_type, posted=stamp)


def remove(visit: Visit, account: str, container: str, name: str) -> None:
    """Delete an object, whoever asks; its row goes even if its bytes are gone already."""
    cluster = visit.cluster
    stamp = (visit.grant.stamp if visit.grant else "") or cluster.stamps.next()
    replicas.bury(cluster, place_of(visit, (account, container, name)), stamp)
    remove_row(cluster, account, container, name, stamp)


def check_name(name: str) -> None:
    """Refuse names that are too long."""
    length = len(name.encode())
    if length > MAX_OBJECT_NAME_LENGTH:
        raise bad(f"Object name length of {length} longer than {MAX_OBJECT_NAME_LENGTH}")
    if "\ufffd" in name:
        raise unmet("Invalid UTF8 or contains NULL")


def guessed(name: str) -> str:
    """Return the content type that a name suggests."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _expires(headers: dict[str, str]) -> int | None:
    at = headers.get("X-Delete-At")
    return int(at) if at else None
