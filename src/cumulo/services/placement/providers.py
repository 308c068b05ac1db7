"""Resource providers: what has something to allocate, alone or in a tree."""

from collections.abc import Iterable

import msgspec

from cumulo.db import LostRace, Tx
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.placement.store import providers as store
from cumulo.services.placement.store.allocations import allocation_any
from cumulo.services.placement.store.candidates import Demand
from cumulo.services.placement.store.providers import Provider as Provider

CONCURRENT_UPDATE = "placement.concurrent_update"
DUPLICATE_NAME = "placement.duplicate_name"
IN_USE = "placement.resource_provider.inuse"
IS_PARENT = "placement.resource_provider.cannot_delete_parent"


def provider_get(tx: Tx, provider_id: str) -> Provider:
    """Return a provider."""
    provider = store.provider_find(tx, provider_id)
    if provider is None:
        raise NotFound(f"No resource provider with uuid {provider_id} found", uuid=provider_id)
    return provider


def providers_get(tx: Tx, provider_ids: Iterable[str]) -> dict[str, Provider]:
    """Return those of the providers that exist, by id."""
    return store.provider_some(tx, list(provider_ids))


class Filter(msgspec.Struct, kw_only=True):
    """Which providers to list; what is not said does not matter."""

    name: str | None = None
    id: str | None = None
    in_tree: str | None = None
    resources: dict[str, int] = {}
    required: list[frozenset[str]] = []
    forbidden: frozenset[str] = frozenset()
    member_of: list[frozenset[str]] = []
    not_member_of: frozenset[str] = frozenset()


def provider_list(tx: Tx, wanted: Filter) -> list[Provider]:
    """Return the providers that are all that is wanted, in the order of their names."""
    root_id = None
    if wanted.in_tree is not None:
        member = store.provider_find(tx, wanted.in_tree)
        if member is None:
            return []
        root_id = member.root_id
    demand = Demand(
        resources=wanted.resources,
        required=wanted.required,
        forbidden=wanted.forbidden,
        member_of=wanted.member_of,
        not_member_of=wanted.not_member_of,
        root_id=root_id,
    )
    return store.provider_list(tx, demand, name=wanted.name, provider_id=wanted.id)


def new_provider(tx: Tx, *, provider_id: str, name: str, parent_id: str | None) -> Provider:
    """Record a provider, as a root or below another."""
    unable = f'Unable to create resource provider "{name}", {provider_id}: Object action create'
    root_id = provider_id
    if not name:
        raise Invalid(f"{unable} failed because: name is required")
    if parent_id is not None:
        parent = store.provider_find(tx, parent_id)
        if parent_id == provider_id:
            raise Invalid(
                f"{unable} failed because: parent provider UUID cannot be same as UUID. "
                "Please set parent provider UUID to None if there is no parent."
            )
        if parent is None:
            raise Invalid(f"{unable} failed because: parent provider UUID does not exist.")
        root_id = parent.root_id
    _check_free(tx, provider_id, name)
    moment = now()
    provider = Provider(
        id=provider_id,
        name=name,
        generation=0,
        root_id=root_id,
        parent_id=parent_id,
        created_at=moment,
        updated_at=moment,
    )
    store.provider_insert(tx, provider)
    return provider


def update_provider(
    tx: Tx, provider: Provider, *, name: str, parent_id: str | None, may_move: bool
) -> Provider:
    """Rename a provider or give it a parent; only `may_move` lets it change or lose one."""
    if name != provider.name and store.provider_named(tx, name) is not None:
        raise Conflict(f"Conflicting resource provider {name} already exists.", code=DUPLICATE_NAME)
    root_id = provider.root_id
    if parent_id != provider.parent_id:
        root_id = _move(tx, provider, parent_id, may_move=may_move)
    store.provider_update(tx, provider.id, name=name, parent_id=parent_id, root_id=root_id)
    return provider_get(tx, provider.id)


def delete_provider(tx: Tx, provider_id: str) -> None:
    """Forget a provider that is no parent and of which nothing is allocated."""
    if store.provider_find(tx, provider_id) is None:
        raise NotFound(f"No resource provider with uuid {provider_id} found for delete")
    if store.provider_has_children(tx, provider_id):
        raise Conflict(
            f"Unable to delete parent resource provider {provider_id}: "
            "It has child resource providers.",
            code=IS_PARENT,
        )
    if allocation_any(tx, provider_id):
        raise Conflict(
            f"Unable to delete resource provider {provider_id}: Resource provider has allocations.",
            code=IN_USE,
        )
    store.provider_delete(tx, provider_id)


def check_generation(provider: Provider, generation: int | None) -> None:
    """Refuse a change by a client that has not seen the last one."""
    if generation is not None and generation != provider.generation:
        raise Conflict(
            "Resource provider's generation already changed. Please update the generation and "
            f"try again. (resource provider generation conflict for provider {provider.id}: "
            f"actual: {provider.generation}, given: {generation})",
            code=CONCURRENT_UPDATE,
        )


def advance(tx: Tx, provider: Provider) -> int:
    """Count a change of the provider as this transaction read it; return the new generation."""
    if not store.generation_advance(tx, provider.id, expected=provider.generation):
        raise LostRace(f"resource provider {provider.id} changed")
    return provider.generation + 1


def count_change(tx: Tx, provider_id: str) -> None:
    """Count a change of a provider, whatever else this transaction counted before."""
    store.generation_advance(tx, provider_id)


def _check_free(tx: Tx, provider_id: str, name: str) -> None:
    taken = []
    if store.provider_find(tx, provider_id) is not None:
        taken.append(f"uuid: {provider_id}")
    if store.provider_named(tx, name) is not None:
        taken.append(f"name: {name}")
    if taken:
        raise Conflict(
            f"Conflicting resource provider {', '.join(taken)} already exists.",
            code=DUPLICATE_NAME,
        )


def _move(tx: Tx, provider: Provider, parent_id: str | None, *, may_move: bool) -> str:
    """Put a provider with all below it under another parent; return the root it then has."""
    unable = f"Unable to save resource provider {provider.id}: Object action update failed because:"
    parent = store.provider_find(tx, parent_id) if parent_id is not None else None
    if parent_id is not None and parent is None:
        raise Invalid(f"{unable} parent provider UUID does not exist.")
    if provider.parent_id is not None and not may_move:
        how = "un-parenting" if parent_id is None else "re-parenting"
        raise Invalid(f"{unable} {how} a provider is not currently allowed.")
    below = _subtree(tx, provider)
    if parent_id in below:
        raise Invalid(f"{unable} creating loop in the provider tree is not allowed.")
    root_id = parent.root_id if parent else provider.id
    store.provider_set_root(tx, sorted(below), root_id)
    return root_id


def _subtree(tx: Tx, provider: Provider) -> set[str]:
    """Return the provider and all below it."""
    tree = store.provider_tree(tx, provider.root_id)
    found = {provider.id}
    while more := {p.id for p in tree if p.parent_id in found} - found:
        found |= more
    return found
