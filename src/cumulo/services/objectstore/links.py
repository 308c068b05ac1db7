"""Links: objects that stand for another, as symlinks and as names of a version."""

from urllib.parse import quote, unquote

import msgspec

from cumulo.kit.errors import Conflict
from cumulo.services.objectstore import access, objects
from cumulo.services.objectstore.containers import container_visible
from cumulo.services.objectstore.drivers.base import Stored
from cumulo.services.objectstore.layouts import Reading
from cumulo.services.objectstore.objects import Found, Given
from cumulo.services.objectstore.refusals import bad, missing
from cumulo.services.objectstore.settings import SYMLOOP_MAX
from cumulo.services.objectstore.visits import Visit

TARGET = "symlink-target"  # container/object, quoted
TARGET_ACCOUNT = "symlink-target-account"
TARGET_ETAG = "symlink-target-etag"


def open_found(visit: Visit, account: str, container: str, name: str) -> Found:
    """Open what the caller may read, following links up to a bound.

    A container is looked at only where its list may decide: what holds an object is there.
    """
    address, shown, location = (account, container, name), visit.param("symlink") == "get", ""
    for _ in range(SYMLOOP_MAX + 1):
        if not access.needs_no_list(visit, address[0], address[1]):
            container_visible(visit, address[0], address[1])
        reading = objects.find(visit, *address)
        if reading is None:
            raise missing()
        target = reading.stored.system.get(TARGET)
        if target is None or shown:
            return plain(address, reading, location)
        reading.close()
        wanted = reading.stored.system.get(TARGET_ETAG)
        address = target_of(address[0], reading.stored)
        location = quote("/v1/" + "/".join(address))
        _check_etag(visit, address, wanted)
    raise Conflict(
        f"Too many levels of symbolic links, maximum allowed is {SYMLOOP_MAX}", told=True
    )


def plain(address: tuple[str, str, str], reading: Reading, location: str = "") -> Found:
    """Return an object as what its own file holds."""
    stored = reading.stored
    return Found(*address, stored, reading, stored.size, stored.etag, location=location)


def target_of(account: str, stored: Stored) -> tuple[str, str, str]:
    """Return where a link leads."""
    container, _, name = unquote(stored.system[TARGET]).partition("/")
    return stored.system.get(TARGET_ACCOUNT) or account, container, name


def given_link(visit: Visit, address: tuple[str, str, str], one: Given) -> Given:
    """Return what is stored of a link; a static one must lead to what it says."""
    target = visit.headers["x-symlink-target"]
    container, slash, name = unquote(target).strip("/").partition("/")
    if not (container and slash and name) or target.startswith("/"):
        raise bad("X-Symlink-Target header must be of the form <container name>/<object name>")
    if one.length != 0:
        raise bad("Symlink requests require a zero byte body")
    if visit.headers.get("x-copy-from") or visit.headers.get("x-object-manifest"):
        raise bad("A link has no content of its own.")
    other = visit.headers.get("x-symlink-target-account", "")
    leads_to = (other or address[0], container, name)
    if leads_to == address:
        raise bad("Symlink cannot target itself")
    quoted = quote(f"{container}/{name}")
    system = {TARGET: quoted} | ({TARGET_ACCOUNT: other} if other else {})
    facts = {"symlink_path": quote(f"/v1/{leads_to[0]}/{container}/{name}")}
    etag = visit.headers.get("x-symlink-target-etag", "").strip('"')
    if etag:
        size = _check_static(visit, leads_to, etag)
        system[TARGET_ETAG] = etag
        facts |= {"symlink_etag": etag, "symlink_bytes": str(size)}
    return msgspec.structs.replace(
        one,
        system=system,
        facts=msgspec.json.encode(facts).decode(),
        content_type=visit.headers.get("content-type") or "application/symlink",
    )


def headers_of(account: str, stored: Stored) -> dict[str, str]:
    """Return how a link shows itself."""
    names = {
        TARGET: "X-Symlink-Target",
        TARGET_ACCOUNT: "X-Symlink-Target-Account",
        TARGET_ETAG: "X-Symlink-Target-Etag",
    }
    return {shown: stored.system[key] for key, shown in names.items() if key in stored.system}


def _check_static(visit: Visit, leads_to: tuple[str, str, str], etag: str) -> int:
    reading_visit = visit.sub("HEAD")
    container_visible(reading_visit, leads_to[0], leads_to[1])
    reading = objects.find(visit, *leads_to)
    if reading is None:
        raise Conflict("X-Symlink-Target does not exist", told=True)
    reading.close()
    if reading.stored.etag != etag:
        raise Conflict(
            f"Object Etag {reading.stored.etag!r} does not match "
            f"X-Symlink-Target-Etag header {etag!r}",
            told=True,
        )
    return reading.stored.size


def _check_etag(visit: Visit, address: tuple[str, str, str], wanted: str | None) -> None:
    if wanted is None:
        return
    reading = objects.find(visit, *address)
    if reading is None:
        return
    reading.close()
    if reading.stored.etag != wanted:
        raise Conflict("Object Etag does not match X-Symlink-Target-Etag header", told=True)
