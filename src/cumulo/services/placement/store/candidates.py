"""Which providers have room for a request, decided by the database."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.placement.store import tables

p = tables.provider.c
pt = tables.provider_trait.c
pa = tables.provider_aggregate.c
i = tables.inventory.c
SHARES = "MISC_SHARES_VIA_AGGREGATE"  # the trait of a provider that serves all in its aggregates


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider must have: each trait set and each aggregate set by one of its members."""

    resources: Mapping[str, int]
    required: Sequence[frozenset[str]] = ()
    forbidden: frozenset[str] = frozenset()
    member_of: Sequence[frozenset[str]] = ()
    not_member_of: frozenset[str] = frozenset()
    root_id: str | None = None  # of the tree it must be in


class Figures(msgspec.Struct, frozen=True, gc=False):
    """How much of a class a provider has, and how much of that is taken."""

    total: int
    reserved: int
    allocation_ratio: float
    min_unit: int
    max_unit: int
    step_size: int
    used: int
    capacity: int  # (total - reserved) * allocation_ratio

    @property
    def free(self) -> int:
        """Return how much can still be claimed; less than nothing where too much is used."""
        return self.capacity - self.used


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a provider is in its tree."""

    id: str
    name: str
    root_id: str
    parent_id: str | None


def places_with_room(tx: Tx, demand: Demand, limit: int | None = None) -> list[Place]:
    """Return the providers that have all of it by themselves, in the order of their names."""
    select = _roomy(len(demand.resources))
    if qualities := _qualities(demand):
        select = select.where(*qualities)
    values: dict[str, object] = {}
    for number, (resource_class, amount) in enumerate(sorted(demand.resources.items())):
        values |= {f"class_{number}": resource_class, f"amount_{number}": amount}
    rows = tx.execute(select.limit(limit) if limit else select, values).all()
    return [Place(*row) for row in rows]


@cache
def _roomy(classes: int) -> "sa.Select[Any]":
    """Build the choice by stock once for each number of classes; every boot makes it."""
    select = sa.select(p.id, p.name, p.root_id, p.parent_id).order_by(p.name)
    for number in range(classes):
        amount = sa.bindparam(f"amount_{number}", type_=sa.BigInteger)
        select = _with_stock(select, number, sa.bindparam(f"class_{number}"), amount)
    return select


def _with_stock(
    select: "sa.Select[Any]", number: int, resource_class: Any, amount: Any
) -> "sa.Select[Any]":
    stock = tables.inventory.alias(f"i{number}")
    same = sa.and_(stock.c.provider_id == p.id, stock.c.resource_class == resource_class)
    return select.join(stock, sa.and_(same, _room_for(stock, amount)))


def meeting(select: "sa.Select[Any]", demand: Demand) -> "sa.Select[Any]":
    """Narrow a choice of providers to those that meet a demand."""
    for number, (resource_class, amount) in enumerate(sorted(demand.resources.items())):
        select = _with_stock(select, number, resource_class, amount)
    return select.where(*_qualities(demand))


def members_of_all(tx: Tx, aggregates: Sequence[frozenset[str]]) -> set[str]:
    """Return the providers that are in one aggregate of each set."""
    demand = Demand(resources={}, member_of=aggregates)
    return set(tx.scalars(sa.select(p.id).where(*_qualities(demand))))


def roots_with(tx: Tx, required: frozenset[str], forbidden: frozenset[str]) -> set[str]:
    """Return the roots that have all of the required and none of the forbidden traits."""
    each = [frozenset([trait]) for trait in sorted(required)]
    demand = Demand(resources={}, required=each, forbidden=forbidden)
    return set(tx.scalars(sa.select(p.id).where(p.parent_id.is_(None), *_qualities(demand))))


def places_of_trees(tx: Tx, root_ids: Iterable[str]) -> dict[str, Place]:
    """Return every provider of the trees, by id, in the order of their names."""
    rows = tx.execute(_TREES, {"ids": list(root_ids)}).all()
    return {row[0]: Place(*row) for row in rows}


def anchors_of_sharing(tx: Tx) -> dict[str, set[str]]:
    """Return the roots of the trees that each sharing provider serves, its own among them."""
    shares = sa.select(pt.provider_id).where(pt.trait == SHARES)
    found: dict[str, set[str]] = {}
    for row in tx.execute(sa.select(p.id, p.root_id).where(p.id.in_(shares))):
        found[row.id] = {row.root_id}
    if not found:
        return found
    own = tables.provider_aggregate.alias("own")
    other = tables.provider_aggregate.alias("other")
    served = (
        sa.select(own.c.provider_id, p.root_id)
        .join(other, other.c.aggregate_id == own.c.aggregate_id)
        .join(tables.provider, p.id == other.c.provider_id)
        .where(own.c.provider_id.in_(shares))
    )
    for row in tx.execute(served):
        found[row.provider_id].add(row.root_id)
    return found


def there_are_trees(tx: Tx) -> bool:
    """Say whether any provider has a parent."""
    return tx.scalars(sa.select(p.id).where(p.parent_id.is_not(None)).limit(1)).first() is not None


def figures_of(tx: Tx, provider_ids: Iterable[str]) -> dict[str, dict[str, Figures]]:
    """Return the figures of each provider, by class; a provider without any is left out."""
    found: dict[str, dict[str, Figures]] = {}
    rows = tx.execute(_FIGURES, {"ids": list(provider_ids)}).all()
    for provider_id, resource_class, *numbers in rows:
        found.setdefault(provider_id, {})[resource_class] = Figures(*numbers)
    return found


def providers_offering(tx: Tx, resource_classes: Iterable[str]) -> dict[str, str]:
    """Return the names, by id, of the providers that have any of the classes."""
    some = sa.select(i.provider_id).where(i.resource_class.in_(list(resource_classes)))
    rows = tx.execute(sa.select(p.id, p.name).where(p.id.in_(some)).order_by(p.name))
    return {row.id: row.name for row in rows}


def aggregates_of_some(tx: Tx, provider_ids: Iterable[str]) -> dict[str, set[str]]:
    """Return each provider's aggregates; a provider in none is left out."""
    select = sa.select(pa.provider_id, pa.aggregate_id)
    found: dict[str, set[str]] = {}
    for row in tx.execute(select.where(pa.provider_id.in_(list(provider_ids)))):
        found.setdefault(row.provider_id, set()).add(row.aggregate_id)
    return found


