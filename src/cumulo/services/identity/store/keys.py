"""Statements on the keys that tokens and credentials are sealed with."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.tables import fernet_key


class Key(msgspec.Struct, frozen=True):
    """A key: staged (next), primary (signs) or secondary (only reads); `since` then."""

    purpose: str
    number: int
    state: str
    secret: str
    since: datetime

    def __repr__(self) -> str:
        return f"Key({self.purpose}, {self.number}, {self.state})"


def key_list(tx: Tx, purpose: str) -> list[Key]:
    """Return every key for a purpose, the newest first."""
    select = sa.select(fernet_key).where(fernet_key.c.purpose == purpose)
    select = select.order_by(fernet_key.c.number.desc())
    return [Key(*tuple(row)) for row in tx.execute(select)]


def key_ensure(tx: Tx, new: Key) -> None:
    """Store a key, unless there is one of that number."""
    insert_absent(tx, fernet_key, **msgspec.structs.asdict(new))


def key_move(tx: Tx, purpose: str, *, of: str, to: str, since: datetime) -> int:
    """Move keys from one state to the next; return how many were moved."""
    k = fernet_key.c
    change = sa.update(fernet_key).where(k.purpose == purpose, k.state == of)
    return tx.execute(change.values(state=to, since=since)).rowcount


def keys_forget(tx: Tx, purpose: str, before: datetime) -> int:
    """Take away the secondary keys that have been so since before then."""
    k = fernet_key.c
    return tx.execute(
        sa.delete(fernet_key).where(k.purpose == purpose, k.state == "secondary", k.since < before)
    ).rowcount
