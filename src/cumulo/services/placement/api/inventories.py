"""Inventories: what a provider has of each class."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.services.placement import inventories, providers
from cumulo.services.placement.api.answers import JSON, answer, check_accept
from cumulo.services.placement.inventories import Inventory, InventoryRow
from cumulo.web import Call, Reply, Routes
from cumulo.web.errors import MethodNotAllowed

routes = Routes()
_ALL = "/resource_providers/{uuid}/inventories"
_ONE = "/resource_providers/{uuid}/inventories/{resource_class}"
_MAX = 0x7FFFFFFF
_Count: TypeAlias = Annotated[int, Meta(ge=1, le=_MAX)]
ClassName: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Z0-9_]+\Z", max_length=255)]
_SHOWN = ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")


class Stock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a provider has of a class."""

    total: _Count
    reserved: Annotated[int, Meta(ge=0, le=_MAX)] = 0
    min_unit: _Count = 1
    max_unit: _Count = _MAX
    step_size: _Count = 1
    allocation_ratio: Annotated[float, Meta(le=3.40282e38)] = 1.0
    resource_provider_generation: int | None = None


class StockChange(Stock, kw_only=True, forbid_unknown_fields=True):
    """What a provider has of a class now, and the generation its writer saw."""

    resource_provider_generation: int


class NewStock(Stock, kw_only=True, forbid_unknown_fields=True):
    """A class that the provider did not have yet."""

    resource_class: ClassName


class Stocks(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All that a provider has."""

    resource_provider_generation: int
    inventories: dict[ClassName, Stock]


@routes.get(_ALL, policy="placement:resource_providers:inventories:list")
def list_inventories(call: Call[None], uuid: str) -> Reply:
    """List what a provider has."""
    check_accept(call)

    def read(tx: Tx) -> tuple[int, dict[str, InventoryRow]]:
        provider = providers.provider_get(tx, uuid)
        return provider.generation, inventories.inventories_of(tx, uuid)

    generation, rows = call.db.read(read)
    return _show_all(call, generation, rows)


@routes.post(_ALL, policy="placement:resource_providers:inventories:create", media=JSON)
def create_inventory(call: Call[None], uuid: str, body: NewStock) -> Reply:
    """Give a provider a class that it does not have."""
    name, stock = body.resource_class, stock_of(body)

    def create(tx: Tx) -> int:
        provider = providers.provider_get(tx, uuid)
        check(call, uuid, {name: stock}, "create")
        return inventories.add_inventory(tx, provider, name, stock)

    generation = call.db.write(create)
    location = f"{call.url}/resource_providers/{uuid}/inventories/{name}"
    return _show_one(call, generation, stock, status=201, headers={"Location": location})


@routes.put(_ALL, policy="placement:resource_providers:inventories:update", media=JSON)
def set_inventories(call: Call[None], uuid: str, body: Stocks) -> Reply:
    """Let a provider have exactly these classes."""
    stocks = {name: stock_of(stock) for name, stock in body.inventories.items()}

    def update(tx: Tx) -> tuple[int, dict[str, InventoryRow]]:
        provider = providers.provider_get(tx, uuid)
        seen = body.resource_provider_generation
        providers.check_generation(provider, seen)
        check(call, uuid, stocks, "update")
        generation = inventories.set_inventories(tx, provider, stocks, seen)
        return generation, inventories.inventories_of(tx, uuid)

    generation, rows = call.db.write(update)
    return _show_all(call, generation, rows)


@routes.delete(
    _ALL, policy="placement:resource_providers:inventories:delete", status=204, since="1.5"
)
def delete_inventories(call: Call[None], uuid: str) -> None:
    """Take all classes from a provider, none of which may be used."""

    def delete(tx: Tx) -> None:
        inventories.set_inventories(tx, providers.provider_get(tx, uuid), {}, None)

    call.db.write(delete)


@routes.delete(_ALL, policy="placement:resource_providers:inventories:delete", until="1.4")
def refuse_to_delete_inventories(call: Call[None], uuid: str) -> None:
    """Answer as this version does: the method came with 1.5."""
    raise MethodNotAllowed(
        "The method specified is not allowed for this resource.", allow=["GET", "POST", "PUT"]
    )


@routes.get(_ONE, policy="placement:resource_providers:inventories:show")
def show_inventory(call: Call[None], uuid: str, resource_class: str) -> Reply:
    """Show what a provider has of a class."""
    check_accept(call)

    def read(tx: Tx) -> tuple[int, InventoryRow]:
        provider = providers.provider_get(tx, uuid)
        return provider.generation, inventories.inventory_get(tx, uuid, resource_class)

    generation, row = call.db.read(read)
    return _show_one(call, generation, inventories.inventory_of(row), changed=row.updated_at)


@routes.put(_ONE, policy="placement:resource_providers:inventories:update", media=JSON)
def update_inventory(call: Call[None], uuid: str, resource_class: str, body: StockChange) -> Reply:
    """Change what a provider has of a class."""
    stock = stock_of(body)

    def update(tx: Tx) -> int:
        provider, seen = providers.provider_get(tx, uuid), body.resource_provider_generation
        providers.check_generation(provider, seen)
        check(call, uuid, {resource_class: stock}, "update")
        return inventories.update_inventory(tx, provider, resource_class, stock, seen)

    return _show_one(call, call.db.write(update), stock)


@routes.delete(_ONE, policy="placement:resource_providers:inventories:delete", status=204)
def delete_inventory(call: Call[None], uuid: str, resource_class: str) -> None:
    """Take a class of which nothing is used from a provider."""

    def delete(tx: Tx) -> None:
        inventories.delete_inventory(tx, providers.provider_get(tx, uuid), resource_class)

    call.db.write(delete)


def stock_of(body: Stock) -> Inventory:
    """Return what a client says a provider has."""
    return Inventory(**{name: getattr(body, name) for name in _SHOWN})


def check(call: Call[None], uuid: str, stocks: Mapping[str, Inventory], doing: str) -> None:
    """Refuse stocks of which nothing could be allocated; all may be reserved since 1.26."""
    may_reserve_all = call.version >= (1, 26)
    inventories.check_inventories(uuid, stocks, may_reserve_all=may_reserve_all, doing=doing)


def _show_all(call: Call[None], generation: int, rows: Mapping[str, InventoryRow]) -> Reply:
    shown = {name: _fields(row) for name, row in rows.items()}
    body = {"resource_provider_generation": generation, "inventories": shown}
    return answer(call, body, changed=_latest(rows.values()))


def _show_one(
    call: Call[None],
    generation: int,
    stock: Inventory,
    *,
    changed: datetime | None = None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    body = {"resource_provider_generation": generation, **_fields(stock)}
    return answer(call, body, changed=changed, status=status, headers=headers)


def _fields(stock: Inventory | InventoryRow) -> dict[str, Any]:
    return {name: getattr(stock, name) for name in _SHOWN}


def _latest(rows: Iterable[InventoryRow]) -> datetime | None:
    return max((row.updated_at for row in rows), default=None)
