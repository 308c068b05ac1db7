"""Host aggregates; one with the metadata `availability_zone` puts its hosts into that zone."""

from collections.abc import Mapping

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import CloudError, Conflict, Invalid, NotFound
from cumulo.services.compute.services import COMPUTE
from cumulo.services.compute.store import aggregates as store
from cumulo.services.compute.store import hypervisors as hypervisor_rows
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.store.aggregates import Aggregate as Aggregate
from cumulo.services.placement import public as placement
from cumulo.work import events

_ZONE = "availability_zone"


def aggregate_get(tx: Tx, aggregate_id: int) -> Aggregate:
    """Return an aggregate; only operations for administrators ask for one."""
    return store.aggregate_get(tx, aggregate_id)


def list_aggregates(tx: Tx, *, host: str | None = None) -> list[Aggregate]:
    """Return all aggregates, or those with a host."""
    return store.aggregate_list(tx, host=host)


def new_aggregate(tx: Tx, ctx: Context, name: str, zone: str | None) -> Aggregate:
    """Record an aggregate, as yet without hosts."""
    _check_name_free(tx, name)
    aggregate_id = store.aggregate_add(tx, name)
    if zone:
        store.aggregate_set_metadata(tx, aggregate_id, {_ZONE: zone})
    return _changed(tx, ctx, aggregate_id, "create", None)


def update_aggregate(
    tx: Tx, ctx: Context, aggregate_id: int, *, name: str | None, zone: Mapping[str, str | None]
) -> Aggregate:
    """Change the name or, when `zone` holds one, the availability zone."""
    before = store.aggregate_get(tx, aggregate_id)
    if name is not None and name != before.name:
        _check_name_free(tx, name)
        store.aggregate_rename(tx, aggregate_id, name)
    _check_zone(tx, before, zone, "update aggregate")
    store.aggregate_set_metadata(tx, aggregate_id, zone)
    return _changed(tx, ctx, aggregate_id, "update", before)


def set_metadata(
    tx: Tx, ctx: Context, aggregate_id: int, metadata: Mapping[str, str | None]
) -> Aggregate:
    """Add or change metadata; a key with None goes."""
    before = store.aggregate_get(tx, aggregate_id)
    _check_zone(tx, before, metadata, "update metadata of aggregate")
    store.aggregate_set_metadata(tx, aggregate_id, metadata)
    return _changed(tx, ctx, aggregate_id, "update", before)


def delete_aggregate(tx: Tx, ctx: Context, aggregate_id: int) -> None:
    """Remove an aggregate that has no hosts."""
    before = store.aggregate_get(tx, aggregate_id)
    if not store.aggregate_delete(tx, aggregate_id):
        raise _refusal(Invalid, "remove host from", before, "Host aggregate is not empty")
    _record(tx, ctx, "delete", before, None)


def add_host(tx: Tx, ctx: Context, aggregate_id: int, host: str) -> Aggregate:
    """Put a host into an aggregate, in placement too."""
    _check_host(tx, host)
    before = store.aggregate_get(tx, aggregate_id)
    if host in before.hosts:
        raise Conflict(f"Aggregate {aggregate_id} already has host {host}.", host=host)
    if before.availability_zone is not None:
        _check_other_zones(tx, before, [host], before.availability_zone, "add host to aggregate")
        _check_guests_stay(tx, before, host, "add host to aggregate")
    store.aggregate_add_host(tx, aggregate_id, host)
    if provider := hypervisor_rows.hypervisor_find(tx, host):
        placement.change_aggregates(tx, provider.uuid, add=[before.uuid])
    return _changed(tx, ctx, aggregate_id, "add_host", before)


