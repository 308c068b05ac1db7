"""What S3's answers share: XML, errors by code, and the request as the domain sees it."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cumulo.kit.errors import Forbidden, Invalid, NotFound, TooLarge, Unauthorized
from cumulo.services.objectstore import access, ratelimits, refusals, signing
from cumulo.services.objectstore.containers import Container, container_visible
from cumulo.services.objectstore.settings import MAX_META_NAME_LENGTH
from cumulo.services.objectstore.signing import Asked, Claim
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Visit
from cumulo.web import Call, Reply, Upload
from cumulo.web.errors import NotBuilt
from cumulo.web.faults import PAGE, Family, Problem

XML = "application/xml"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CODES = {
    400: "InvalidRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}
_WORDS = {
    "AccessDenied": "Access Denied.",
    "NoSuchKey": "The specified key does not exist.",
    "InvalidRange": "The requested range cannot be satisfied.",
    "PreconditionFailed": "At least one of the preconditions you specified did not hold.",
    "BadDigest": "The Content-MD5 you specified did not match what we received.",
}
# What of a request's headers reaches the store: nothing that is native to it.
_PASSED = (
    "content-type", "content-length", "content-disposition", "content-encoding",
    "content-language", "cache-control", "expires", "range", "if-match", "if-none-match",
    "if-modified-since", "if-unmodified-since", "transfer-encoding",
)  # fmt: skip
_MOST_XML = 2 << 20


def _spell(problem: Problem) -> tuple[bytes, str]:
    default = _CODES.get(problem.status, "InternalError")
    code = str(problem.data.get("code") or default)
    message = problem.message or _WORDS.get(code, code)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{problem.request_id}</RequestId></Error>"
    )
    return body.encode(), XML


FAMILY = Family(
    _spell,
    {
        **PAGE.status,
        Unauthorized: 403,
        refusals.LengthRequired: 411,
        refusals.Unprocessable: 400,
        refusals.RangeNotSatisfiable: 416,
        refusals.Blacklisted: 403,
        refusals.SlowDown: 503,
    },
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request whose signature was checked."""

    visit: Visit
    account: str
    claim: Claim
    asked: Asked

    def body(self, upload: Upload) -> Iterator[bytes]:
        """Return the body's bytes, held to the signature."""
        return signing.pieces(self.claim, self.asked, upload)

    def length(self, upload: Upload) -> int | None:
        """Return how many bytes there are without what chunks add."""
        return signing.length(self.claim, self.asked, upload.length)

    def bucket(self, name: str, *, writes: bool = False) -> Container:
        """Return a bucket the caller may use."""
        try:
            return container_visible(self.visit, self.account, name, writes=writes, lists=True)
        except NotFound as error:
            raise NotFound("The specified bucket does not exist.", code="NoSuchBucket") from error

    def header(self, name: str) -> str:
        """Return a header as it came."""
        return self.asked.headers.get(name, "")


def entered(call: Call[Tools], method: str) -> Signed:
    """Return a request with who signed it; refuse it when nobody did."""
    asked = Asked(method, call.path, call.filters, call.headers)
    claim, signer = signing.claimed(asked), call.tools.signer
    if not claim.access or signer is None:
        raise Forbidden("Access Denied.")
    checked: list[bool] = []

    def is_by(secret: str) -> bool:
        checked.append(claim.is_by(secret))
        return checked[-1]

    try:
        ctx = signer(claim.access, is_by)
    except Unauthorized as error:
        raise Forbidden(
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            code="SignatureDoesNotMatch",
        ) from error
    if ctx.project_id is None:
        raise Forbidden("Access Denied.")
    visit = Visit(call.tools, ctx, method, _headers(call.headers), call.filters)
    account = access.account_of(ctx.project_id)
    ratelimits.check(visit, account, *call.path.removeprefix("/").split("/", 1))
    return Signed(visit, account, claim, asked)


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    passed = {name: headers[name] for name in _PASSED if name in headers}
    for name, value in headers.items():
        if name.startswith("x-amz-meta-"):
            key = name.removeprefix("x-amz-meta-")
            if len(key) > MAX_META_NAME_LENGTH:
                raise Invalid("Your metadata headers exceed the maximum.", code="MetadataTooLarge")
            passed[f"x-object-meta-{key}"] = value
    return passed


def not_built(what: str) -> NotBuilt:
    """Return what is said of a part of S3 that is not here."""
    return NotBuilt(
        f"A header or query you provided ({what}) implies functionality that is not implemented."
    )


def tag(name: str, *content: str) -> str:
    """Return an element around elements."""
    return f"<{name}>{''.join(content)}</{name}>"


def leaf(name: str, value: object) -> str:
    """Return an element around text."""
    text = str(value)
    safe = "".join(c if c >= " " or c in "\t\n" else "\ufffd" for c in text)
    return f"<{name}>{escape(safe)}</{name}>"


def owner(signed: Signed) -> str:
    """Return the element that names who owns what the caller sees."""
    name = signed.visit.ctx.user_id
    return tag("Owner", leaf("ID", name), leaf("DisplayName", name))


def document(root: str, *content: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a whole XML answer."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">'
    body = f"{head}{''.join(content)}</{root}>"
    return Reply(body, status=200, headers=headers or {}, content_type=XML)


def parsed(pieces: Iterable[bytes], root: str) -> ET.Element:
    """Read a small XML body; one that defines anything of its own is refused unread."""
    held = b""
    for piece in pieces:
        held += piece
        if len(held) > _MOST_XML:
            raise TooLarge("Your request was too big.", code="EntityTooLarge")
    try:
        text = held.decode()
        if "<!" in text:
            raise malformed()
        found = ET.fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise malformed() from error
    for element in found.iter():
        element.tag = element.tag.rpartition("}")[2]
    if found.tag != root:
        raise malformed()
    return found


def malformed() -> Invalid:
    """Return what is said of a body that is not what it should be."""
    return Invalid(
        "The XML you provided was not well-formed or did not validate against our published schema",
        code="MalformedXML",
    )
