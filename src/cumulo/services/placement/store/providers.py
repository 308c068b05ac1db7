"""Resource providers: trees, each with one root."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.services.placement.store import tables
from cumulo.services.placement.store.candidates import Demand, meeting

p = tables.provider.c


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A resource provider as stored."""

    id: str
    name: str
    generation: int
    root_id: str
    parent_id: str | None
    created_at: datetime
    updated_at: datetime


_OF_ID = p.id == sa.bindparam("of_id")
_BY_ID = sa.select(tables.provider).where(_OF_ID)
_AMONG = sa.select(tables.provider).where(p.id.in_(sa.bindparam("ids", expanding=True)))
_ADVANCE = sa.update(tables.provider).where(_OF_ID).values(generation=p.generation + 1)


def provider_insert(tx: Tx, provider: Provider) -> None:
    """Store a new provider."""
    tx.execute(tables.provider.insert(), msgspec.structs.asdict(provider))


def provider_find(tx: Tx, provider_id: str) -> Provider | None:
    """Return a provider, if there is one."""
    row = tx.execute(_BY_ID, {"of_id": provider_id}).one_or_none()
    return Provider(**row._mapping) if row else None


def provider_named(tx: Tx, name: str) -> str | None:
    """Return the id of the provider that has the name."""
    return tx.scalars(sa.select(p.id).where(p.name == name)).one_or_none()


def provider_some(tx: Tx, provider_ids: list[str]) -> dict[str, Provider]:
    """Return those of the providers that exist, by id."""
    rows = tx.execute(_AMONG, {"ids": provider_ids})
    return {row.id: Provider(**row._mapping) for row in rows}


def provider_list(
    tx: Tx, demand: Demand, *, name: str | None = None, provider_id: str | None = None
) -> list[Provider]:
    """Return the providers that meet the demand by themselves, in the order of their names."""
    select = meeting(sa.select(tables.provider), demand).order_by(p.name)
    if name is not None:
        select = select.where(p.name == name)
    if provider_id is not None:
        select = select.where(p.id == provider_id)
    return [Provider(**row._mapping) for row in tx.execute(select)]


def provider_tree(tx: Tx, root_id: str) -> list[Provider]:
    """Return every provider of the tree, the root among them."""
    rows = tx.execute(sa.select(tables.provider).where(p.root_id == root_id).order_by(p.id))
    return [Provider(**row._mapping) for row in rows]


def provider_has_children(tx: Tx, provider_id: str) -> bool:
    """Say whether the provider is a parent."""
    return (
        tx.scalars(sa.select(p.id).where(p.parent_id == provider_id).limit(1)).first() is not None
    )


def provider_update(
    tx: Tx, provider_id: str, *, name: str, parent_id: str | None, root_id: str
) -> None:
    """Rename or move a provider."""
    values = {"name": name, "parent_id": parent_id, "root_id": root_id, "updated_at": now()}
    tx.execute(sa.update(tables.provider).where(p.id == provider_id).values(**values))


def provider_set_root(tx: Tx, provider_ids: list[str], root_id: str) -> None:
    """Make the providers part of another tree."""
    change = sa.update(tables.provider).where(p.id.in_(provider_ids))
    tx.execute(change.values(root_id=root_id, updated_at=now()))


def provider_delete(tx: Tx, provider_id: str) -> None:
    """Forget a provider with its inventories, traits and aggregates."""
    for table in (tables.inventory, tables.provider_trait, tables.provider_aggregate):
        tx.execute(sa.delete(table).where(table.c.provider_id == provider_id))
    tx.execute(sa.delete(tables.provider).where(p.id == provider_id))


def generation_advance(tx: Tx, provider_id: str, *, expected: int | None = None) -> bool:
    """Count a change of the provider; with `expected`, only when no other came first."""
    change = _ADVANCE if expected is None else _ADVANCE.where(p.generation == expected)
    return bool(tx.execute(change, {"of_id": provider_id, "updated_at": now()}).rowcount)
