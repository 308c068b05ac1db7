"""Identity's changes as the event log has them."""

from typing import TypeVar

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.identity.store.application_credentials import ApplicationCredential
from cumulo.services.identity.store.consumers import Consumer
from cumulo.services.identity.store.credentials import Credential
from cumulo.services.identity.store.users import User
from cumulo.work.events import record

S = TypeVar("S", bound=msgspec.Struct)


def note(
    tx: Tx,
    ctx: Context,
    action: str,
    *,
    before: msgspec.Struct | None = None,
    after: msgspec.Struct | None = None,
) -> None:
    """Log a change of a stored resource, named after its type; hashes stay out of the log."""
    either = after or before
    assert either is not None, "a change has a before or an after"
    record(
        tx,
        ctx,
        resource=type(either).__name__.lower(),
        resource_id=getattr(either, "id", ""),
        action=action,
        before=_told(before),
        after=_told(after),
    )


def _told(resource: msgspec.Struct | None) -> msgspec.Struct | None:
    if isinstance(resource, User):
        return msgspec.structs.replace(resource, password_hash=None)
    if isinstance(resource, Credential):
        return msgspec.structs.replace(resource, sealed_blob="")
    if isinstance(resource, Consumer):
        return msgspec.structs.replace(resource, sealed_secret="")
    if isinstance(resource, ApplicationCredential):
        return msgspec.structs.replace(resource, secret_hash="")
    return resource
