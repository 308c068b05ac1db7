"""Objects over HTTP."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from cumulo.services.objectstore import (
    accounts,
    containers,
    copies,
    deletions,
    links,
    manifests,
    objects,
    policies,
    refusals,
    segments,
    signatures,
    syncs,
    versions,
)
from cumulo.services.objectstore.api import answers, bodies, bulk, forms, webpages
from cumulo.services.objectstore.api import containers as container_api
from cumulo.services.objectstore.containers import Container, container_visible
from cumulo.services.objectstore.objects import Found, Given
from cumulo.services.objectstore.records import Stored
from cumulo.services.objectstore.stamps import http_date
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Visit, truth
from cumulo.web import Call, Reply, Routes, Stream, Upload

routes = Routes()
_OBJECT = "/v1/{account}/{container}/{name:path}"


@routes.get(_OBJECT, policy=None, guests=True)
def show_object(call: Call[Tools], account: str, container: str, name: str) -> Reply | Stream:
    """Download an object, all of it or ranges."""
    if not name:
        return container_api.show_container(call, account, container)
    visit = _signed(call, "GET", (account, container, name))
    served = webpages.object_page(visit, account, container, name, call.path)
    return served if served is not None else _sent(visit, account, container, name)


@routes.head(_OBJECT, policy=None, guests=True)
def head_object(call: Call[Tools], account: str, container: str, name: str) -> Reply | Stream:
    """Show an object's metadata."""
    if not name:
        return container_api.head_container(call, account, container)
    visit = _signed(call, "HEAD", (account, container, name))
    return _sent(visit, account, container, name)


@routes.put(_OBJECT, policy=None, guests=True, status=201)
def create_object(
    call: Call[Tools], account: str, container: str, name: str, body: Upload
) -> Reply:
    """Store an object: from the body, from another object, as a link or as a list of parts."""
    if not name:
        return container_api.create_container(call, account, container, body)
    visit = _synced(_signed(call, "PUT", (account, container, name)), account, container, call)
    if "extract-archive" in visit.query:
        return bulk.extracted(visit, account, f"{container}/{name}", body)
    found = container_visible(visit, account, container, writes=True)
    if "version-id" in visit.query:
        stored, version_id = versions.restore(visit, found, name, visit.param("version-id"))
        return _stored(stored, version_id, stored.etag)
    if visit.headers.get("x-copy-from"):
        source = (
            visit.headers.get("x-copy-from-account", account),
            *copies.split(visit.headers["x-copy-from"], "X-Copy-From"),
        )
        copies.check_is_whole(visit)
        return _copied(visit, source, found, name)
    return _taken(visit, found, name, body)


@routes.post(_OBJECT, policy=None, guests=True, status=202)
def update_object(
    call: Call[Tools], account: str, container: str, name: str, body: Upload
) -> Reply:
    """Replace an object's metadata, or take in what a form uploads."""
    if not name:
        return container_api.update_container(call, account, container, body)
    visit = answers.visit_of(call, "POST")
    if body.content_type == "multipart/form-data":
        return forms.received(visit, account, container, name, body)
    visit = signatures.temp_url(visit, account, container, name, call.remote)
    stored = objects.update(visit, account, container, name)
    if links.TARGET in stored.system:
        target = quote("/v1/" + "/".join(links.target_of(account, stored)))
        words = "The requested POST was applied to a symlink. POST directly to the target."
        return Reply(words, status=307, headers={"Location": target}, content_type=answers.HTML)
    return answers.done(202)


