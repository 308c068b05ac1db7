"""What other services may ask of placement, in their own transaction.

A server is a consumer, a host is a provider with the host's id and name.  `claim` is safe
against any number of others at once; `candidates` only says where a claim is worth trying.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from cumulo.db import Tx
from cumulo.services.placement import allocations, inventories, providers, traits
from cumulo.services.placement.aggregates import aggregates_of as _aggregates_of
from cumulo.services.placement.aggregates import set_aggregates as _set_aggregates
from cumulo.services.placement.allocations import Wanted
from cumulo.services.placement.store import allocations as allocation_rows
from cumulo.services.placement.store import inventories as inventory_rows
from cumulo.services.placement.store import providers as provider_rows
from cumulo.services.placement.store.allocations import usage_by_type
from cumulo.services.placement.store.candidates import (
    Demand,
    aggregates_of_some,
    figures_of,
    places_with_room,
    providers_offering,
)
from cumulo.services.placement.store.candidates import Figures as Figures
from cumulo.services.placement.store.inventories import Inventory as Inventory
from cumulo.services.placement.store.traits import traits_of as _traits_of


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A provider with room, with the figures of all its classes."""

    provider_id: str
    name: str
    figures: dict[str, Figures]


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """Why a provider is no candidate, in words for people."""

    provider_id: str
    name: str
    reasons: list[str]
    figures: dict[str, Figures]


def ensure_provider(tx: Tx, provider_id: str, name: str, *, parent_id: str | None = None) -> None:
    """Make a provider, or find it made; a new name or parent is taken over."""
    found = provider_rows.provider_find(tx, provider_id)
    if found is None:
        providers.new_provider(tx, provider_id=provider_id, name=name, parent_id=parent_id)
    elif (found.name, found.parent_id) != (name, parent_id):
        providers.update_provider(tx, found, name=name, parent_id=parent_id, may_move=True)


def delete_provider(tx: Tx, provider_id: str) -> None:
    """Forget a provider and those below, or find it gone.

    Raises Conflict while anything of them is allocated.
    """
    for below in sorted(children_of(tx, provider_id)):
        delete_provider(tx, below)
    if provider_rows.provider_find(tx, provider_id) is not None:
        providers.delete_provider(tx, provider_id)


def provider_named(tx: Tx, name: str) -> str | None:
    """Return the provider of that name."""
    return provider_rows.provider_named(tx, name)


def children_of(tx: Tx, provider_id: str) -> set[str]:
    """Return the providers right below another."""
    found = provider_rows.provider_find(tx, provider_id)
    tree = provider_rows.provider_tree(tx, found.root_id) if found else []
    return {one.id for one in tree if one.parent_id == provider_id}


def traits_below(tx: Tx, root_id: str) -> dict[str, set[str]]:
    """Return the traits of every provider below a root."""
    below = [one.id for one in provider_rows.provider_tree(tx, root_id) if one.id != root_id]
    found = _traits_of(tx, below) if below else {}
    return {one: set(found.get(one, ())) for one in below}


def set_inventory(tx: Tx, provider_id: str, stocks: Mapping[str, Inventory]) -> None:
    """Let the provider have exactly these; nothing is written where nothing changed."""
    provider = providers.provider_get(tx, provider_id)
    present = inventories.inventories_of(tx, provider_id)
    if {name: inventories.inventory_of(row) for name, row in present.items()} != dict(stocks):
        inventories.set_inventories(tx, provider, stocks, None)


def set_traits(tx: Tx, provider_id: str, names: Iterable[str]) -> None:
    """Let the provider have exactly these traits; a CUSTOM_ one is made where it is not there."""
    wanted = set(names)
    for name in traits.unknown_traits(tx, wanted):
        if name.startswith("CUSTOM_"):
            traits.ensure_trait(tx, name)
    traits.set_traits(tx, providers.provider_get(tx, provider_id), wanted, None)


def ensure_traits(tx: Tx, provider_id: str, names: Collection[str]) -> None:
    """Let the provider have these standard traits too; nothing is written where it has them."""
    present = set(traits.traits_of(tx, provider_id))
    if not present >= set(names):
        traits.add_standard(tx, providers.provider_get(tx, provider_id), set(names) - present)


