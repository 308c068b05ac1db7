"""Inventories: what a provider has of each class, and how much of it is used."""

from collections.abc import Mapping

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.placement.providers import advance, check_generation
from cumulo.services.placement.resource_classes import class_order, unknown_classes
from cumulo.services.placement.store import inventories as store
from cumulo.services.placement.store.inventories import Inventory as Inventory
from cumulo.services.placement.store.inventories import InventoryRow as InventoryRow
from cumulo.services.placement.store.providers import Provider

INVENTORY_IN_USE = "placement.inventory.inuse"


def check_inventories(
    provider_id: str, stocks: Mapping[str, Inventory], *, may_reserve_all: bool, doing: str
) -> None:
    """Refuse stocks of which nothing could ever be allocated; `doing` begins the message."""
    for resource_class, stock in stocks.items():
        if stock.capacity < 0 or (stock.capacity == 0 and not may_reserve_all):
            relation = "greater than" if may_reserve_all else "greater than or equal to"
            raise Invalid(
                f"Unable to {doing} inventory for resource provider {provider_id}: "
                f"Invalid inventory for '{resource_class}' on resource provider '{provider_id}'. "
                f"The reserved value is {relation} total.",
                resource_class=resource_class,
                total=stock.total,
                reserved=stock.reserved,
            )


def inventories_of(tx: Tx, provider_id: str) -> dict[str, InventoryRow]:
    """Return the provider's inventories by class."""
    return {row.resource_class: row for row in store.inventory_list(tx, [provider_id])}


def inventory_of(row: InventoryRow) -> Inventory:
    """Return what the provider said it has, without what is used of it."""
    return Inventory(**{name: getattr(row, name) for name in Inventory.__struct_fields__})


def inventory_get(tx: Tx, provider_id: str, resource_class: str) -> InventoryRow:
    """Return one inventory."""
    row = store.inventory_find(tx, provider_id, resource_class)
    if row is None:
        raise NotFound(f"No inventory of class {resource_class} for {provider_id}")
    return row


def add_inventory(tx: Tx, provider: Provider, resource_class: str, stock: Inventory) -> int:
    """Give the provider a class that it does not have; return its new generation."""
    unable = f"Unable to create inventory for resource provider {provider.id}"
    _check_classes(tx, [resource_class], unable)
    if store.inventory_find(tx, provider.id, resource_class) is not None:
        raise Conflict(
            f"Update conflict: inventory of class {resource_class} for resource provider "
            f"{provider.id} exists already.",
            code="placement.concurrent_update",
        )
    store.inventory_insert(tx, provider.id, resource_class, stock)
    return advance(tx, provider)


def update_inventory(
    tx: Tx, provider: Provider, resource_class: str, stock: Inventory, generation: int
) -> int:
    """Change one inventory; return the provider's new generation."""
    check_generation(provider, generation)
    if not store.inventory_update(tx, provider.id, resource_class, stock):
        raise Invalid(
            f"No inventory record with resource class for resource provider {provider.id}: "
            f"No inventory of class {resource_class} found."
        )
    return advance(tx, provider)


def set_inventories(
    tx: Tx, provider: Provider, stocks: Mapping[str, Inventory], generation: int | None
) -> int:
    """Let the provider have exactly these; return its new generation.

    A class of which something is used cannot go.
    """
    check_generation(provider, generation)
    unknown = f"Unknown resource class in inventory for resource provider {provider.id}"
    _check_classes(tx, stocks, unknown)
    replace_stocks(tx, provider.id, stocks, forget=True)
    return advance(tx, provider)


def replace_stocks(
    tx: Tx, provider_id: str, stocks: Mapping[str, Inventory], *, forget: bool
) -> None:
    """Add and change inventories, and unless `forget` is false remove the others."""
    present = inventories_of(tx, provider_id)
    if forget:
        forget_stocks(tx, provider_id, sorted(present.keys() - stocks.keys()))
    for resource_class, stock in sorted(stocks.items()):
        if resource_class not in present:
            store.inventory_insert(tx, provider_id, resource_class, stock)
        elif inventory_of(present[resource_class]) != stock:
            store.inventory_update(tx, provider_id, resource_class, stock)


def forget_stocks(tx: Tx, provider_id: str, resource_classes: list[str]) -> None:
    """Remove inventories, all of which must be unused."""
    used = [c for c in resource_classes if not store.inventory_delete_unused(tx, provider_id, c)]
    used.sort(key=class_order)
    if used:
        raise Conflict(
            f"update conflict: Inventory for '{', '.join(used)}' on "
            f"resource provider '{provider_id}' in use.",
            code=INVENTORY_IN_USE,
            resource_classes=used,
        )


def delete_inventory(tx: Tx, provider: Provider, resource_class: str) -> int:
    """Remove one inventory; return the provider's new generation."""
    row = store.inventory_find(tx, provider.id, resource_class)
    if row is None:
        raise NotFound(
            f"No inventory of class {resource_class} found for delete: "
            f"No inventory of class {resource_class} found for delete"
        )
    if not store.inventory_delete_unused(tx, provider.id, resource_class):
        raise Conflict(
            f"Unable to delete inventory of class {resource_class}: Inventory for "
            f"'{resource_class}' on resource provider '{provider.id}' in use.",
            code="placement.concurrent_update",
        )
    return advance(tx, provider)


def _check_classes(tx: Tx, names: Mapping[str, Inventory] | list[str], problem: str) -> None:
    if unknown := unknown_classes(tx, names):
        raise Invalid(f"{problem}: No such resource class {unknown[0]}.", resource_classes=unknown)
