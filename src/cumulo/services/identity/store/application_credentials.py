"""Statements on application credentials: what a user lends its own programs."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import application_credential, credential_rule


class ApplicationCredential(msgspec.Struct, frozen=True):
    """An application credential as stored."""

    id: str
    name: str
    user_id: str
    project_id: str
    secret_hash: str
    description: str | None = None
    expires_at: datetime | None = None
    unrestricted: bool = False
    role_ids: list[str] = []

    def __repr__(self) -> str:
        return f"ApplicationCredential({self.id})"


def application_credential_insert(tx: Tx, new: ApplicationCredential) -> None:
    """Store one; its name must be free among its user's."""
    try:
        tx.execute(sa.insert(application_credential).values(**msgspec.structs.asdict(new)))
    except sa.exc.IntegrityError as error:
        raise Conflict(
            "Conflict occurred attempting to store application_credential - Duplicate entry found "
            f"with name {new.name}."
        ) from error


def application_credential_find(tx: Tx, wanted_id: str) -> ApplicationCredential | None:
    """Return one, whether or not it can still be used."""
    a = application_credential
    row = tx.execute(sa.select(a).where(a.c.id == wanted_id)).one_or_none()
    return _load(row) if row else None


def application_credential_named(tx: Tx, name: str, user_id: str) -> ApplicationCredential | None:
    """Return a user's of that name."""
    a = application_credential
    select = sa.select(a).where(a.c.name == name, a.c.user_id == user_id)
    row = tx.execute(select).one_or_none()
    return _load(row) if row else None


def application_credential_page(
    tx: Tx, user_id: str, listing: Listing
) -> Page[ApplicationCredential]:
    """Return a user's in the order of their ids."""
    a = application_credential
    return page(tx, a, listing, _load, a.c.user_id == user_id)


def application_credential_delete(tx: Tx, wanted_id: str) -> None:
    """Take one away; its access rules stay with the user."""
    r, a = credential_rule, application_credential
    tx.execute(sa.delete(r).where(r.c.application_credential_id == wanted_id))
    tx.execute(sa.delete(a).where(a.c.id == wanted_id))


def application_credentials_forget(
    tx: Tx, *, user_id: str | None = None, project_id: str | None = None
) -> None:
    """Take away all of a user, for a project, or both at once."""
    a = application_credential
    where = [a.c.user_id == user_id] if user_id else []
    where += [a.c.project_id == project_id] if project_id else []
    for found in list(tx.scalars(sa.select(a.c.id).where(*where).order_by(a.c.id))):
        application_credential_delete(tx, found)


def _load(row: "sa.Row[Any]") -> ApplicationCredential:
    return ApplicationCredential(**row._mapping)
