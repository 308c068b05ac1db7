"""What is alike in all requests: one or many, on which revision, and the log of what it did."""

import re
from collections.abc import Sequence
from typing import Protocol, TypeVar

from msgspec import UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network.tools import Tools
from cumulo.web import Call
from cumulo.work import events

T = TypeVar("T")
_IF_MATCH = re.compile(r"\s*revision_number\s*=\s*(\d{1,18})\s*")


class Owned(Protocol):
    """Something with an id and an owner."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def project_id(self) -> str: ...  # noqa: D102


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


def log_create(tx: Tx, ctx: Context, resource: str, made: Owned) -> None:
    """Log that the caller made something."""
    events.record(
        tx,
        ctx,
        resource=resource,
        resource_id=made.id,
        action="create",
        after=made,
        project_id=made.project_id,
    )


def log_update(tx: Tx, ctx: Context, resource: str, before: Owned, after: Owned) -> None:
    """Log that the caller changed something."""
    events.record(
        tx,
        ctx,
        resource=resource,
        resource_id=after.id,
        action="update",
        before=before,
        after=after,
        project_id=after.project_id,
    )


def log_delete(tx: Tx, ctx: Context, resource: str, gone: Owned) -> None:
    """Log that the caller deleted something."""
    events.record(
        tx,
        ctx,
        resource=resource,
        resource_id=gone.id,
        action="delete",
        before=gone,
        project_id=gone.project_id,
    )