@routes.delete(_OBJECT, policy=None, guests=True, status=204)
def delete_object(
    call: Call[Tools], account: str, container: str, name: str, body: Upload
) -> Reply:
    """Delete an object, or one version of it, or a large object with all its parts."""
    if not name:
        return container_api.delete_container(call, account, container, body)
    signed = _signed(call, "DELETE", (account, container, name))
    visit = _synced(signed, account, container, call)
    found = container_visible(visit, account, container, writes=True)
    objects.check_newer(visit, (account, container, name))
    if visit.param("multipart-manifest") == "delete":
        if not truth(visit.param("async")):
            return _deleted_with_parts(visit, account, container, name)
        _put_off_parts(visit, found, name)
    if "version-id" in visit.query:
        gone = visit.param("version-id")
        counts = versions.remove_version(visit, found, name, gone)
        headers = {"X-Object-Version-Id": gone}
        headers |= {"X-Object-Current-Version-Id": counts} if counts else {}
        return answers.done(204, headers)
    version_id = versions.remove(visit, found, name)
    return answers.done(204, {"X-Object-Version-Id": version_id} if version_id else {})


@routes.add("COPY", _OBJECT, policy=None, guests=True, status=201)
def copy_object(call: Call[Tools], account: str, container: str, name: str, body: Upload) -> Reply:
    """Copy an object to where the Destination header says."""
    visit = answers.visit_of(call, "PUT")
    target = visit.headers.get("destination")
    if not target:
        raise refusals.unmet("Destination header required")
    copies.check_is_whole(visit)
    to, new_name = copies.split(target, "Destination")
    other = visit.headers.get("destination-account", account)
    found = container_visible(visit, other, to, writes=True)
    return _copied(visit, (account, container, name), found, new_name)


@routes.add("OPTIONS", _OBJECT, policy=None, guests=True)
def object_options(call: Call[Tools], account: str, container: str, name: str) -> Reply:
    """Tell a browser whether a page of another origin may ask."""
    return container_api.preflight(answers.visit_of(call, "OPTIONS"), account, container)


def _signed(call: Call[Tools], method: str, address: tuple[str, str, str]) -> Visit:
    return signatures.temp_url(answers.visit_of(call, method), *address, call.remote)


def _synced(visit: Visit, account: str, container: str, call: Call[Tools]) -> Visit:
    return syncs.admitted(visit, account, container, call.path)


def opened(visit: Visit, account: str, container: str, name: str) -> Found:
    """Open what the caller named, through links and versions, whole."""
    version_id = visit.param("version-id")
    if version_id:
        where = container_visible(visit, account, container)
        found = versions.open_version(visit, where, name, version_id)
    else:
        found = versions.followed(visit, links.open_found(visit, account, container, name))
    return found


def _sent(visit: Visit, account: str, container: str, name: str) -> Reply | Stream:
    found = opened(visit, account, container, name)
    headers = bodies.described(visit, found) | answers.cross_origin(visit, account, container)
    if segments.SLO in found.stored.system and visit.param("multipart-manifest") == "get":
        parts = segments.manifest_of(found)
        is_raw = visit.param("format") == "raw"
        body = manifests.raw(parts) if is_raw else manifests.shown(parts)
        headers["Content-Type"] = answers.JSON
        headers["Etag"] = found.stored.etag
        content_type = headers.pop("Content-Type")
        return Reply(body, headers=headers, content_type=content_type)
    whole = segments.resolved(visit, found)
    headers["Etag"] = whole.etag
    return _sent_part(visit, whole, headers)


def _sent_part(visit: Visit, whole: Found, headers: dict[str, str]) -> Reply | Stream:
    """Return an object, or the one part of a static large object that was asked for."""
    parts = segments.spans(whole) if "part-number" in visit.query else None
    if parts is None:
        return bodies.sent(visit, whole, headers)
    number = _part_number(visit)
    headers["X-Parts-Count"] = str(len(parts))
    if number <= len(parts):
        return bodies.sent(visit, whole, headers, parts[number - 1])
    headers["Content-Range"] = f"bytes */{whole.size}"
    content_type = headers.pop("Content-Type")
    words = "The requested part number is not satisfiable"
    return Reply(words, status=416, headers=headers, content_type=content_type)


