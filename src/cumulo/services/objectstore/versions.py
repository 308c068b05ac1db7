"""Earlier versions of objects: in a container of the user's choice, or in one that nobody sees.

In the first manner (X-Versions-Location, X-History-Location) what is replaced is copied away
before.  In the second (X-Versions-Enabled) every version is an object of a hidden container from
the start, and the name that users see is a small object that says which one counts.
"""

from urllib.parse import unquote

import msgspec

from cumulo.services.objectstore import containers, listings, objects
from cumulo.services.objectstore.containers import LOCATIONS, VERSIONS_ENABLED, Container
from cumulo.services.objectstore.drivers.base import Asked, Row, Stored
from cumulo.services.objectstore.layouts import Reading
from cumulo.services.objectstore.objects import Found, Given
from cumulo.services.objectstore.refusals import bad, missing, taken, unmet
from cumulo.services.objectstore.stamps import spelled
from cumulo.services.objectstore.visits import Visit

MARKER = "application/x-deleted;swift_versions_deleted=1"
VERSION = "version"  # in an object's system facts: the version that its name stands for
SIZE, ETAG = "version-size", "version-etag"
_LATEST = 9_999_999_999.99999
NULL = "null"


def is_enabled(container: Container) -> bool:
    """Say whether every write makes a version."""
    return container.header(VERSIONS_ENABLED) == "True"


def hidden(container: str) -> str:
    """Return the name of the container that holds the versions of another's objects."""
    return f"\0versions\0{container}"


def name_of(name: str, version_id: str) -> str:
    """Return the name of a version; newer ones sort first."""
    stamp = 0.0 if version_id == NULL else float(version_id)
    return f"{name}\0{spelled(_LATEST - stamp)}"


def store(visit: Visit, container: Container, name: str, one: Given) -> tuple[Stored, str]:
    """Store an object so that what it replaces is kept where that is asked for."""
    account = container.account
    if not is_enabled(container):
        _keep_old(visit, container, name)
        return objects.store(visit, account, container.name, name, one), ""
    _prepare(visit, container, name)
    objects.check_absent(visit, account, container.name, name)
    version_id = visit.cluster.stamps.next()
    where = name_of(name, version_id)
    plain = visit.sub("PUT")
    stored = objects.store(plain, account, hidden(container.name), where, one)
    _point(visit, container, name, version_id, (stored, one))
    return stored, version_id


def restore(visit: Visit, container: Container, name: str, version_id: str) -> tuple[Stored, str]:
    """Make an earlier version the one that counts."""
    reading = _version(visit, container, name, version_id)
    reading.close()
    if reading.stored.content_type == MARKER:
        raise missing()
    _point(visit, container, name, version_id, (reading.stored, Given()))
    return reading.stored, version_id


def remove(visit: Visit, container: Container, name: str) -> str:
    """Delete an object, or its newest version; return the version that says so."""
    account = container.account
    if is_enabled(container):
        _prepare(visit, container, name)
        version_id = visit.cluster.stamps.next()
        marker = Given(content_type=MARKER, length=0)
        objects.store(
            visit.sub("PUT"), account, hidden(container.name), name_of(name, version_id), marker
        )
        objects.remove(visit, account, container.name, name)
        return version_id
    if container.header(LOCATIONS[0]) and _restore_last(visit, container, name):
        return ""
    if container.header(LOCATIONS[1]):
        _keep_old(visit, container, name)
    if objects.find(visit, account, container.name, name) is None:
        objects.remove(visit, account, container.name, name)
        raise missing()
    if container.header(LOCATIONS[1]):
        _mark(visit, container, name)
    objects.remove(visit, account, container.name, name)
    return ""


def remove_version(visit: Visit, container: Container, name: str, version_id: str) -> str:
    """Delete one version for good; return the version that counts afterwards."""
    account = container.account
    _version(visit, container, name, version_id).close()
    objects.remove(visit, account, hidden(container.name), name_of(name, version_id))
    current = objects.find(visit, account, container.name, name)
    if current is None:
        return ""
    current.close()
    counts = current.stored.system.get(VERSION, NULL)
    if counts == version_id:
        objects.remove(visit, account, container.name, name)
        return ""
    return counts


def open_version(visit: Visit, container: Container, name: str, version_id: str) -> Found:
    """Open one version."""
    reading = _version(visit, container, name, version_id)
    if reading.stored.content_type == MARKER:
        reading.close()
        raise missing()
    return _found(container.account, container.name, name, reading, version_id)


def followed(visit: Visit, found: Found) -> Found:
    """Return the version that a name stands for."""
    version_id = found.stored.system.get(VERSION)
    if version_id is None:
        return found
    found.content.close()
    where = name_of(found.name, version_id)
    reading = objects.find(visit, found.account, hidden(found.container), where)
    if reading is None:
        raise missing()
    return _found(found.account, found.container, found.name, reading, version_id)


def check_empty(visit: Visit, account: str, name: str) -> None:
    """Refuse to delete a container that still has versions; take the hidden one with it."""
    head = containers.find(visit, account, hidden(name))
    if head is None:
        return
    if containers.summed(visit, account, head).items:
        raise taken()
    containers.remove(visit, account, hidden(name))


