"""Statements on credentials: secrets kept for users, sealed."""

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import consumer, credential


class Credential(msgspec.Struct, frozen=True):
    """A credential as stored."""

    id: str
    type: str
    user_id: str
    project_id: str | None
    sealed_blob: str
    extra: dict[str, object] = {}

    def __repr__(self) -> str:
        return f"Credential({self.id})"


def credential_insert(tx: Tx, new: Credential) -> None:
    """Store a credential; an access key is taken once."""
    try:
        tx.execute(sa.insert(credential).values(**msgspec.structs.asdict(new)))
    except sa.exc.IntegrityError as error:
        raise Conflict(
            "Conflict occurred attempting to store credential - Duplicate entry found with ID "
            f"{new.id}."
        ) from error


def credential_find(tx: Tx, credential_id: str) -> Credential | None:
    """Return a credential, if it is there."""
    row = tx.execute(sa.select(credential).where(credential.c.id == credential_id)).one_or_none()
    return _load(row) if row else None


def credential_page(tx: Tx, listing: Listing) -> Page[Credential]:
    """Return credentials in the order of their ids."""
    return page(tx, credential, listing, _load)


def credential_change(tx: Tx, before: Credential, sealed_blob: str) -> Credential:
    """Replace the secret; nothing else about a credential can change."""
    change = sa.update(credential).where(credential.c.id == before.id)
    tx.execute(change.values(sealed_blob=sealed_blob))
    return msgspec.structs.replace(before, sealed_blob=sealed_blob)


def sealed_replace(tx: Tx, reseal: Callable[[str], str]) -> int:
    """Seal anew all that is kept sealed; return how much that is."""
    count = 0
    for table, column in ((credential, "sealed_blob"), (consumer, "sealed_secret")):
        for row in list(tx.execute(sa.select(table.c.id, table.c[column]).order_by(table.c.id))):
            change = sa.update(table).where(table.c.id == row.id)
            tx.execute(change.values({column: reseal(row[1])}))
            count += 1
    return count


def credential_delete(tx: Tx, credential_id: str) -> None:
    """Take a credential away."""
    tx.execute(sa.delete(credential).where(credential.c.id == credential_id))


def credentials_forget_user(tx: Tx, user_id: str) -> None:
    """Take away all that a user has."""
    tx.execute(sa.delete(credential).where(credential.c.user_id == user_id))


def credentials_forget_project(tx: Tx, project_id: str) -> None:
    """Take away all that are for a project."""
    tx.execute(sa.delete(credential).where(credential.c.project_id == project_id))


def _load(row: "sa.Row[Any]") -> Credential:
    return Credential(*tuple(row))
