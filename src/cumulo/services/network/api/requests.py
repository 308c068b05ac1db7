"""What is alike in all requests: one or many, and on which revision."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Meta, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.services.network.tools import Tools
from cumulo.web import Call

T = TypeVar("T")
_IF_MATCH = re.compile(r"\s*revision_number\s*=\s*(\d{1,18})\s*")


def within(name: str) -> Meta:
    """Mark the many of a bulk request, each of which may be inside of its name or bare."""

    def bare(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [
            one[name] if isinstance(one, dict) and one.keys() == {name} else one for one in value
        ]

    return Meta(extra={"loose": bare})


def several(one: T | UnsetType, many: Sequence[T] | UnsetType, name: str) -> Sequence[T]:
    """Return what to make: the one in the body, or the many of a bulk request."""
    if not isinstance(one, UnsetType):
        return [one]
    if isinstance(many, UnsetType):
        raise Invalid(f"Unable to find '{name}' in request body", type="HTTPBadRequest")
    if not many:
        raise Invalid("Resources required", type="HTTPBadRequest")
    return many


def expected_revision(call: Call[Tools]) -> int | None:
    """Return the revision that the request is meant for, if it names one."""
    text = call.headers.get("if-match")
    if text is None:
        return None
    found = _IF_MATCH.fullmatch(text)
    if found is None:
        raise Invalid("If-Match must be of the form revision_number=NUMBER.", type="HTTPBadRequest")
    return int(found.group(1))
