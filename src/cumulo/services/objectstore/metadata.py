"""Headers that clients give: which are kept, how many and how large they may be."""

from collections.abc import Mapping

from cumulo.kit import clock
from cumulo.services.objectstore.refusals import bad
from cumulo.services.objectstore.settings import (
    MAX_HEADER_SIZE,
    MAX_META_COUNT,
    MAX_META_NAME_LENGTH,
    MAX_META_OVERALL_SIZE,
    MAX_META_VALUE_LENGTH,
)

# What an object keeps and shows besides its metadata.
KEPT = ("Content-Disposition", "Content-Encoding", "X-Delete-At", "X-Object-Manifest")
_KEPT_MORE = ("Content-Language", "Cache-Control", "Expires", "X-Robots-Tag")


# Begins the names of what is kept with an object and shown to nobody.
HIDDEN = "X-Object-Sysmeta-"


def titled(name: str) -> str:
    """Return a header's name as it is shown."""
    return "-".join(part.capitalize() for part in name.split("-"))


def asked(kind: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that a request sets; empty values remove.  `kind` is Account, ..."""
    prefix, remove = f"x-{kind.lower()}-meta-", f"x-remove-{kind.lower()}-meta-"
    found = {titled(k): v.strip() for k, v in headers.items() if k.startswith(prefix)}
    gone = {titled(prefix + k.removeprefix(remove)): "" for k in headers if k.startswith(remove)}
    check_sizes(headers)
    check(f"X-{kind}-Meta-", gone | found)
    return gone | found


def check(prefix: str, given: Mapping[str, str]) -> None:
    """Refuse metadata that is too much or too long."""
    size = 0
    for name, value in given.items():
        key = name[len(prefix) :]
        if not key:
            raise bad("Metadata name cannot be empty")
        if len(key) > MAX_META_NAME_LENGTH:
            raise bad(f"Metadata name too long: {name}")
        if len(value) > MAX_META_VALUE_LENGTH:
            raise bad(f"Metadata value longer than {MAX_META_VALUE_LENGTH}: {name}")
        size += len(key) + len(value)
    _check_sums(len(given), size)


def check_whole(prefix: str, headers: Mapping[str, str]) -> None:
    """Refuse more metadata than one thing may have, old and new together."""
    mine = {k: v for k, v in headers.items() if k.startswith(prefix) and v}
    _check_sums(len(mine), sum(len(k) - len(prefix) + len(v) for k, v in mine.items()))


def _check_sums(count: int, size: int) -> None:
    if count > MAX_META_COUNT:
        raise bad(f"Too many metadata items; max {MAX_META_COUNT}")
    if size > MAX_META_OVERALL_SIZE:
        raise bad(f"Total metadata too large; max {MAX_META_OVERALL_SIZE}")


def check_sizes(headers: Mapping[str, str]) -> None:
    """Refuse headers that no server of this kind reads, or that would be more than one."""
    for name, value in headers.items():
        if any(character in value for character in "\r\n\0"):
            raise bad(f"Header value has a line break: {name[:MAX_META_NAME_LENGTH]}")
        if len(value) > MAX_HEADER_SIZE:
            raise bad(f"Header value too long: {name[:MAX_META_NAME_LENGTH]}")


def of_object(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what an object keeps of a request's headers."""
    meta = {k: v for k, v in headers.items() if k.startswith("x-object-meta-")}
    kept = {titled(k): v.strip() for k, v in meta.items()}
    check("X-Object-Meta-", kept)
    for name in (*KEPT, *_KEPT_MORE):
        value = headers.get(name.lower())
        if value:
            kept[name] = value
    return kept | _expiry(headers)


def _expiry(headers: Mapping[str, str]) -> dict[str, str]:
    after, at = headers.get("x-delete-after"), headers.get("x-delete-at")
    if after:
        if not after.removeprefix("-").isdecimal():
            raise bad("Non-integer X-Delete-After")
        at = str(int(clock.timestamp()) + int(after))
        if int(after) <= 0:
            raise bad("X-Delete-After in past")
    if not at:
        return {}
    if not (at.isdecimal() and at.isascii() and len(at) < 16):
        raise bad("Non-integer X-Delete-At")
    if int(at) < clock.timestamp():
        raise bad("X-Delete-At in past")
    return {"X-Delete-At": str(int(at))}
