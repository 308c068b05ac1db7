"""Traits: qualities a provider has, from the standard list or made by clients as CUSTOM_*."""

import functools
from collections.abc import Iterable
from datetime import datetime

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.placement.providers import advance, check_generation
from cumulo.services.placement.store import traits as store
from cumulo.services.placement.store.providers import Provider


@functools.cache
def standard() -> frozenset[str]:
    """Return the names that everybody agrees on; they take a while to load."""
    import os_traits

    return frozenset(os_traits.get_traits())


def trait_list(
    tx: Tx,
    *,
    names: Iterable[str] | None = None,
    prefix: str = "",
    associated: bool | None = None,
) -> dict[str, datetime | None]:
    """Return traits in order, with when a client made them; None for standard ones."""
    custom = store.trait_custom(tx)
    wanted = {*standard(), *custom}
    if names is not None:
        wanted &= set(names)
    if associated is not None:
        used = store.traits_associated(tx)
        wanted = wanted & used if associated else wanted - used
    return {name: custom.get(name) for name in sorted(wanted) if name.startswith(prefix)}


def trait_get(tx: Tx, name: str) -> datetime | None:
    """Return when a client made the trait; None for a standard one."""
    if name in standard():
        return None
    made = store.trait_custom_some(tx, [name]).get(name)
    if made is None:
        raise NotFound(f"No such trait(s): {name}.", trait=name)
    return made


def ensure_trait(tx: Tx, name: str) -> bool:
    """Make a trait, or find it made; say whether it is new."""
    if name in store.trait_custom_some(tx, [name]):
        return False
    store.trait_insert_absent(tx, name)
    return True


def delete_trait(tx: Tx, name: str) -> None:
    """Forget a trait that a client made and no provider has."""
    trait_get(tx, name)
    if name in standard():
        raise Invalid(f"Cannot delete standard trait {name}.", trait=name)
    if store.trait_in_use(tx, name):
        raise Conflict(f"The trait {name} is in use by a resource provider.", trait=name)
    store.trait_delete(tx, name)


def unknown_traits(tx: Tx, names: Iterable[str]) -> list[str]:
    """Return those of the names that are no trait."""
    custom = sorted(set(names) - standard())
    known = store.trait_custom_some(tx, custom) if custom else {}
    return [name for name in custom if name not in known]


def traits_of(tx: Tx, provider_id: str) -> list[str]:
    """Return the provider's traits."""
    return store.traits_of(tx, [provider_id]).get(provider_id, [])


def set_traits(tx: Tx, provider: Provider, names: Iterable[str], generation: int | None) -> int:
    """Let the provider have exactly these traits; return its generation, new when they changed."""
    check_generation(provider, generation)
    wanted = set(names)
    if unknown := unknown_traits(tx, wanted):
        raise Invalid(f"No such trait {', '.join(unknown)}", traits=unknown)
    present = set(traits_of(tx, provider.id))
    if wanted == present:
        return provider.generation
    store.traits_remove(tx, provider.id, present - wanted)
    store.traits_add(tx, provider.id, wanted - present)
    return advance(tx, provider)


def add_standard(tx: Tx, provider: Provider, names: Iterable[str]) -> None:
    """Give the provider traits that are known to be standard, without loading the list of all."""
    store.traits_add(tx, provider.id, set(names))
    advance(tx, provider)
