"""What all answers of this API have in common."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from cumulo.kit.clock import now
from cumulo.kit.errors import Invalid
from cumulo.web import Call, Reply
from cumulo.web.errors import NotAcceptable

JSON = ("application/json",)


def answer(
    call: Call[Any],
    body: Mapping[str, Any] | None,
    *,
    changed: datetime | None = None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return `body` with when it was last changed, now if that is not known."""
    found = dict(headers or {})
    if call.version >= (1, 15):
        moment = (changed or now()).astimezone(UTC)
        found["Last-Modified"] = format_datetime(moment, usegmt=True)
        found["Cache-Control"] = "no-cache"
    return Reply(body, status=status, headers=found)


def check_accept(call: Call[Any]) -> None:
    """Refuse a client that reads no JSON."""
    wanted = call.headers.get("accept", "*/*")
    kinds = [part.partition(";")[0].strip().lower() for part in wanted.split(",")]
    if wanted and not {"*/*", "application/*", "application/json"} & set(kinds):
        raise NotAcceptable("Only application/json is provided")


def uuid_of(text: str, what: str) -> str:
    """Return an id in the form it is stored in; dashes and case may be as clients like."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise Invalid(f"Malformed {what}: {text[:64]}") from error


def is_uuid(text: str) -> bool:
    """Say whether a text is an id, with dashes or without."""
    return bool(re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", text))
