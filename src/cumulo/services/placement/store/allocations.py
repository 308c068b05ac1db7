"""Allocations, and the consumers that hold them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.services.placement.store import tables

a = tables.allocation.c
c = tables.consumer.c


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds allocations, usually a server."""

    id: str
    project_id: str
    user_id: str
    consumer_type: str | None
    generation: int


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one class of one provider a consumer has."""

    consumer_id: str
    provider_id: str
    resource_class: str
    used: int
    created_at: datetime


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a class all consumers of a type have, and how many have any of it."""

    consumer_type: str | None
    resource_class: str
    used: int


_CONSUMER = (c.id, c.project_id, c.user_id, c.consumer_type, c.generation)
_ALLOCATION = (a.consumer_id, a.provider_id, a.resource_class, a.used, a.created_at)
_ORDER = (a.consumer_id, a.provider_id, a.resource_class)
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_BY_ID = sa.select(*_CONSUMER).where(c.id == sa.bindparam("of_id"))
_AMONG = sa.select(*_CONSUMER).where(c.id.in_(_IDS))
_INSERT_CONSUMER = tables.consumer.insert()
_INSERT = tables.allocation.insert()
_HELD = sa.select(*_ALLOCATION).where(a.consumer_id.in_(_IDS)).order_by(*_ORDER)


def consumer_find(tx: Tx, consumer_id: str) -> Consumer | None:
    """Return a consumer, if it holds anything."""
    row = tx.execute(_BY_ID, {"of_id": consumer_id}).one_or_none()
    return Consumer(**row._mapping) if row else None


def consumer_some(tx: Tx, consumer_ids: Iterable[str]) -> dict[str, Consumer]:
    """Return those of the consumers that exist, by id."""
    rows = tx.execute(_AMONG, {"ids": list(consumer_ids)})
    return {row.id: Consumer(**row._mapping) for row in rows}


def every_allocation(tx: Tx) -> list[Allocation]:
    """Return all allocations."""
    rows = tx.execute(sa.select(*_ALLOCATION).order_by(*_ORDER))
    return [Allocation(**row._mapping) for row in rows]


def consumer_insert(tx: Tx, consumer: Consumer) -> None:
    """Store a new consumer; somebody else's at the same time is a conflict of keys."""
    moment = now()
    values = msgspec.structs.asdict(consumer) | {"created_at": moment, "updated_at": moment}
    tx.execute(_INSERT_CONSUMER, values)


def consumer_update(tx: Tx, consumer: Consumer, *, expected: int) -> bool:
    """Store a changed consumer, if its generation is still the expected one."""
    values = msgspec.structs.asdict(consumer) | {"updated_at": now()}
    change = sa.update(tables.consumer).where(c.id == consumer.id, c.generation == expected)
    return bool(tx.execute(change.values(**values)).rowcount)


def consumer_delete(tx: Tx, consumer_id: str) -> None:
    """Forget a consumer."""
    tx.execute(sa.delete(tables.consumer).where(c.id == consumer_id))


def allocation_list(tx: Tx, consumer_ids: Iterable[str]) -> list[Allocation]:
    """Return what the consumers hold."""
    rows = tx.execute(_HELD, {"ids": list(consumer_ids)})
    return [Allocation(**row._mapping) for row in rows]


def allocation_list_of_provider(tx: Tx, provider_id: str) -> list[Allocation]:
    """Return what is held of a provider."""
    select = sa.select(*_ALLOCATION).where(a.provider_id == provider_id)
    return [Allocation(**row._mapping) for row in tx.execute(select.order_by(*_ORDER))]


def allocation_any(tx: Tx, provider_id: str) -> bool:
    """Say whether anything is held of a provider."""
    select = sa.select(a.consumer_id).where(a.provider_id == provider_id).limit(1)
    return tx.scalars(select).first() is not None


def allocation_insert(tx: Tx, allocations: Iterable[Allocation]) -> None:
    """Store new allocations; who counts them as used is the caller."""
    rows = [msgspec.structs.asdict(one) for one in allocations]
    if rows:
        tx.execute(_INSERT, [{**r, "updated_at": r["created_at"]} for r in rows])


def allocation_delete(tx: Tx, consumer_id: str) -> None:
    """Forget what a consumer holds; who counts it as free is the caller."""
    tx.execute(sa.delete(tables.allocation).where(a.consumer_id == consumer_id))


def usage_by_type(
    tx: Tx, project_id: str, *, user_id: str | None = None, consumer_type: str | None = None
) -> list[Usage]:
    """Add up what a project's, or one of its users', consumers hold.

    A `consumer_type` of "unknown" asks for consumers without one.
    """
    used = sa.func.sum(a.used).label("used")
    select = (
        sa.select(c.consumer_type, a.resource_class, used)
        .join_from(tables.allocation, tables.consumer, a.consumer_id == c.id)
        .where(*_owned(project_id, user_id, consumer_type))
        .group_by(c.consumer_type, a.resource_class)
        .order_by(c.consumer_type, a.resource_class)
    )
    return [
        Usage(consumer_type=r[0], resource_class=r[1], used=int(r[2])) for r in tx.execute(select)
    ]


def consumer_count(
    tx: Tx, project_id: str, *, user_id: str | None = None, consumer_type: str | None = None
) -> dict[str | None, int]:
    """Count consumers by type."""
    select = sa.select(c.consumer_type, sa.func.count(c.id).label("number"))
    select = select.where(*_owned(project_id, user_id, consumer_type)).group_by(c.consumer_type)
    return {row.consumer_type: row.number for row in tx.execute(select)}


def _owned(
    project_id: str, user_id: str | None, consumer_type: str | None
) -> list[sa.ColumnElement[bool]]:
    clauses = [c.project_id == project_id]
    if user_id is not None:
        clauses.append(c.user_id == user_id)
    if consumer_type == "unknown":
        clauses.append(c.consumer_type.is_(None))
    elif consumer_type not in (None, "all"):
        clauses.append(c.consumer_type == consumer_type)
    return clauses
