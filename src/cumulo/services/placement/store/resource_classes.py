"""Resource classes that clients made."""

from datetime import datetime

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit.clock import now
from cumulo.services.placement.store import tables

r = tables.custom_class.c


def class_custom(tx: Tx) -> dict[str, datetime]:
    """Return every class that a client made, with when it was last changed."""
    select = sa.select(r.name, r.updated_at).order_by(r.name)
    return {row.name: row.updated_at for row in tx.execute(select)}


def class_find(tx: Tx, name: str) -> datetime | None:
    """Return when the class that a client made was last changed, if there is one."""
    return tx.scalars(sa.select(r.updated_at).where(r.name == name)).one_or_none()


def class_insert_absent(tx: Tx, name: str) -> None:
    """Store a class unless it is there."""
    moment = now()
    insert_absent(tx, tables.custom_class, name=name, created_at=moment, updated_at=moment)


def class_set_name(tx: Tx, old: str, new: str) -> None:
    """Rename a class; who renames what refers to it is the caller."""
    change = sa.update(tables.custom_class).where(r.name == old)
    tx.execute(change.values(name=new, updated_at=now()))


def class_delete(tx: Tx, name: str) -> None:
    """Forget a class."""
    tx.execute(sa.delete(tables.custom_class).where(r.name == name))
