"""Copies: an object's content under another name, with the metadata that goes along."""

from urllib.parse import unquote

import msgspec

from cumulo.services.objectstore import links, metadata, segments, versions
from cumulo.services.objectstore.containers import container_visible
from cumulo.services.objectstore.drivers.base import Stored
from cumulo.services.objectstore.objects import Found, Given
from cumulo.services.objectstore.refusals import bad, too_large, unmet
from cumulo.services.objectstore.visits import Visit

_ALONG = ("X-Delete-At", "Content-Encoding", "Content-Disposition")


def split(value: str, header: str) -> tuple[str, str]:
    """Read container/object from a header."""
    container, slash, name = unquote(value).removeprefix("/").partition("/")
    if not (container and slash and name):
        raise unmet(f"{header} header must be of the form <container name>/<object name>")
    return container, name


def source(visit: Visit, account: str, container: str, name: str) -> Found:
    """Open what is to be copied."""
    asked = visit.sub("GET", query=visit.query)
    version_id = visit.param("version-id")
    if version_id:
        found = versions.open_version(
            asked, container_visible(asked, account, container), name, version_id
        )
    else:
        found = versions.followed(asked, links.open_found(asked, account, container, name))
    found = segments.resolved(asked, found)
    if found.size > visit.settings.max_file_size:
        raise too_large("The source is larger than one object may be.")
    return found


def given(visit: Visit, found: Found) -> Given:
    """Return what is to be stored of a copy; what the request says goes first."""
    stored, headers = found.stored, metadata.of_object(visit.headers)
    if not visit.says("x-fresh-metadata"):
        headers = _along(visit, stored) | headers
    as_manifest = visit.param("multipart-manifest") == "get"
    if as_manifest and "X-Object-Manifest" in stored.headers:
        headers = {"X-Object-Manifest": stored.headers["X-Object-Manifest"]} | headers
    one = Given(
        pieces=found.content.pieces(0, found.size),
        length=found.size,
        content_type=visit.headers.get("content-type") or stored.content_type,
        headers=headers,
        etag=visit.headers.get("etag", "").strip('"'),
    )
    if links.TARGET in stored.system and visit.param("symlink") == "get":
        return msgspec.structs.replace(one, system=stored.system)
    if as_manifest and segments.SLO in stored.system:
        size = int(stored.system[segments.SLO_SIZE])
        return msgspec.structs.replace(one, system=stored.system, shown_size=size)
    return one


def check_is_whole(visit: Visit) -> None:
    """Refuse a copy that also brings bytes."""
    if visit.headers.get("content-length", "0") not in ("", "0"):
        raise bad("Copy requests require a zero byte body")


def _along(visit: Visit, stored: Stored) -> dict[str, str]:
    gone = {
        metadata.titled(f"x-object-meta-{name.removeprefix('x-remove-object-meta-')}")
        for name in visit.headers
        if name.startswith("x-remove-object-meta-")
    }
    return {
        name: value
        for name, value in stored.headers.items()
        if (name.startswith("X-Object-Meta-") and name not in gone)
        or name in _ALONG
        or name.startswith(metadata.HIDDEN)
    }
