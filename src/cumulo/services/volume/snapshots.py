"""Snapshots: what a volume held at one moment."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.volume import groups, quotas
from cumulo.services.volume.settings import Quotas
from cumulo.services.volume.store import snapshots as store
from cumulo.services.volume.store.items import (
    METADATA,
    items_delete,
    items_forget,
    items_map,
    items_of,
    items_set,
)
from cumulo.services.volume.store.listing import Wanted
from cumulo.services.volume.store.snapshots import Snapshot as Snapshot
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.volumes import check_metadata, volume_visible
from cumulo.work import Caller, events

_STATUSES = ("available", "creating", "deleting", "error", "error_deleting")


class NewSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot somebody wants; `force` also of a volume that a server uses."""

    volume_id: str
    name: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    force: bool = False
    group_snapshot_id: str | None = None


class Whole(msgspec.Struct, frozen=True):
    """Snapshots with all that is shown of them."""

    snapshots: list[Snapshot]
    items: Mapping[tuple[str, str], dict[str, str]]


def snapshot_visible(tx: Tx, ctx: Context, snapshot_id: str) -> Snapshot:
    """Return a snapshot the caller may know of; to anyone else it does not exist."""
    snapshot = store.snapshot_get(tx, snapshot_id)
    if snapshot.project_id == ctx.project_id or ctx.is_admin:
        return snapshot
    raise NotFound(f"Snapshot {snapshot_id} could not be found.", snapshot_id=snapshot_id)


def show(tx: Tx, ctx: Context, snapshot_id: str) -> Whole:
    """Return one snapshot with all that is shown of it."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    return Whole([snapshot], items_map(tx, [snapshot.id]))


def list_snapshots(tx: Tx, wanted: Wanted) -> Whole:
    """Return a page of snapshots with all that is shown of them."""
    found = store.snapshot_list(tx, wanted)
    return Whole(found, items_map(tx, [one.id for one in found]))


def count_snapshots(tx: Tx, wanted: Wanted) -> int:
    """Return how many snapshots all pages hold."""
    return store.snapshot_count(tx, wanted)


def new_snapshot(tx: Tx, ctx: Context, defaults: Quotas, spec: NewSnapshot) -> Snapshot:
    """Record a snapshot that is being taken, and count it."""
    volume = volume_visible(tx, ctx, spec.volume_id)
    check_metadata(spec.metadata)
    allowed = ("available", "in-use") if spec.force else ("available",)
    if volume.status not in allowed or volume.migration_status in ("migrating", "starting"):
        raise Invalid(
            f"Invalid volume: Volume {volume.id} status must be {' or '.join(allowed)}, but "
            f"current status is: {volume.status}."
        )
    wanted = {"snapshots": 1, "gigabytes": volume.size_gib}
    quotas.claim(tx, defaults, volume.project_id, wanted, volume.type_id)
    snapshot = insert(tx, ctx, volume, spec)
    record(tx, ctx, snapshot, "create", volume=volume.id)
    return snapshot


def insert(tx: Tx, ctx: Context, volume: Volume, spec: NewSnapshot, **more: Any) -> Snapshot:
    """Write down a snapshot of a volume with its metadata; `more` are fields of its row."""
    snapshot = Snapshot(
        id=new_id(),
        volume_id=volume.id,
        project_id=volume.project_id,
        user_id=ctx.user_id,
        size_gib=volume.size_gib,
        status="creating",
        type_id=volume.type_id,
        created_at=clock.now(),
        name=spec.name,
        description=spec.description,
        encryption_key_id=volume.encryption_key_id,
        group_snapshot_id=spec.group_snapshot_id,
        **more,
    )
    store.snapshot_insert(tx, snapshot)
    items_set(tx, snapshot.id, METADATA, spec.metadata)
    return snapshot


def update_snapshot(tx: Tx, ctx: Context, snapshot_id: str, changes: Mapping[str, object]) -> None:
    """Change name or description."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    store.snapshot_update(tx, snapshot_id, **changes)
    record(tx, ctx, snapshot, "update", **changes)


