"""Allocations: who has how much of what.

`replace_allocations` is the only way in: it states what consumers shall hold, and changes the
used-counters of the inventories by the difference, each only if there is room.  It either does
all of it or raises.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import LostRace, Tx
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.placement.providers import CONCURRENT_UPDATE, providers_get
from cumulo.services.placement.resource_classes import unknown_classes
from cumulo.services.placement.store import allocations as store
from cumulo.services.placement.store import inventories as stock
from cumulo.services.placement.store.allocations import Allocation as Allocation
from cumulo.services.placement.store.allocations import Consumer as Consumer
from cumulo.services.placement.store.providers import generation_advance

Amounts: TypeAlias = Mapping[str, Mapping[str, int]]  # provider -> class -> how much


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer shall hold, all told; nothing is what a consumer that goes holds.

    `generation` is the one the client saw, None where it saw no consumer; UNSET where it may
    not have looked.
    """

    amounts: Amounts
    project_id: str
    user_id: str
    consumer_type: str | UnsetType = UNSET
    generation: int | UnsetType | None = UNSET


class _Change(msgspec.Struct):
    """What happens to one inventory."""

    more: int = 0
    amounts: list[int] = []


def allocations_of(tx: Tx, consumer_id: str) -> list[Allocation]:
    """Return what a consumer holds."""
    return store.allocation_list(tx, [consumer_id])


def allocations_of_provider(tx: Tx, provider_id: str) -> list[Allocation]:
    """Return what is held of a provider."""
    return store.allocation_list_of_provider(tx, provider_id)


def consumers(tx: Tx, consumer_ids: Iterable[str]) -> dict[str, Consumer]:
    """Return those of the consumers that hold anything, by id."""
    return store.consumer_some(tx, consumer_ids)


def replace_allocations(tx: Tx, wanted: Mapping[str, Wanted], *, unable: str) -> None:
    """Let each consumer hold exactly what is wanted; all of it, or nothing changes.

    `unable` begins the message when a class does not exist.
    """
    _check_names(tx, wanted, unable)
    before = consumers(tx, wanted)
    for consumer_id, want in sorted(wanted.items()):
        _advance_consumer(tx, consumer_id, before.get(consumer_id), want)
    held = store.allocation_list(tx, before) if before else []
    for (provider_id, resource_class), change in sorted(_changes(held, wanted).items()):
        _take(tx, provider_id, resource_class, change)
    for consumer_id, want in sorted(wanted.items()):
        _write(tx, consumer_id, want, existed=consumer_id in before)
    for provider_id in sorted(_counting(held, wanted)):
        generation_advance(tx, provider_id)


def delete_allocations(tx: Tx, consumer_id: str) -> None:
    """Take everything from a consumer."""
    if not release(tx, consumer_id):
        raise NotFound(f"No allocations for consumer '{consumer_id}'")


def release(tx: Tx, consumer_id: str) -> bool:
    """Take everything from a consumer, or find that it holds nothing; say which."""
    consumer = store.consumer_find(tx, consumer_id)
    if consumer is None:
        return False
    gone = msgspec.structs.replace(consumer, generation=consumer.generation + 1)
    if not store.consumer_update(tx, gone, expected=consumer.generation):
        raise LostRace(f"consumer {consumer_id} changed")
    for one in store.allocation_list(tx, [consumer_id]):
        stock.inventory_take(tx, one.provider_id, one.resource_class, more=-one.used, amounts=())
    store.allocation_delete(tx, consumer_id)
    store.consumer_delete(tx, consumer_id)
    return True


def _check_names(tx: Tx, wanted: Mapping[str, Wanted], unable: str) -> None:
    provider_ids = {provider_id for want in wanted.values() for provider_id in want.amounts}
    known = providers_get(tx, provider_ids) if provider_ids else {}
    for provider_id in sorted(provider_ids - known.keys()):
        raise Invalid(f"Allocation for resource provider '{provider_id}' that does not exist.")
    classes = {c for want in wanted.values() for held in want.amounts.values() for c in held}
    if unknown := unknown_classes(tx, classes):
        raise Invalid(f"{unable}: No such resource class {unknown[0]}.", resource_classes=unknown)