def listed(visit: Visit, container: Container, asked: Asked) -> list[tuple[Row, str, bool]]:
    """Return versions of all objects, newest first for each: row, version, whether it counts."""
    marker, _, version = asked.marker.partition("\0")
    if marker and version:
        marker = name_of(marker, version)
    elif marker:
        marker = f"{marker}\0~"
    inside = msgspec.structs.replace(asked, marker=marker, delimiter="")
    rows = containers.rows(visit, container.account, hidden(container.name), inside)
    found: list[tuple[Row, str, bool]] = []
    for row in rows:
        assert isinstance(row, Row), "nothing is folded without a delimiter"
        name, _, inverted = row.name.partition("\0")
        stamp = _LATEST - float(inverted)
        version_id = NULL if stamp < 1 else spelled(stamp)
        counts = _counting(visit, container, name)
        is_latest = version_id == counts or (
            counts == "" and not any(one[0].name == name for one in found)
        )
        found.append((msgspec.structs.replace(row, name=name), version_id, is_latest))
    return found


def _counting(visit: Visit, container: Container, name: str) -> str:
    row = listings.get(visit.cluster, container.account, container.name, name)
    if row is None:
        return ""
    held = msgspec.json.decode(row.facts, type=dict[str, str]) if row.facts else {}
    return held.get("version_id", NULL)


def _found(account: str, container: str, name: str, reading: Reading, version_id: str) -> Found:
    stored = reading.stored
    return Found(
        account, container, name, stored, reading, stored.size, stored.etag, version_id=version_id
    )


def _version(visit: Visit, container: Container, name: str, version_id: str) -> Reading:
    if version_id != NULL and not version_id.replace(".", "", 1).isdecimal():
        raise bad("Invalid version parameter")
    where = name_of(name, version_id)
    reading = objects.find(visit, container.account, hidden(container.name), where)
    if reading is None:
        raise missing()
    return reading


def _prepare(visit: Visit, container: Container, name: str) -> None:
    """Make the hidden container, and give what was there before versions a place in it."""
    account = container.account
    if containers.find(visit, account, hidden(container.name)) is None:
        like = containers.like(container)
        containers.make(visit, account, hidden(container.name), like)
    reading = objects.find(visit, account, container.name, name)
    if reading is None:
        return
    if VERSION in reading.stored.system:
        reading.close()
        return
    _copy(visit, reading, (account, hidden(container.name), name_of(name, NULL)))


def _point(
    visit: Visit, container: Container, name: str, version_id: str, what: tuple[Stored, Given]
) -> None:
    """Make a name stand for a version."""
    stored, one = what
    facts = msgspec.json.decode(one.facts, type=dict[str, str]) if one.facts else {}
    pointer = Given(
        length=0,
        content_type=stored.content_type,
        headers=stored.headers,
        system={VERSION: version_id, SIZE: str(stored.size), ETAG: stored.etag},
        shown_size=stored.size if one.shown_size is None else one.shown_size,
        shown_etag=stored.etag,
        facts=msgspec.json.encode(facts | {"version_id": version_id}).decode(),
    )
    objects.store(visit.sub("PUT"), container.account, container.name, name, pointer)


def _location(container: Container) -> str:
    return unquote(container.header(LOCATIONS[0]) or container.header(LOCATIONS[1]))


def _prefix(name: str) -> str:
    return f"{len(name.encode()):03x}{name}/"


def _keep_old(visit: Visit, container: Container, name: str) -> None:
    """Copy what is about to be replaced to where earlier versions are kept."""
    location = _location(container)
    if not location:
        return
    if containers.find(visit, container.account, location) is None:
        raise unmet("The versions container does not exist")
    reading = objects.find(visit, container.account, container.name, name)
    if reading is not None:
        where = f"{_prefix(name)}{reading.stored.stamp}"
        _copy(visit, reading, (container.account, location, where))


def _mark(visit: Visit, container: Container, name: str) -> None:
    where = f"{_prefix(name)}{visit.cluster.stamps.next()}"
    marker = Given(content_type=MARKER, length=0)
    objects.store(visit.sub("PUT"), container.account, _location(container), where, marker)


def _restore_last(visit: Visit, container: Container, name: str) -> bool:
    """Put the last earlier version back in place; say whether there was one."""
    location, account = _location(container), container.account
    asked = Asked(prefix=_prefix(name), reverse=True, limit=1)
    rows = containers.rows(visit, account, location, asked)
    if not rows or objects.find(visit, account, container.name, name) is None:
        return False
    last = rows[0]
    assert isinstance(last, Row), "nothing is folded without a delimiter"
    reading = objects.find(visit, account, location, last.name)
    if reading is None:
        return False
    _copy(visit, reading, (account, container.name, name))
    objects.remove(visit, account, location, last.name)
    return True


def _copy(visit: Visit, reading: Reading, to: tuple[str, str, str]) -> None:
    stored = reading.stored
    large = stored.system.get("slo-size")
    one = Given(
        pieces=reading.pieces(0, stored.size),
        length=stored.size,
        content_type=stored.content_type,
        headers=stored.headers,
        system=stored.system,
        shown_size=int(large) if large else None,
    )
    objects.store(visit.sub("PUT"), *to, one)