_FIGURES = (
    sa.select(
        i.provider_id,
        i.resource_class,
        i.total,
        i.reserved,
        i.allocation_ratio,
        i.min_unit,
        i.max_unit,
        i.step_size,
        i.used,
        i.capacity,
    )
    .where(i.provider_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(i.provider_id, i.resource_class)
)
_TREES = (
    sa.select(p.id, p.name, p.root_id, p.parent_id)
    .where(p.root_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(p.name)
)


def _qualities(demand: Demand) -> list[sa.ColumnElement[bool]]:
    """Say what a provider must be, apart from its stock."""
    clauses = [_has(tables.provider_trait, pt.trait, wanted) for wanted in demand.required]
    clauses += [_has(tables.provider_aggregate, pa.aggregate_id, w) for w in demand.member_of]
    if demand.forbidden:
        clauses.append(~_has(tables.provider_trait, pt.trait, demand.forbidden))
    if demand.not_member_of:
        clauses.append(~_has(tables.provider_aggregate, pa.aggregate_id, demand.not_member_of))
    if demand.root_id is not None:
        clauses.append(p.root_id == demand.root_id)
    return clauses


def _room_for(stock: "sa.FromClause", amount: Any) -> sa.ColumnElement[bool]:
    """Say that an inventory has room for one consumer's `amount` in units it gives out."""
    return sa.and_(
        stock.c.used + amount <= stock.c.capacity,
        stock.c.min_unit <= amount,
        stock.c.max_unit >= amount,
        amount % stock.c.step_size == 0,
    )


def _has(
    table: sa.Table, column: "sa.Column[object]", any_of: frozenset[str]
) -> sa.ColumnElement[bool]:
    link = sa.select(sa.literal(1)).select_from(table)
    return link.where(table.c.provider_id == p.id, column.in_(sorted(any_of))).exists()