def _part_number(visit: Visit) -> int:
    text = visit.param("part-number")
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise refusals.bad("Part number must be an integer greater than 0")
    if visit.headers.get("range"):
        raise refusals.bad("Range requests are not supported with part number queries")
    return int(text)


def _taken(visit: Visit, found: Container, name: str, body: Upload) -> Reply:
    """Store what the body brings."""
    if body.length is None and "transfer-encoding" not in visit.headers:
        raise refusals.LengthRequired("")
    one = objects.given(visit, name, body, body.length)
    address, etag = (found.account, found.name, name), ""
    if visit.param("multipart-manifest") == "put":
        one = manifests.given_manifest(visit, found.account, one)
        etag = f'"{one.system[segments.SLO]}"'
    elif visit.headers.get("x-symlink-target"):
        one = links.given_link(visit, address, one)
    manifest = visit.headers.get("x-object-manifest")
    if manifest and not all(manifest.strip("/").partition("/")[::2]):
        raise refusals.bad("X-Object-Manifest must be in the format container/prefix")
    size = one.length or 0 if one.shown_size is None else one.shown_size
    objects.check_quotas(visit, found, name, size)
    objects.check_absent(visit, found.account, found.name, name)
    objects.check_newer(visit, address)
    stored, version_id = versions.store(visit, found, name, _bounded(visit, found, one))
    return _stored(stored, version_id, etag or stored.etag)


def _bounded(visit: Visit, found: Container, one: Given) -> Given:
    """Hold a body of unknown length to the quota while it arrives."""
    if one.length is not None:
        return one

    policy = policies.name_of(visit.settings, found.head)

    def checked() -> object:
        size = 0
        for piece in one.pieces:
            size += len(piece)
            containers.check_quota(visit, found, size, 0)
            accounts.check_quota(visit, found.account, size, 0, policy)
            yield piece

    return msgspec.structs.replace(one, pieces=checked())


def _copied(visit: Visit, source: tuple[str, str, str], to: Container, name: str) -> Reply:
    original = copies.source(visit, *source)
    objects.check_name(name)
    one = copies.given(visit, original)
    objects.check_quotas(visit, to, name, original.size)
    objects.check_absent(visit, to.account, to.name, name)
    stored, version_id = versions.store(visit, to, name, one)
    original.content.close()
    newest = max(original.stored.stamp, original.stored.posted)
    headers = {
        "X-Copied-From": quote(original.path),
        "X-Copied-From-Account": original.account,
        "X-Copied-From-Last-Modified": http_date(newest),
    }
    shown = {k: v for k, v in stored.headers.items() if k.startswith("X-Object-Meta-")}
    return _stored(stored, version_id, stored.etag, headers | shown)


def _stored(
    stored: Stored, version_id: str, etag: str, more: Mapping[str, str] | None = None
) -> Reply:
    headers = {"Etag": etag, "Last-Modified": http_date(stored.stamp), **(more or {})}
    if version_id:
        headers["X-Object-Version-Id"] = version_id
    return answers.done(201, headers)


def _deleted_with_parts(visit: Visit, account: str, container: str, name: str) -> Reply:
    found = links.open_found(visit.sub("GET"), account, container, name)
    addresses = segments.with_parts(visit, found)
    lines = [quote(f"/{to}/{part}").encode() + b"\n" for _, to, part in addresses]
    return bulk.told_deleted(visit, account, lines)


def _put_off_parts(visit: Visit, container: Container, name: str) -> None:
    """Have the parts of a static large object deleted later; all must be of one container."""
    account = container.account
    found = links.open_found(visit.sub("GET"), account, container.name, name)
    parts = segments.named_parts(found)
    if not parts:
        return
    homes = sorted({home for home, _ in parts})
    if len(homes) > 1:
        named = ", ".join(f'"{quote(home)}"' for home in homes)
        words = f"All segments must be in one container. Found segments in {named}"
        raise refusals.bad(words)
    container_visible(visit, account, homes[0], writes=True)
    deletions.put_off(visit, account, homes[0], [part for _, part in parts])
