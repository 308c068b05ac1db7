"""What all answers of object storage share: headers, listings, errors in Swift's words."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import CloudError
from cumulo.services.objectstore import containers, ratelimits, refusals
from cumulo.services.objectstore.records import Asked, Head, Row
from cumulo.services.objectstore.refusals import bad, unmet
from cumulo.services.objectstore.settings import LISTING_LIMIT, RateLimits
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Call, Reply, errors
from cumulo.web.faults import PAGE, Family, Problem

UNLIMITED = RateLimits()
HTML = "text/html; charset=UTF-8"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"
XML = "application/xml; charset=utf-8"
_FORMATS = {
    "text/plain": TEXT,
    "application/json": JSON,
    "application/xml": XML,
    "text/xml": "text/xml; charset=utf-8",
}
_BY_NAME = {"json": JSON, "xml": XML, "plain": TEXT, "txt": TEXT}
_WORDS = {
    202: ("Accepted", "The request is accepted for processing."),
    401: (
        "Unauthorized",
        (
            "This server could not verify that you are authorized to access the document you "
            "requested."
        ),
    ),
    403: ("Forbidden", "Access was denied to this resource."),
    404: ("Not Found", "The resource could not be found."),
    405: ("Method Not Allowed", "The method is not allowed for this resource."),
    406: (
        "Not Acceptable",
        "The resource is not available in a format acceptable to your browser.",
    ),
    409: ("Conflict", "There was a conflict when trying to complete your request."),
    411: ("Length Required", "Content-Length header required."),
    412: ("Precondition Failed", "A precondition for this request was not met."),
    413: (
        "Request Entity Too Large",
        "The body of your request was too large for this server.",
    ),
    416: (
        "Requested Range Not Satisfiable",
        "The Range requested is not available.",
    ),
    422: ("Unprocessable Entity", "Unable to process the contained instructions"),
    500: (
        "Internal Error",
        "The server has either erred or is incapable of performing the requested operation.",
    ),
    503: (
        "Service Unavailable",
        "The server is currently unavailable. Please try again at a later time.",
    ),
}


def new_trans_id() -> str:
    """Return an id for a request: 21 random digits and the time."""
    return f"tx{secrets.token_hex(11)[:21]}-{int(clock.timestamp()):010x}"


def page(status: int) -> str:
    """Return the page that stands for a status."""
    title, text = _WORDS.get(status, ("Error", ""))
    return f"<html><h1>{title}</h1><p>{text}</p></html>"


def _spell(problem: Problem) -> tuple[bytes, str]:
    if problem.status in (304,):
        return b"", HTML
    if problem.data.get("told") and problem.message:
        return problem.message.encode(), TEXT.replace("utf-8", "UTF-8")
    return page(problem.status).encode(), HTML


FAMILY = Family(
    _spell,
    {
        **PAGE.status,
        refusals.LengthRequired: 411,
        refusals.Unprocessable: 422,
        refusals.NotModified: 304,
        refusals.RangeNotSatisfiable: 416,
        refusals.NotAllowed: 405,
        refusals.Blacklisted: 497,
        refusals.SlowDown: 498,
    },
)


def words_of(error: CloudError) -> str:
    """Return the status line of an error, for bodies that hold many."""
    status = FAMILY.status_of(error)
    return f"{status} {_WORDS.get(status, ('Bad Request', ''))[0]}"


def visit_of(call: Call[Tools], method: str) -> Visit:
    """Return a request as the domain sees it, when it is its turn."""
    visit = Visit(call.tools, call.ctx, method, call.headers, call.filters)
    if visit.settings.ratelimit != UNLIMITED:
        _, _, account, *rest = [*call.path.split("/", 4), "", ""]
        ratelimits.check(visit, account, rest[0], rest[1])
    return visit


def done(status: int, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer without content."""
    body = page(202) if status == 202 else "" if status != 204 else None
    return Reply(
        body, status=status, headers={"Content-Type": HTML, **(headers or {})}, content_type=HTML
    )


def format_of(visit: Visit) -> str:
    """Return the content type that a listing should have."""
    named = visit.param("format").lower()
    if named:
        return _BY_NAME.get(named, TEXT)
    accept = visit.headers.get("accept", "")
    if not accept:
        return TEXT
    best, chosen = 0.0, ""
    for part in accept[:1000].split(","):
        kind, _, rest = part.partition(";")
        weight, offered = _weight(rest), _offer(kind.strip().lower())
        if offered and weight > best:
            best, chosen = weight, offered
    if not chosen:
        raise errors.NotAcceptable("")
    return chosen


def _weight(rest: str) -> float:
    name, _, value = rest.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 1.0


def _offer(kind: str) -> str:
    if kind in ("*/*", "text/*"):
        return TEXT
    return JSON if kind == "application/*" else _FORMATS.get(kind, "")


