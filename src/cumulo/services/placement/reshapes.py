"""Reshaping: moving inventories between providers together with what is allocated of them."""

from collections.abc import Mapping

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.placement import allocations, inventories, providers
from cumulo.services.placement.allocations import Wanted
from cumulo.services.placement.inventories import Inventory
from cumulo.services.placement.resource_classes import unknown_classes


class Reshape(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider shall have, and the generation its writer saw."""

    stocks: dict[str, Inventory]
    generation: int


def reshape(tx: Tx, wanted: Mapping[str, Reshape], holders: Mapping[str, Wanted]) -> None:
    """Change inventories and allocations together, all of them or none.

    New inventories come first and old ones go last, so that in between both the old and the new
    allocations have a place.
    """
    found = providers.providers_get(tx, wanted)
    for provider_id, change in wanted.items():
        _check(tx, found.get(provider_id), provider_id, change)
    for provider_id, change in sorted(wanted.items()):
        if change.stocks:
            inventories.replace_stocks(tx, provider_id, change.stocks, forget=False)
            providers.count_change(tx, provider_id)
    if holders:
        allocations.replace_allocations(tx, holders, unable="malformed reshaper data")
    for provider_id, change in sorted(wanted.items()):
        present = inventories.inventories_of(tx, provider_id)
        gone = sorted(present.keys() - change.stocks.keys())
        inventories.forget_stocks(tx, provider_id, gone)
        providers.count_change(tx, provider_id)


def _check(tx: Tx, provider: providers.Provider | None, provider_id: str, change: Reshape) -> None:
    if provider is None:
        raise Invalid(
            f"Resource provider {provider_id} in inventories not found: "
            f"No resource provider with uuid {provider_id} found",
            code="placement.resource_provider.not_found",
        )
    if provider.generation != change.generation:
        raise Conflict(
            f"resource provider generation conflict for provider {provider_id}: "
            f"actual: {provider.generation}, given: {change.generation}",
            code=providers.CONCURRENT_UPDATE,
        )
    if unknown := unknown_classes(tx, change.stocks):
        raise Invalid(f"malformed reshaper data: No such resource class {unknown[0]}.")
