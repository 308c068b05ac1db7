"""Group types: what an operator offers; their specs say what groups of them can."""

from collections.abc import Mapping

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.volume.store import groups as store
from cumulo.services.volume.store.groups import GroupType as GroupType
from cumulo.services.volume.store.items import SPECS, items_delete, items_set
from cumulo.services.volume.volume_types import check_specs
from cumulo.work import events


def type_visible(tx: Tx, ctx: Context, id_or_name: str) -> GroupType:
    """Return a type that the caller may use; others do not exist."""
    found = store.type_find(tx, id_or_name)
    if found is None or not (found.is_public or ctx.is_admin):
        raise NotFound(f"Group type {id_or_name} could not be found.", group_type_id=id_or_name)
    return found


def list_types(tx: Tx, ctx: Context) -> list[GroupType]:
    """Return the types that the caller may use, newest first."""
    return [one for one in store.type_list(tx) if one.is_public or ctx.is_admin]


def new_type(
    tx: Tx,
    ctx: Context,
    *,
    name: str,
    description: str | None,
    is_public: bool,
    specs: dict[str, str],
) -> GroupType:
    """Record a type."""
    _check_name_free(tx, name)
    check_specs(specs)
    made = GroupType(
        id=ids.new_id(),
        name=name,
        description=description,
        is_public=is_public,
        created_at=clock.now(),
        specs=specs,
    )
    store.type_insert(tx, made)
    items_set(tx, made.id, SPECS, specs)
    _record(tx, ctx, made, "create")
    return made


def update_type(tx: Tx, ctx: Context, type_id: str, changes: Mapping[str, object]) -> GroupType:
    """Change name, description or whether everyone may use it."""
    before = type_visible(tx, ctx, type_id)
    if changes.get("name") not in (None, before.name):
        _check_name_free(tx, str(changes["name"]))
    store.type_update(tx, before.id, **changes)
    after = type_visible(tx, ctx, before.id)
    _record(tx, ctx, after, "update")
    return after


def delete_type(tx: Tx, ctx: Context, type_id: str) -> None:
    """Forget a type that no group is of."""
    gone = type_visible(tx, ctx, type_id)
    if store.is_type_used(tx, gone.id):
        raise Invalid("Target group type is still in use: delete its groups first.")
    store.type_delete(tx, gone.id)
    items_delete(tx, gone.id, SPECS)
    _record(tx, ctx, gone, "delete")


def set_specs(tx: Tx, ctx: Context, type_id: str, specs: dict[str, str]) -> None:
    """Add or change specs."""
    changed = type_visible(tx, ctx, type_id)
    check_specs(specs)
    items_set(tx, changed.id, SPECS, specs)
    _record(tx, ctx, changed, "update")


def spec_of(tx: Tx, ctx: Context, type_id: str, key: str) -> str:
    """Return the value of a spec."""
    found = type_visible(tx, ctx, type_id).specs
    if key not in found:
        raise NotFound(f"Group Type {type_id} has no specs with key {key}.")
    return found[key]


def delete_spec(tx: Tx, ctx: Context, type_id: str, key: str) -> None:
    """Remove a spec."""
    spec_of(tx, ctx, type_id, key)
    changed = type_visible(tx, ctx, type_id)
    items_delete(tx, changed.id, SPECS, [key])
    _record(tx, ctx, changed, "update")


def _check_name_free(tx: Tx, name: str) -> None:
    found = store.type_find(tx, name)
    if found is not None and found.name == name:
        raise Conflict(f"Group Type {name} already exists.", field="name")


def _record(tx: Tx, ctx: Context, changed: GroupType, action: str) -> None:
    events.record(
        tx, ctx, resource="group_type", resource_id=changed.id, action=action, after=changed
    )
