"""Containers over HTTP."""

import msgspec

from cumulo.services.objectstore import containers, policies, versions
from cumulo.services.objectstore.api import accounts, answers, bulk, forms, webpages
from cumulo.services.objectstore.containers import Container, container_visible
from cumulo.services.objectstore.records import Row
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Call, Reply, Routes, Stream, Upload

routes = Routes()
_CONTAINER = "/v1/{account}/{container}"


@routes.get(_CONTAINER, policy=None, guests=True)
def show_container(call: Call[Tools], account: str, container: str) -> Reply | Stream:
    """List the objects of a container, or serve it as a web site."""
    if not container:
        return accounts.show_account(call, account)
    visit = answers.visit_of(call, "GET")
    served = webpages.container_page(visit, account, container, call.path)
    if served is not None:
        return served
    found = container_visible(visit, account, container, lists=True)
    form = answers.format_of(visit)
    asked, headers = answers.asked(visit), _headers(visit, found)
    if "versions" in visit.query:
        all_versions = [_version(one) for one in versions.listed(visit, found, asked)]
        return answers.listing(all_versions, "container", container, form, headers)
    rows = containers.objects(visit, found, asked)
    return answers.listing(rows, "container", container, form, headers)


@routes.head(_CONTAINER, policy=None, guests=True)
def head_container(call: Call[Tools], account: str, container: str) -> Reply:
    """Show what a container holds in all, and its metadata."""
    if not container:
        return accounts.head_account(call, account)
    visit = answers.visit_of(call, "HEAD")
    found = container_visible(visit, account, container, lists=True)
    headers = {"Content-Type": answers.format_of(visit), **_headers(visit, found)}
    return Reply(status=204, headers=headers)


@routes.put(_CONTAINER, policy=None, guests=True, status=201)
def create_container(call: Call[Tools], account: str, container: str, body: Upload) -> Reply:
    """Make a container, or set metadata of one, or unpack an archive into it."""
    if not container:
        return accounts.create_account(call, account, body)
    visit = answers.visit_of(call, "PUT")
    if "extract-archive" in visit.query:
        return bulk.extracted(visit, account, container, body)
    return answers.done(201 if containers.create(visit, account, container) else 202)


@routes.post(_CONTAINER, policy=None, guests=True, status=204)
def update_container(call: Call[Tools], account: str, container: str, body: Upload) -> Reply:
    """Set a container's metadata, or take in what a form uploads."""
    if not container:
        return accounts.update_account(call, account, body)
    visit = answers.visit_of(call, "POST")
    if body.content_type == "multipart/form-data":
        return forms.received(visit, account, container, "", body)
    containers.update(visit, account, container)
    return answers.done(204)


@routes.delete(_CONTAINER, policy=None, guests=True, status=204)
def delete_container(call: Call[Tools], account: str, container: str, body: Upload) -> Reply:
    """Delete an empty container."""
    if not container:
        return accounts.delete_account(call, account, body)
    visit = answers.visit_of(call, "DELETE")
    containers.check_deletable(visit, account, container)
    versions.check_empty(visit, account, container)
    containers.delete(visit, account, container)
    return answers.done(204)


@routes.add("OPTIONS", _CONTAINER, policy=None, guests=True)
def container_options(call: Call[Tools], account: str, container: str) -> Reply:
    """Tell a browser whether a page of another origin may ask."""
    return preflight(answers.visit_of(call, "OPTIONS"), account, container)


def preflight(visit: Visit, account: str, container: str) -> Reply:
    """Answer what a browser asks before it lets a page ask."""
    allow = "HEAD, GET, PUT, POST, COPY, OPTIONS, DELETE"
    origin, method = visit.headers.get("origin"), visit.headers.get("access-control-request-method")
    if not origin:
        return Reply("", headers={"Allow": allow}, content_type=answers.HTML)
    shown = answers.cross_origin(visit, account, container)
    if not shown or method not in [*allow.split(", "), None]:
        return Reply("", status=401, headers={"Allow": allow}, content_type=answers.HTML)
    head = containers.find(visit, account, container)
    age = head.headers.get("X-Container-Meta-Access-Control-Max-Age") if head else None
    wanted = visit.headers.get("access-control-request-headers", "")
    headers = {
        "Access-Control-Allow-Origin": shown["Access-Control-Allow-Origin"],
        "Access-Control-Allow-Methods": allow,
        "Allow": allow,
        "Vary": "Origin, Access-Control-Request-Headers",
    }
    headers |= {"Access-Control-Max-Age": age} if age else {}
    headers |= {"Access-Control-Allow-Headers": wanted} if wanted else {}
    return Reply("", headers=headers, content_type=answers.HTML)


def _headers(visit: Visit, found: Container) -> dict[str, str]:
    account, name = found.account, found.name
    shown = {k: v for k, v in found.head.headers.items() if containers.is_shown(visit, account, k)}
    return {
        **answers.sums("Container", containers.summed(visit, account, found.head)),
        policies.HEADER: policies.name_of(visit.settings, found.head),
        "Accept-Ranges": "bytes",
        **shown,
        **answers.cross_origin(visit, account, name),
    }


def _version(one: tuple[Row, str, bool]) -> Row:
    """Return a version as listings show it."""
    row, version_id, is_latest = one
    facts = {"version_id": version_id, "is_latest": is_latest}
    return msgspec.structs.replace(row, facts=msgspec.json.encode(facts).decode())
