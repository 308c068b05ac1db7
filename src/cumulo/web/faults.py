"""Errors as each family of OpenStack APIs spells them.

A family is a table from kinds of error to statuses and a function that writes the body.
"""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from cumulo.kit import errors
from cumulo.web import errors as web
from cumulo.web.versions import NONE, Version

STATUS: dict[type[errors.CloudError], int] = {
    errors.Invalid: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    web.MethodNotAllowed: 405,
    web.NotAcceptable: 406,
    errors.Conflict: 409,
    web.Gone: 410,
    web.LengthRequired: 411,
    errors.PreconditionFailed: 412,
    errors.OverQuota: 413,
    errors.TooLarge: 413,
    web.UnsupportedMedia: 415,
    web.RangeNotSatisfiable: 416,
    web.Unprocessable: 422,
    web.NotBuilt: 501,
    errors.Unavailable: 503,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error about to be told to a client."""

    status: int
    message: str
    data: Mapping[str, object]
    request_id: str
    accept: str = ""
    version: Version = NONE  # NONE where it could not be found out, or there are none

    @property
    def title(self) -> str:
        """Return the status in words."""
        return HTTPStatus(self.status).phrase


@dataclass(frozen=True, slots=True)
class Family:
    """How a group of services tells errors."""

    spell: Callable[[Problem], tuple[bytes, str]]  # body and content type
    status: Mapping[type[errors.CloudError], int] = field(default_factory=dict)

    def status_of(self, error: errors.CloudError) -> int:
        """Return the status for `error` or for its nearest named ancestor."""
        for kind in type(error).__mro__:
            if kind in self.status:
                return self.status[kind]
            if kind in STATUS:
                return STATUS[kind]
        return 500


def _json(value: object) -> tuple[bytes, str]:
    return msgspec.json.encode(value), "application/json"


_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def _named(problem: Problem) -> tuple[bytes, str]:
    name = _NAMES.get(problem.status, "computeFault")
    return _json({name: {"code": problem.status, "message": problem.message}})


def _listed(problem: Problem) -> tuple[bytes, str]:
    one: dict[str, object] = {
        "status": problem.status,
        "title": problem.title,
        "detail": f"{problem.message}\n\n   ",
        "request_id": problem.request_id,
    }
    one |= {k: problem.data[k] for k in ("max_version", "min_version") if k in problem.data}
    if problem.version >= (1, 23):
        one["code"] = problem.data.get("code", "placement.undefined_code")
    return _json({"errors": [one]})


def _titled(problem: Problem) -> tuple[bytes, str]:
    message, rule = problem.message, problem.data.get("rule")
    if problem.status == 403 and rule:
        message = f"You are not authorized to perform the requested action: {rule}."
    told = {"code": problem.status, "message": message, "title": problem.title}
    extra = {"identity": problem.data["identity"]} if "identity" in problem.data else {}
    return _json({"error": {**told, **extra}})


_TYPES = {
    400: "HTTPBadRequest",
    401: "HTTPUnauthorized",
    403: "PolicyNotAuthorized",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "HTTPConflict",
    412: "RevisionNumberConstraintFailed",
    413: "HTTPRequestEntityTooLarge",
    500: "HTTPInternalServerError",
    501: "HTTPNotImplemented",
    503: "HTTPServiceUnavailable",
}


def _typed(problem: Problem) -> tuple[bytes, str]:
    message, rule = problem.message, problem.data.get("rule")
    if problem.status == 403 and rule:
        message = f"rule:{rule} is disallowed by policy"
    elif "reason" in problem.data and "field" in problem.data:
        message = _attribute_words(str(problem.data["field"]), str(problem.data["reason"]))
    kind = str(problem.data.get("type") or _TYPES.get(problem.status, "NeutronException"))
    return _json({"NeutronError": {"type": kind, "message": message, "detail": ""}})


def _attribute_words(path: str, reason: str) -> str:
    """Say what is wrong with a body as network does: by the attribute, without the path to it."""
    name = reason.partition("`")[2].rpartition("`")[0]
    if reason.startswith("Object contains unknown field"):
        return f"Unrecognized attribute(s) '{name}'"
    if reason.startswith("Object missing required field"):
        if not path:
            return f"Unable to find '{name}' in request body"
        return f"Failed to parse request. Required attribute '{name}' not specified"
    return f"Invalid input for {path.rpartition('.')[2] or 'body'}. Reason: {reason}."


def _page(problem: Problem) -> tuple[bytes, str]:
    status, title, message = problem.status, problem.title, problem.message
    if status == 403 and "rule" in problem.data:
        message = f"You are not authorized to complete {problem.data['rule']} action."
    if "json" in problem.accept:
        return _json({"message": message, "code": f"{status} {title}", "title": title})
    text = html.escape(message)
    page = (
        f"<html>\n <head>\n  <title>{status} {title}</title>\n </head>\n <body>\n"
        f"  <h1>{status} {title}</h1>\n  {text}<br /><br />\n\n\n </body>\n</html>"
    )
    return page.encode(), "text/html; charset=UTF-8"


NAMED = Family(_named, {errors.OverQuota: 403, web.NotAcceptable: 406})
LISTED = Family(_listed)
TITLED = Family(_titled, {errors.OverQuota: 403})
TYPED = Family(_typed, {errors.OverQuota: 409})
PAGE = Family(_page)
