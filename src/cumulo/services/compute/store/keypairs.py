"""Keypairs, each of one user."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store.tables import keypair


class Keypair(msgspec.Struct, frozen=True, kw_only=True):
    """A public key; the private one is nobody's here."""

    id: int
    user_id: str
    name: str
    type: str  # ssh, x509
    fingerprint: str
    public_key: str
    created_at: datetime


def keypair_find(tx: Tx, user_id: str, name: str) -> Keypair | None:
    """Return a user's keypair of that name."""
    k = keypair.c
    row = tx.execute(sa.select(keypair).where(k.user_id == user_id, k.name == name)).one_or_none()
    return _keypair(row) if row else None


def keypair_get(tx: Tx, user_id: str, name: str) -> Keypair:
    """Return a user's keypair of that name."""
    found = keypair_find(tx, user_id, name)
    if found is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}", name=name)
    return found


def keypair_add(tx: Tx, new: Keypair) -> None:
    """Store a new keypair; `id` is given by the database."""
    values = {name: getattr(new, name) for name in new.__struct_fields__ if name != "id"}
    tx.execute(sa.insert(keypair).values({**values, "created_at": clock.now()}))


def keypair_delete(tx: Tx, user_id: str, name: str) -> bool:
    """Remove a keypair; say whether it was there."""
    k = keypair.c
    return bool(tx.execute(sa.delete(keypair).where(k.user_id == user_id, k.name == name)).rowcount)


def keypair_list(
    tx: Tx, user_id: str, *, marker: str | None = None, limit: int | None = None
) -> list[Keypair]:
    """Return a user's keypairs after the one named `marker`, in order of name."""
    k = keypair.c
    query = sa.select(keypair).where(k.user_id == user_id).order_by(k.name).limit(limit)
    if marker is not None:
        query = query.where(k.name > marker)
    return [_keypair(row) for row in tx.execute(query)]


def _keypair(row: sa.Row[Any]) -> Keypair:
    return Keypair(**row._mapping)