def change_traits(
    tx: Tx, provider_id: str, *, add: Collection[str] = (), remove: Collection[str] = ()
) -> None:
    """Give the provider some traits and take others away; the rest stay as they are."""
    present = set(traits.traits_of(tx, provider_id))
    set_traits(tx, provider_id, (present | set(add)) - set(remove))


def change_aggregates(
    tx: Tx, provider_id: str, *, add: Collection[str] = (), remove: Collection[str] = ()
) -> None:
    """Put the provider into some aggregates and take it out of others."""
    present = set(_aggregates_of(tx, provider_id))
    set_aggregates(tx, provider_id, (present | set(add)) - set(remove))


def set_aggregates(tx: Tx, provider_id: str, aggregate_ids: Iterable[str]) -> None:
    """Put the provider into exactly these aggregates."""
    _set_aggregates(tx, providers.provider_get(tx, provider_id), aggregate_ids, None)


def candidates(
    tx: Tx,
    resources: Mapping[str, int],
    required: Collection[str] = (),
    aggregates: Collection[str] = (),
    *,
    forbidden: Collection[str] = (),
    limit: int | None = None,
) -> list[Candidate]:
    """Return the providers that have room for all of it, every trait, and any of the aggregates."""
    demand = _demand(resources, required, aggregates, forbidden)
    found = places_with_room(tx, demand, limit)
    numbers = figures_of(tx, [place.id for place in found])
    return [
        Candidate(provider_id=place.id, name=place.name, figures=numbers.get(place.id, {}))
        for place in found
    ]


def shortfalls(
    tx: Tx,
    resources: Mapping[str, int],
    required: Collection[str] = (),
    aggregates: Collection[str] = (),
    *,
    forbidden: Collection[str] = (),
) -> list[Shortfall]:
    """Say of every provider that offers any of it, and is no candidate, what it lacks."""
    demand = _demand(resources, required, aggregates, forbidden)
    names = providers_offering(tx, demand.resources)
    numbers, qualities = figures(tx, names), _traits_of(tx, names)
    groups = aggregates_of_some(tx, names)
    found = []
    for provider_id, name in names.items():
        reasons = _lacking(demand.resources, numbers[provider_id])
        reasons += _unfit(demand, set(qualities.get(provider_id, ())))
        if aggregates and not groups.get(provider_id, set()) & set(aggregates):
            reasons.append(f"is in none of the aggregates {', '.join(sorted(aggregates))}")
        if reasons:
            found.append(
                Shortfall(
                    provider_id=provider_id,
                    name=name,
                    reasons=reasons,
                    figures=numbers[provider_id],
                )
            )
    return found


def figures(tx: Tx, provider_ids: Iterable[str]) -> dict[str, dict[str, Figures]]:
    """Return the figures of each provider, by class; a provider without any is left out."""
    return figures_of(tx, provider_ids)


def claim(
    tx: Tx,
    consumer_id: str,
    project_id: str,
    user_id: str,
    amounts: Mapping[str, Mapping[str, int]],
    *,
    consumer_type: str = "INSTANCE",
) -> None:
    """Let the consumer hold exactly `amounts` (provider -> class -> how much), or raise Conflict.

    Whatever it held before is given back in the same stroke; claiming the same again changes
    nothing that counts.  The conflict names the provider, the class and the figures.
    """
    wanted = _wanted(amounts, project_id, user_id, consumer_type)
    allocations.replace_allocations(tx, {consumer_id: wanted}, unable="Unable to allocate")


def adjust(tx: Tx, consumer_id: str, amounts: Mapping[str, Mapping[str, int]]) -> None:
    """Let a consumer that holds something hold exactly `amounts`, or raise Conflict."""
    holder = allocations.consumers(tx, [consumer_id])[consumer_id]
    claim(
        tx,
        consumer_id,
        holder.project_id,
        holder.user_id,
        amounts,
        consumer_type=holder.consumer_type or "INSTANCE",
    )


def move(tx: Tx, from_consumer_id: str, to_consumer_id: str) -> None:
    """Hand all that one consumer holds to another, which gives up what it held itself."""
    giver = allocations.consumers(tx, [from_consumer_id]).get(from_consumer_id)
    if giver is None:
        return
    held = allocations_of(tx, from_consumer_id)
    kind = giver.consumer_type or "INSTANCE"
    wanted = {
        from_consumer_id: _wanted({}, giver.project_id, giver.user_id, kind),
        to_consumer_id: _wanted(held, giver.project_id, giver.user_id, kind),
    }
    allocations.replace_allocations(tx, wanted, unable="Unable to allocate")