def remove_host(tx: Tx, ctx: Context, aggregate_id: int, host: str) -> Aggregate:
    """Take a host out of an aggregate, in placement too."""
    before = store.aggregate_get(tx, aggregate_id)
    if host not in before.hosts:
        raise NotFound(f"Cannot remove host {host} in aggregate {aggregate_id}", host=host)
    if before.availability_zone is not None:
        _check_guests_stay(tx, before, host, "remove host from aggregate")
    store.aggregate_remove_host(tx, aggregate_id, host)
    if provider := hypervisor_rows.hypervisor_find(tx, host):
        placement.change_aggregates(tx, provider.uuid, remove=[before.uuid])
    return _changed(tx, ctx, aggregate_id, "remove_host", before)


def _check_name_free(tx: Tx, name: str) -> None:
    if store.aggregate_named(tx, name):
        raise Conflict(f"Aggregate {name} already exists.", name=name)


def _check_host(tx: Tx, host: str) -> None:
    if service_rows.service_find(tx, host, COMPUTE) is None:
        raise NotFound(f"Compute host {host} could not be found.", host=host)


def _check_zone(
    tx: Tx, aggregate: Aggregate, metadata: Mapping[str, str | None], doing: str
) -> None:
    """Refuse a zone that is empty, at odds with another, or under the feet of guests."""
    if _ZONE not in metadata:
        return
    zone = metadata[_ZONE]
    if not zone:
        reason = f"Aggregate {aggregate.name} does not support empty named availability zone"
        raise _refusal(Invalid, doing, aggregate, reason)
    _check_other_zones(tx, aggregate, aggregate.hosts, zone, doing, kind=Invalid)
    occupied = [host for host in aggregate.hosts if _guests(tx, host)]
    if occupied and zone != aggregate.availability_zone:
        reason = f"One or more hosts contain instances in this zone: {', '.join(occupied)}"
        raise _refusal(Invalid, doing, aggregate, reason)


def _check_other_zones(
    tx: Tx,
    aggregate: Aggregate,
    hosts: list[str],
    zone: str,
    doing: str,
    kind: type[CloudError] = Conflict,
) -> None:
    """Refuse to let a host be in two zones."""
    others = {
        other.availability_zone
        for host in hosts
        for other in store.aggregate_list(tx, host=host)
        if other.id != aggregate.id and other.availability_zone not in (None, zone)
    }
    if others:
        reason = f"One or more hosts already in availability zone(s) {sorted(map(str, others))}"
        raise _refusal(kind, doing, aggregate, reason)


def _check_guests_stay(tx: Tx, aggregate: Aggregate, host: str, doing: str) -> None:
    """Refuse to move the guests of a host from one zone into another."""
    guests = _guests(tx, host)
    zones = {
        other.availability_zone
        for other in store.aggregate_list(tx, host=host)
        if other.id != aggregate.id
    }
    if guests and aggregate.availability_zone not in zones:
        reason = (
            f"The host already has {guests} instance(s), whose availability zone would change. "
            "Move them away and try again"
        )
        raise _refusal(Conflict, doing, aggregate, reason)


def _guests(tx: Tx, host: str) -> int:
    return len(hypervisor_rows.guests_on(tx, [host])[host])


def _refusal(kind: type[CloudError], doing: str, aggregate: Aggregate, reason: str) -> CloudError:
    return kind(f"Cannot {doing} {aggregate.id}. Reason: {reason}.", aggregate_id=aggregate.id)


def _changed(
    tx: Tx, ctx: Context, aggregate_id: int, action: str, before: Aggregate | None
) -> Aggregate:
    if before is not None:
        store.aggregate_touch(tx, aggregate_id)
    after = store.aggregate_get(tx, aggregate_id)
    _record(tx, ctx, action, before, after)
    return after


def _record(
    tx: Tx, ctx: Context, action: str, before: Aggregate | None, after: Aggregate | None
) -> None:
    aggregate = after or before
    assert aggregate is not None
    events.record(
        tx,
        ctx,
        resource="aggregate",
        resource_id=str(aggregate.id),
        action=action,
        before=before,
        after=after,
    )