def asked(visit: Visit) -> Asked:
    """Read which part of a listing is wanted."""
    text = visit.param("limit")
    limit = LISTING_LIMIT
    if text.isascii() and text.isdecimal() and len(text) < 19:
        limit = int(text)
        if limit > LISTING_LIMIT:
            raise unmet(f"Maximum limit is {LISTING_LIMIT}")
    for name in ("marker", "end_marker", "prefix", "delimiter", "path"):
        if "\ufffd" in visit.param(name):
            raise bad(f"{name} parameter not utf8")
    return Asked(
        limit=limit,
        marker=visit.param("marker"),
        end_marker=visit.param("end_marker"),
        prefix=visit.param("prefix"),
        delimiter=visit.param("delimiter"),
        path=visit.param("path") if "path" in visit.query else None,
        reverse=visit.says("reverse"),
    )


def listing(
    rows: Sequence[Row | str], kind: str, name: str, form: str, headers: Mapping[str, str]
) -> Reply:
    """Return a listing; `kind` is what the thing listed is, account or container."""
    if form == JSON:
        one: Callable[[Row], object] = _container if kind == "account" else _object
        body = msgspec.json.encode([_folded(r) if isinstance(r, str) else one(r) for r in rows])
    elif form == TEXT:
        names = [row if isinstance(row, str) else row.name for row in rows]
        if not names:
            return Reply(status=204, headers={**headers, "Content-Type": TEXT})
        body = ("\n".join(names) + "\n").encode()
    else:
        body = _xml(rows, kind, name)
    return Reply(body, headers=headers, content_type=form)


def _folded(name: str) -> dict[str, object]:
    return {"subdir": name}


def _container(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "count": row.count,
        "bytes": row.size,
        "last_modified": row.modified,
    }


class _Object(msgspec.Struct, gc=False):
    """An object in a listing; a struct, since a listing holds ten thousand."""

    name: str
    hash: str
    bytes: int
    content_type: str
    last_modified: str


def _object(row: Row) -> _Object | dict[str, object]:
    one = _Object(row.name, row.etag, row.size, row.content_type, row.modified)
    return one if not row.facts else _object_with_facts(one, row.facts)


def _object_with_facts(one: _Object, facts: str) -> dict[str, object]:
    shown = msgspec.structs.asdict(one) | msgspec.json.decode(facts, type=dict[str, object])
    if "is_latest" not in shown:
        shown.pop("version_id", None)
    return shown


def _xml(rows: Sequence[Row | str], kind: str, name: str) -> bytes:
    member = "container" if kind == "account" else "object"
    show: Callable[[Row], object] = _container if kind == "account" else _object
    lines = ['<?xml version="1.0" encoding="UTF-8"?>\n', f"<{kind} name={quoteattr(name)}>"]
    for row in rows:
        if isinstance(row, str):
            lines.append(f"<subdir name={quoteattr(row)}><name>{_text(row)}</name></subdir>")
            continue
        shown = msgspec.to_builtins(show(row))
        fields = "".join(f"<{k}>{_text(str(v))}</{k}>" for k, v in shown.items())
        lines.append(f"<{member}>{fields}</{member}>")
    return "".join([*lines, f"</{kind}>"]).encode()


def _text(value: str) -> str:
    """Write text so that XML can hold it; control characters it cannot."""
    return escape("".join(c if c >= " " or c in "\t\n\r" else "\ufffd" for c in value))


def sums(kind: str, head: Head) -> dict[str, str]:
    """Return the headers that sum up an account or container."""
    if kind == "Account":
        return {
            "X-Account-Container-Count": str(head.items),
            "X-Account-Object-Count": str(head.count),
            "X-Account-Bytes-Used": str(head.size),
            "X-Timestamp": head.created_at,
            "X-Put-Timestamp": head.put_at,
        }
    return {
        "X-Container-Object-Count": str(head.items),
        "X-Container-Bytes-Used": str(head.size),
        "X-Timestamp": head.created_at,
        "X-Put-Timestamp": head.put_at,
    }


def cross_origin(visit: Visit, account: str, container: str) -> dict[str, str]:
    """Return what lets a page of another origin read the answer, if its container says so."""
    origin = visit.headers.get("origin")
    head = containers.find(visit, account, container) if origin else None
    if not origin or head is None:
        return {}
    allowed = head.headers.get("X-Container-Meta-Access-Control-Allow-Origin", "").split()
    if origin not in allowed and "*" not in allowed:
        return {}
    exposed = [
        "cache-control", "content-language", "content-type", "expires", "last-modified", "pragma",
        "etag", "x-timestamp", "x-trans-id", "x-openstack-request-id",
    ]  # fmt: skip
    more = head.headers.get("X-Container-Meta-Access-Control-Expose-Headers", "")
    shown = {
        "Access-Control-Allow-Origin": "*" if "*" in allowed else origin,
        "Access-Control-Expose-Headers": ", ".join([*exposed, *more.split()]),
    }
    return shown if "*" in allowed else {**shown, "Vary": "Origin"}
