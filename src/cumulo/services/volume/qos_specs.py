"""QoS specs: limits on what goes to and from the volumes of a type.

The hosts that volumes are attached to enforce them, whoever is named as the consumer: what goes to
a back end goes through a host's QEMU.
"""

from collections.abc import Collection, Mapping

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.volume.store import qos_specs as store
from cumulo.services.volume.store import types as type_store
from cumulo.services.volume.store.items import SPECS, items_delete, items_set
from cumulo.services.volume.store.qos_specs import QosSpecs as QosSpecs
from cumulo.services.volume.volume_types import VolumeType, check_specs, type_by_id
from cumulo.work import events

_PER_GIB = "_per_gb"
_CONSUMERS = ("back-end", "both", "front-end")


def qos_get(tx: Tx, qos_id: str) -> QosSpecs:
    """Return specs; only operations for administrators ask for them."""
    found = store.qos_find(tx, qos_id)
    if found is None:
        raise NotFound(f"No such qos spec {qos_id}.", qos_id=qos_id)
    return found


def list_qos(tx: Tx) -> list[QosSpecs]:
    """Return all, newest first."""
    return store.qos_list(tx)


def new_qos(tx: Tx, ctx: Context, name: str, specs: Mapping[str, str]) -> QosSpecs:
    """Record specs; `consumer` among them says who enforces them."""
    if any(one.name == name for one in store.qos_list(tx)):
        raise Conflict(f"QoS Specs {name} already exists.", field="name")
    rest = dict(specs)
    consumer = _checked_consumer(rest.pop("consumer", "back-end"))
    check_specs(rest)
    made = QosSpecs(
        id=ids.new_id(), name=name, consumer=consumer, created_at=clock.now(), specs=rest
    )
    store.qos_insert(tx, made)
    items_set(tx, made.id, SPECS, rest)
    _record(tx, ctx, made, "create")
    return made


def set_keys(tx: Tx, ctx: Context, qos_id: str, specs: Mapping[str, str]) -> None:
    """Add or change keys."""
    found, rest = qos_get(tx, qos_id), dict(specs)
    if "consumer" in rest:
        store.qos_update(tx, qos_id, _checked_consumer(rest.pop("consumer")))
    check_specs(rest)
    items_set(tx, qos_id, SPECS, rest)
    _record(tx, ctx, found, "update")


def delete_keys(tx: Tx, ctx: Context, qos_id: str, keys: Collection[str]) -> None:
    """Remove keys, which must be there."""
    found = qos_get(tx, qos_id)
    for key in keys:
        if key not in found.specs:
            raise NotFound(f"QoS spec {qos_id} has no spec with key {key}.")
    items_delete(tx, qos_id, SPECS, keys)
    _record(tx, ctx, found, "update")


def delete_qos(tx: Tx, ctx: Context, qos_id: str, *, force: bool) -> None:
    """Forget specs; those that types are associated with only by `force`."""
    found = qos_get(tx, qos_id)
    types = type_store.types_with_qos(tx, qos_id)
    if types and not force:
        raise Invalid(
            f"QoS Specs {qos_id} is still associated with entities: disassociate it from "
            f"{', '.join(one.name for one in types)} first."
        )
    for one in types:
        type_store.type_update(tx, one.id, qos_specs_id=None)
    items_delete(tx, qos_id, SPECS)
    store.qos_delete(tx, qos_id)
    _record(tx, ctx, found, "delete")


def associations(tx: Tx, qos_id: str) -> list[VolumeType]:
    """Return the types whose volumes are limited so."""
    return type_store.types_with_qos(tx, qos_get(tx, qos_id).id)


def associate(tx: Tx, ctx: Context, qos_id: str, type_id: str) -> None:
    """Limit the volumes of a type."""
    found, kind = qos_get(tx, qos_id), type_by_id(tx, ctx, type_id)
    if kind.qos_specs_id not in (None, qos_id):
        raise Invalid(
            f"Invalid volume type: Type {type_id} is already associated with another qos specs: "
            f"{kind.qos_specs_id}"
        )
    type_store.type_update(tx, type_id, qos_specs_id=qos_id)
    _record(tx, ctx, found, "associate")


def disassociate(tx: Tx, ctx: Context, qos_id: str, type_id: str | None) -> None:
    """Limit the volumes of a type no more, or of no type."""
    found = qos_get(tx, qos_id)
    if type_id is not None:
        type_by_id(tx, ctx, type_id)
    for one in type_store.types_with_qos(tx, qos_id):
        if type_id in (None, one.id):
            type_store.type_update(tx, one.id, qos_specs_id=None)
    _record(tx, ctx, found, "disassociate")


def limits_of(tx: Tx, type_id: str, size_gib: int) -> dict[str, int]:
    """Return the limits that a host is to hold a volume of a type to, by QEMU's names.

    Those for each GiB are told for the whole, but never less than their `_min`.
    """
    kind = type_store.type_find(tx, type_id)
    if kind is None or kind.qos_specs_id is None:
        return {}
    specs = qos_get(tx, kind.qos_specs_id).specs
    numbers = {key: int(value) for key, value in specs.items() if value.isdigit()}
    limits = {key: value for key, value in numbers.items() if _PER_GIB not in key}
    for key, value in numbers.items():
        if key.endswith(_PER_GIB):
            limits[key.removesuffix(_PER_GIB)] = max(value * size_gib, numbers.get(f"{key}_min", 0))
    return limits


def _checked_consumer(consumer: str) -> str:
    if consumer not in _CONSUMERS:
        raise Invalid(
            f"Invalid qos specs: Valid consumer of QoS specs are: {', '.join(_CONSUMERS)}",
            field="consumer",
        )
    return consumer


def _record(tx: Tx, ctx: Context, qos: QosSpecs, action: str) -> None:
    events.record(tx, ctx, resource="qos_specs", resource_id=qos.id, action=action, after=qos)
