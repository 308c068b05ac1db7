"""The log of changes: each resource that comes, changes or goes, in the transaction that does it.

Whoever causes a change logs it here, in the domain: an API's operation, a server's workflow and
a reconciler are logged alike.
"""

from typing import Protocol

from cumulo.db import Tx
from cumulo.work import Caller as Caller
from cumulo.work import events


class Owned(Protocol):
    """Something with an id and an owner."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def project_id(self) -> str: ...  # noqa: D102


def created(tx: Tx, by: Caller | None, resource: str, made: Owned) -> None:
    """Log that something came into being."""
    _record(tx, by, resource, "create", None, made)


def updated(tx: Tx, by: Caller | None, resource: str, before: Owned, after: Owned) -> None:
    """Log that something changed."""
    _record(tx, by, resource, "update", before, after)


def deleted(tx: Tx, by: Caller | None, resource: str, gone: Owned) -> None:
    """Log that something is no more."""
    _record(tx, by, resource, "delete", gone, None)


def _record(
    tx: Tx,
    by: Caller | None,
    resource: str,
    action: str,
    before: Owned | None,
    after: Owned | None,
) -> None:
    known = after or before
    assert known is not None
    events.record(
        tx,
        by,
        resource=resource,
        resource_id=known.id,
        action=action,
        before=before,
        after=after,
        project_id=known.project_id or None,
    )