def release(tx: Tx, consumer_id: str) -> None:
    """Give back all that the consumer holds, or find that it holds nothing."""
    allocations.release(tx, consumer_id)


def allocations_of(tx: Tx, consumer_id: str) -> dict[str, dict[str, int]]:
    """Return what the consumer holds: provider -> class -> how much."""
    found: dict[str, dict[str, int]] = {}
    for one in allocations.allocations_of(tx, consumer_id):
        found.setdefault(one.provider_id, {})[one.resource_class] = one.used
    return found


def consumers_of(tx: Tx, provider_id: str) -> dict[str, dict[str, int]]:
    """Return who holds what of the provider: consumer -> class -> how much."""
    found: dict[str, dict[str, int]] = {}
    for one in allocations.allocations_of_provider(tx, provider_id):
        found.setdefault(one.consumer_id, {})[one.resource_class] = one.used
    return found


def holders(tx: Tx) -> dict[str, dict[str, dict[str, int]]]:
    """Return what everyone holds: consumer -> provider -> class -> how much."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for one in allocation_rows.every_allocation(tx):
        found.setdefault(one.consumer_id, {}).setdefault(one.provider_id, {})[
            one.resource_class
        ] = one.used
    return found


def miscounts(tx: Tx, *, mend: bool) -> list[str]:
    """Say of which classes a provider counts otherwise than its allocations say; set it right."""
    told = []
    for wrong in inventory_rows.miscounts(tx):
        if mend:
            inventory_rows.inventory_recount(tx, wrong)
        told.append(
            f"Provider {wrong.provider_id} counts {wrong.counted} {wrong.resource_class} as used, "
            f"its allocations are {wrong.allocated}."
        )
    return told


def usage(tx: Tx, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Return how much of each class a project, or one of its users, holds."""
    total: dict[str, int] = {}
    for one in usage_by_type(tx, project_id, user_id=user_id):
        total[one.resource_class] = total.get(one.resource_class, 0) + one.used
    return total


def _wanted(
    amounts: Mapping[str, Mapping[str, int]], project_id: str, user_id: str, kind: str
) -> Wanted:
    some = {
        provider_id: {name: amount for name, amount in held.items() if amount}
        for provider_id, held in amounts.items()
    }
    return Wanted(
        amounts={provider_id: held for provider_id, held in some.items() if held},
        project_id=project_id,
        user_id=user_id,
        consumer_type=kind,
    )


def _demand(
    resources: Mapping[str, int],
    required: Collection[str],
    aggregates: Collection[str],
    forbidden: Collection[str],
) -> Demand:
    return Demand(
        resources={name: amount for name, amount in resources.items() if amount},
        required=[frozenset([name]) for name in sorted(required)],
        forbidden=frozenset(forbidden),
        member_of=[frozenset(aggregates)] if aggregates else [],
    )


def _lacking(resources: Mapping[str, int], numbers: Mapping[str, Figures]) -> list[str]:
    reasons = []
    for name, amount in sorted(resources.items()):
        have = numbers.get(name)
        if have is None:
            reasons.append(f"{name}: requested {amount}, the host has none")
        elif have.free < amount:
            reasons.append(
                f"{name}: requested {amount}, free {have.free} of {have.capacity} (total "
                f"{have.total}, reserved {have.reserved}, ratio {have.allocation_ratio:g}, "
                f"used {have.used})"
            )
        elif not have.min_unit <= amount <= have.max_unit or amount % have.step_size:
            reasons.append(
                f"{name}: requested {amount}, one server may have {have.min_unit} to "
                f"{have.max_unit} in steps of {have.step_size}"
            )
    return reasons


def _unfit(demand: Demand, have: set[str]) -> list[str]:
    reasons = []
    missing: Sequence[str] = sorted(t for some in demand.required for t in some if t not in have)
    if missing:
        reasons.append(f"lacks the traits {', '.join(missing)}")
    if found := sorted(demand.forbidden & have):
        reasons.append(f"has the forbidden traits {', '.join(found)}")
    return reasons