def metadata_of(tx: Tx, ctx: Context, snapshot_id: str) -> dict[str, str]:
    """Return a snapshot's metadata."""
    return items_of(tx, snapshot_visible(tx, ctx, snapshot_id).id, METADATA)


def set_metadata(
    tx: Tx, ctx: Context, snapshot_id: str, metadata: dict[str, str], *, replace: bool
) -> dict[str, str]:
    """Add or change metadata, or replace it; return all of it."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    check_metadata(metadata)
    items_set(tx, snapshot_id, METADATA, metadata, replace=replace)
    record(tx, ctx, snapshot, "update", metadata=metadata)
    return items_of(tx, snapshot_id, METADATA)


def delete_metadata(tx: Tx, ctx: Context, snapshot_id: str, key: str) -> None:
    """Remove one key."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    if not items_delete(tx, snapshot_id, METADATA, [key]):
        raise NotFound(f"Snapshot {snapshot_id} has no metadata with key {key}.")
    record(tx, ctx, snapshot, "update", removed=key)


def begin_delete(tx: Tx, ctx: Context, snapshot_id: str, *, force: bool = False) -> Snapshot:
    """Let a snapshot be deleted from now on."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    expected = [snapshot.status] if force else ["available", "error"]
    if snapshot.group_snapshot_id is not None or not store.snapshot_move(
        tx, snapshot_id, "deleting", expected=expected
    ):
        raise Invalid(
            "Invalid snapshot: Snapshot status must be available or error and snapshot must not "
            f"be part of a group: {snapshot_id} is {snapshot.status}."
        )
    record(tx, ctx, snapshot, "delete_begin")
    return snapshot


def reset_status(tx: Tx, ctx: Context, snapshot_id: str, status: str) -> None:
    """Let an administrator say what the status is, whatever it was."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    if status not in _STATUSES:
        raise Invalid(
            f"Invalid input for field/attribute status. Value: {status[:40]}. "
            f"'{status[:40]}' is not one of {', '.join(_STATUSES)}.",
            field="status",
        )
    store.snapshot_update(tx, snapshot_id, status=status)
    record(tx, ctx, snapshot, "reset_status", status=status)


def report_status(
    tx: Tx, ctx: Context, snapshot_id: str, status: str, progress: str | None
) -> None:
    """Take the word of whoever takes the snapshot for how far it is."""
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    allowed = {
        "creating": ("creating", "available", "error"),
        "deleting": ("deleting", "error_deleting"),
    }
    if status not in allowed.get(snapshot.status, ()):
        raise Invalid(
            f"Provided snapshot status {status} not allowed for snapshot with status "
            f"{snapshot.status}.",
            field="status",
        )
    values: dict[str, object] = {"progress": progress} if progress is not None else {}
    if status == "available":
        values["progress"] = "100%"
    store.snapshot_update(tx, snapshot_id, status=status, **values)
    record(tx, ctx, snapshot, "update", status=status)


def forget(tx: Tx, caller: Caller, snapshot_id: str) -> None:
    """Give back what a deleted snapshot counted for, and forget it; also for the second time."""
    snapshot = store.snapshot_find(tx, snapshot_id)
    if snapshot is None:
        return
    items_forget(tx, [snapshot_id])
    store.snapshot_delete(tx, snapshot_id)
    groups.settle_snapshot(tx, snapshot.group_snapshot_id)
    if snapshot.consumes_quota:
        given_back = {"snapshots": 1, "gigabytes": snapshot.size_gib}
        quotas.release(tx, snapshot.project_id, given_back, snapshot.type_id)
    record(tx, caller, snapshot, "delete")


def record(tx: Tx, caller: Caller | None, snapshot: Snapshot, action: str, **after: object) -> None:
    """Log a change of a snapshot."""
    events.record(
        tx,
        caller,
        resource="snapshot",
        resource_id=snapshot.id,
        action=action,
        before={"status": snapshot.status, "size": snapshot.size_gib},
        after=after,
        project_id=snapshot.project_id,
    )
