"""Machines and tokens: statements."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.machines.store.tables import machine, token


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that joined."""

    name: str
    address: str
    port: int
    fingerprint: str
    joined_at: datetime


def machine_list(tx: Tx) -> list[Machine]:
    """Return every machine by its name."""
    return [_machine(row) for row in tx.execute(sa.select(machine).order_by(machine.c.name))]


def machine_find(tx: Tx, name: str) -> Machine | None:
    """Return the machine of that name."""
    row = tx.execute(sa.select(machine).where(machine.c.name == name)).one_or_none()
    return _machine(row) if row is not None else None


def machine_insert(tx: Tx, name: str, place: tuple[str, int], fingerprint: str) -> None:
    """Take a machine in."""
    address, port = place
    values = {"name": name, "address": address, "port": port, "fingerprint": fingerprint}
    tx.execute(sa.insert(machine).values(**values, joined_at=clock.now()))


def machine_delete(tx: Tx, name: str) -> bool:
    """Strike a machine off; False when there was none."""
    return tx.execute(sa.delete(machine).where(machine.c.name == name)).rowcount > 0


def token_insert(tx: Tx, digest: str, expires_at: datetime) -> None:
    """Take a token down, and forget those that have expired."""
    tx.execute(sa.delete(token).where(token.c.expires_at <= clock.now()))
    tx.execute(sa.insert(token).values(digest=digest, expires_at=expires_at))


def token_spend(tx: Tx, digest: str) -> bool:
    """Use a token up; False when there is none that holds."""
    held = sa.and_(token.c.digest == digest, token.c.expires_at > clock.now())
    return tx.execute(sa.delete(token).where(held)).rowcount > 0


def _machine(row: sa.Row[Any]) -> Machine:
    return Machine(**row._mapping)
