"""Which provider is in which aggregate; an aggregate is no more than its id."""

from collections.abc import Iterable

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.services.placement.store import tables

pa = tables.provider_aggregate.c


def aggregates_of(tx: Tx, provider_id: str) -> list[str]:
    """Return the aggregates that the provider is in."""
    select = sa.select(pa.aggregate_id).where(pa.provider_id == provider_id)
    return list(tx.scalars(select.order_by(pa.aggregate_id)))


def aggregates_add(tx: Tx, provider_id: str, aggregate_ids: Iterable[str]) -> None:
    """Put the provider into aggregates that it is not in."""
    moment = now()
    times = {"created_at": moment, "updated_at": moment}
    rows = [{"provider_id": provider_id, "aggregate_id": a, **times} for a in aggregate_ids]
    if rows:
        tx.execute(tables.provider_aggregate.insert(), rows)


def aggregates_remove(tx: Tx, provider_id: str, aggregate_ids: Iterable[str]) -> None:
    """Take the provider out of aggregates."""
    forget = sa.delete(tables.provider_aggregate)
    chosen = pa.aggregate_id.in_(list(aggregate_ids))
    tx.execute(forget.where(pa.provider_id == provider_id, chosen))
