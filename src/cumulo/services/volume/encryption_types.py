"""How volumes of a type are encrypted; fixed while there are volumes of the type."""

from collections.abc import Mapping
from typing import Any

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.volume.store import types as store
from cumulo.services.volume.store.types import Encryption
from cumulo.services.volume.store.volumes import volumes_of_type
from cumulo.services.volume.volume_types import type_by_id
from cumulo.services.volume.volumes import Volume, volume_visible
from cumulo.work import events


def find(tx: Tx, ctx: Context, type_id: str) -> Encryption | None:
    """Return how volumes of a type are encrypted, if they are."""
    return store.encryption_of(tx, type_by_id(tx, ctx, type_id).id)


def of_volume(tx: Tx, ctx: Context, volume_id: str) -> tuple[Volume, Encryption | None]:
    """Return a volume, and how it is encrypted."""
    volume = volume_visible(tx, ctx, volume_id)
    return volume, store.encryption_of(tx, volume.type_id)


def new_encryption(tx: Tx, ctx: Context, type_id: str, spec: Mapping[str, Any]) -> Encryption:
    """Have the volumes of a type encrypted."""
    kind = type_by_id(tx, ctx, type_id)
    _check_unused(tx, kind.id, "create")
    if store.encryption_of(tx, kind.id) is not None:
        raise Conflict(f"Volume type encryption for type {kind.id} already exists.")
    made = Encryption(id=new_id(), type_id=kind.id, created_at=clock.now(), **spec)
    store.encryption_insert(tx, made)
    _record(tx, ctx, made, "encryption_create")
    return made


def update(tx: Tx, ctx: Context, type_id: str, changes: Mapping[str, Any]) -> None:
    """Change how they are encrypted."""
    found = _found(tx, ctx, type_id)
    _check_unused(tx, type_id, "update")
    if changes:
        store.encryption_update(tx, type_id, **changes)
    _record(tx, ctx, found, "encryption_update")


def delete(tx: Tx, ctx: Context, type_id: str) -> None:
    """Have them encrypted no more."""
    found = _found(tx, ctx, type_id)
    _check_unused(tx, type_id, "delete")
    store.encryption_delete(tx, type_id)
    _record(tx, ctx, found, "encryption_delete")


def _found(tx: Tx, ctx: Context, type_id: str) -> Encryption:
    found = store.encryption_of(tx, type_by_id(tx, ctx, type_id).id)
    if found is None:
        raise NotFound(f"Volume type encryption for type {type_id} does not exist.")
    return found


def _check_unused(tx: Tx, type_id: str, doing: str) -> None:
    if volumes_of_type(tx, type_id):
        raise Invalid(f"Cannot {doing} encryption specs. Volume type in use.", type_id=type_id)


def _record(tx: Tx, ctx: Context, one: Encryption, action: str) -> None:
    events.record(tx, ctx, resource="volume_type", resource_id=one.type_id, action=action)
