"""Inventories: how much of a resource class a provider has, and how much of it is used."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.services.placement.store import tables

i = tables.inventory.c
_OF_CLASS: sa.BindParameter[Any] = sa.bindparam("of_class")


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says it has of one class."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = tables.MAX_INT
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """Return how much may be allocated; no more than a database can count."""
        return int(min((self.total - self.reserved) * self.allocation_ratio, 2.0**62))


class InventoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory as stored."""

    provider_id: str
    resource_class: str
    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float
    capacity: int
    used: int
    created_at: datetime
    updated_at: datetime


def inventory_list(tx: Tx, provider_ids: Iterable[str]) -> list[InventoryRow]:
    """Return the inventories of the providers, by provider and class."""
    select = sa.select(tables.inventory).where(i.provider_id.in_(list(provider_ids)))
    rows = tx.execute(select.order_by(i.provider_id, i.resource_class))
    return [InventoryRow(**row._mapping) for row in rows]


def inventory_find(tx: Tx, provider_id: str, resource_class: str) -> InventoryRow | None:
    """Return one inventory, if there is one."""
    row = tx.execute(sa.select(tables.inventory).where(*_one(provider_id, resource_class)))
    found = row.one_or_none()
    return InventoryRow(**found._mapping) if found else None


def inventory_find_locked(tx: Tx, provider_id: str, resource_class: str) -> InventoryRow | None:
    """Return one inventory as it is now, not as this transaction first saw it."""
    select = sa.select(tables.inventory).where(*_one(provider_id, resource_class))
    found = tx.execute(select.with_for_update()).one_or_none()
    return InventoryRow(**found._mapping) if found else None


def inventory_insert(tx: Tx, provider_id: str, resource_class: str, stock: Inventory) -> None:
    """Store a class that the provider did not have; nothing of it is used."""
    moment = now()
    values = msgspec.structs.asdict(stock) | {"capacity": stock.capacity, "used": 0}
    values |= {"provider_id": provider_id, "resource_class": resource_class}
    tx.execute(tables.inventory.insert().values(**values, created_at=moment, updated_at=moment))


def inventory_update(tx: Tx, provider_id: str, resource_class: str, stock: Inventory) -> bool:
    """Change what there is; what is used may be more than that afterwards."""
    values = msgspec.structs.asdict(stock) | {"capacity": stock.capacity, "updated_at": now()}
    change = sa.update(tables.inventory).where(*_one(provider_id, resource_class))
    return bool(tx.execute(change.values(**values)).rowcount)


def inventory_delete_unused(tx: Tx, provider_id: str, resource_class: str) -> bool:
    """Forget a class of which nothing is used; say whether it was forgotten."""
    forget = sa.delete(tables.inventory).where(*_one(provider_id, resource_class), i.used == 0)
    return bool(tx.execute(forget).rowcount)


def inventory_take(
    tx: Tx, provider_id: str, resource_class: str, *, more: int, amounts: Iterable[int]
) -> bool:
    """Count `more` as used, or less when negative; say whether there was room and the units fit.

    `amounts` are what the consumers will have of it, each of which must be a whole number of
    steps between the smallest and the largest unit.  Taking no more than before needs no room.
    """
    each = sorted(set(amounts))
    values = {"of_provider": provider_id, "of_class": resource_class, "more": more}
    values |= {f"amount_{place}": amount for place, amount in enumerate(each)}
    change = _taking(len(each), needs_room=more > 0)
    return bool(tx.execute(change, values).rowcount)


@cache
def _taking(amounts: int, *, needs_room: bool) -> sa.Update:
    """Build the statement once for each number of amounts, since every boot runs it thrice."""
    more = sa.bindparam("more", type_=sa.BigInteger)
    fits = [i.used + more <= i.capacity] if needs_room else []
    for place in range(amounts):
        amount = sa.bindparam(f"amount_{place}", type_=sa.BigInteger)
        fits += [i.min_unit <= amount, i.max_unit >= amount, amount % i.step_size == 0]
    one = (i.provider_id == sa.bindparam("of_provider"), i.resource_class == _OF_CLASS)
    return sa.update(tables.inventory).where(*one, *fits).values(used=i.used + more)


class Miscount(msgspec.Struct, frozen=True, kw_only=True):
    """A class of which a provider counts otherwise than its allocations say."""

    provider_id: str
    resource_class: str
    counted: int
    allocated: int


def miscounts(tx: Tx) -> list[Miscount]:
    """Return the inventories whose use is counted wrongly."""
    a = tables.allocation.c
    held = sa.func.coalesce(
        sa.select(sa.func.sum(a.used))
        .where(a.provider_id == i.provider_id, a.resource_class == i.resource_class)
        .scalar_subquery(),
        0,
    )
    query = sa.select(
        i.provider_id, i.resource_class, i.used.label("counted"), held.label("allocated")
    ).where(i.used != held)
    return [Miscount(**row._mapping) for row in tx.execute(query)]


def inventory_recount(tx: Tx, wrong: Miscount) -> None:
    """Count as used what is allocated."""
    change = sa.update(tables.inventory).where(*_one(wrong.provider_id, wrong.resource_class))
    tx.execute(change.values(used=int(wrong.allocated)))


def class_in_use(tx: Tx, resource_class: str) -> bool:
    """Say whether any provider has the class."""
    select = sa.select(i.provider_id).where(i.resource_class == resource_class).limit(1)
    return tx.scalars(select).first() is not None


def class_rename(tx: Tx, old: str, new: str) -> None:
    """Let inventories and allocations of one class be of another."""
    for table in (tables.inventory, tables.allocation):
        change = sa.update(table).where(table.c.resource_class == old)
        tx.execute(change.values(resource_class=new))


def _one(provider_id: str, resource_class: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (i.provider_id == provider_id, i.resource_class == resource_class)
