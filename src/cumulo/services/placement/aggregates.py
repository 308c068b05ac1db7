"""Aggregates: sets of providers that share something, known only by the ids clients give."""

from collections.abc import Iterable

from cumulo.db import Tx
from cumulo.services.placement.providers import advance, check_generation
from cumulo.services.placement.store import aggregates as store
from cumulo.services.placement.store.providers import Provider


def aggregates_of(tx: Tx, provider_id: str) -> list[str]:
    """Return the aggregates that the provider is in."""
    return store.aggregates_of(tx, provider_id)


def set_aggregates(
    tx: Tx, provider: Provider, aggregate_ids: Iterable[str], generation: int | None
) -> int:
    """Put the provider into exactly these aggregates; return its generation.

    Without a generation nothing is compared and the change does not count as one.
    """
    check_generation(provider, generation)
    wanted, present = set(aggregate_ids), set(store.aggregates_of(tx, provider.id))
    store.aggregates_remove(tx, provider.id, sorted(present - wanted))
    store.aggregates_add(tx, provider.id, sorted(wanted - present))
    return provider.generation if generation is None else advance(tx, provider)