def _advance_consumer(tx: Tx, consumer_id: str, before: Consumer | None, want: Wanted) -> None:
    """Record who holds it; from here on no other transaction can change the consumer."""
    seen = want.generation
    actual = before.generation if before else None
    if seen is not UNSET and seen != actual:
        expected = "null" if before is None else before.generation
        given = "None" if seen is None else seen
        raise Conflict(
            f"consumer generation conflict - expected {expected} but got {given}",
            code=CONCURRENT_UPDATE,
        )
    if before is None:
        if want.amounts:
            store.consumer_insert(tx, _consumer(consumer_id, want, None))
    elif not store.consumer_update(
        tx, _consumer(consumer_id, want, before), expected=before.generation
    ):
        raise LostRace(f"consumer {consumer_id} changed")


def _consumer(consumer_id: str, want: Wanted, before: Consumer | None) -> Consumer:
    kind = before.consumer_type if before else None
    if want.consumer_type is not UNSET:
        kind = want.consumer_type
    return Consumer(
        id=consumer_id,
        project_id=want.project_id,
        user_id=want.user_id,
        consumer_type=kind,
        # The first write counts as a change, too: a client next has to name generation 1.
        generation=before.generation + 1 if before else 1,
    )


def _changes(
    held: Iterable[Allocation], wanted: Mapping[str, Wanted]
) -> dict[tuple[str, str], _Change]:
    changes: dict[tuple[str, str], _Change] = {}
    for one in held:
        changes.setdefault((one.provider_id, one.resource_class), _Change()).more -= one.used
    for want in wanted.values():
        for provider_id, amounts in want.amounts.items():
            for resource_class, amount in amounts.items():
                change = changes.setdefault((provider_id, resource_class), _Change())
                change.more += amount
                change.amounts.append(amount)
    return changes


def _counting(held: Iterable[Allocation], wanted: Mapping[str, Wanted]) -> set[str]:
    """Return the providers whose generation counts the change: those given, those emptied."""
    given = {provider_id for want in wanted.values() for provider_id in want.amounts}
    emptied = {consumer_id for consumer_id, want in wanted.items() if not want.amounts}
    return given | {one.provider_id for one in held if one.consumer_id in emptied}


def _take(tx: Tx, provider_id: str, resource_class: str, change: _Change) -> None:
    taken = stock.inventory_take(
        tx, provider_id, resource_class, more=change.more, amounts=change.amounts
    )
    if not taken:
        _refuse(tx, provider_id, resource_class, change)


def _refuse(tx: Tx, provider_id: str, resource_class: str, change: _Change) -> None:
    unable = f"Unable to create allocation for '{resource_class}' on resource provider"
    row = stock.inventory_find_locked(tx, provider_id, resource_class)
    if row is None:
        raise Conflict(
            f"Unable to allocate inventory: Inventory for '{resource_class}' on "
            f"resource provider '{provider_id}' invalid.",
            provider_id=provider_id,
            resource_class=resource_class,
        )
    if any(
        amount < row.min_unit or amount > row.max_unit or amount % row.step_size
        for amount in change.amounts
    ):
        why = (
            "The requested amount would violate inventory constraints: "
            f"{', '.join(map(str, change.amounts))} must be a multiple of {row.step_size} "
            f"from {row.min_unit} to {row.max_unit}."
        )
    else:
        why = (
            "The requested amount would exceed the capacity: "
            f"{change.more} more than the {row.used} used of {row.capacity} "
            f"(total {row.total}, reserved {row.reserved}, ratio {row.allocation_ratio})."
        )
    raise Conflict(
        f"Unable to allocate inventory: {unable} '{provider_id}'. {why}",
        provider_id=provider_id,
        resource_class=resource_class,
        used=row.used,
        capacity=row.capacity,
        requested=change.more,
    )


def _write(tx: Tx, consumer_id: str, want: Wanted, *, existed: bool) -> None:
    if existed:
        store.allocation_delete(tx, consumer_id)
    if not want.amounts:
        store.consumer_delete(tx, consumer_id)
        return
    moment = now()
    store.allocation_insert(
        tx,
        [
            Allocation(
                consumer_id=consumer_id,
                provider_id=provider_id,
                resource_class=resource_class,
                used=amount,
                created_at=moment,
            )
            for provider_id, amounts in want.amounts.items()
            for resource_class, amount in amounts.items()
        ],
    )
