"""Traits: those clients made, and which provider has which."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit.clock import now
from cumulo.services.placement.store import tables

t = tables.custom_trait.c
pt = tables.provider_trait.c


def trait_custom(tx: Tx) -> dict[str, datetime]:
    """Return every trait that a client made, with when it was made."""
    return {row.name: row.created_at for row in tx.execute(sa.select(t.name, t.created_at))}


def trait_custom_some(tx: Tx, names: Iterable[str]) -> dict[str, datetime]:
    """Return those of the traits that a client made."""
    rows = tx.execute(sa.select(t.name, t.created_at).where(t.name.in_(list(names))))
    return {row.name: row.created_at for row in rows}


def trait_insert_absent(tx: Tx, name: str) -> None:
    """Store a trait unless it is there."""
    moment = now()
    insert_absent(tx, tables.custom_trait, name=name, created_at=moment, updated_at=moment)


def trait_delete(tx: Tx, name: str) -> None:
    """Forget a trait that a client made."""
    tx.execute(sa.delete(tables.custom_trait).where(t.name == name))


def trait_in_use(tx: Tx, name: str) -> bool:
    """Say whether any provider has the trait."""
    select = sa.select(pt.provider_id).where(pt.trait == name).limit(1)
    return tx.scalars(select).first() is not None


def traits_associated(tx: Tx) -> set[str]:
    """Return the traits that any provider has."""
    return set(tx.scalars(sa.select(pt.trait).distinct()))


def traits_of(tx: Tx, provider_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return each provider's traits in order; a provider without any is left out."""
    found: dict[str, list[str]] = {}
    for provider_id, trait in tx.execute(_TRAITS, {"ids": list(provider_ids)}).all():
        found.setdefault(provider_id, []).append(trait)
    return found


def traits_add(tx: Tx, provider_id: str, names: Iterable[str]) -> None:
    """Give the provider traits that it did not have."""
    moment = now()
    times = {"created_at": moment, "updated_at": moment}
    rows = [{"provider_id": provider_id, "trait": name, **times} for name in sorted(names)]
    if rows:
        tx.execute(tables.provider_trait.insert(), rows)


def traits_remove(tx: Tx, provider_id: str, names: Iterable[str]) -> None:
    """Take traits from the provider."""
    forget = sa.delete(tables.provider_trait)
    tx.execute(forget.where(pt.provider_id == provider_id, pt.trait.in_(list(names))))


_TRAITS = (
    sa.select(pt.provider_id, pt.trait)
    .where(pt.provider_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(pt.provider_id, pt.trait)
)
