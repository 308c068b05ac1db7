"""Backups: what a volume held, kept apart from every back end; full, or what changed since."""

import base64
from collections.abc import Mapping

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.volume import keys, quotas, volumes
from cumulo.services.volume.settings import Quotas
from cumulo.services.volume.snapshots import snapshot_visible
from cumulo.services.volume.store import backups as store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store.backups import Backup as Backup
from cumulo.services.volume.store.items import (
    BOOTABLE,
    IMAGE,
    METADATA,
    OF_VOLUME,
    items_forget,
    items_map,
    items_of,
    items_set,
)
from cumulo.services.volume.store.listing import Wanted
from cumulo.work import Caller, events

_STATUSES = ("available", "error")


class NewBackup(msgspec.Struct, frozen=True, kw_only=True):
    """The backup somebody wants; `force` also of a volume that a server has."""

    volume_id: str
    name: str | None = None
    description: str | None = None
    container: str | None = None
    is_incremental: bool = False
    force: bool = False
    snapshot_id: str | None = None
    availability_zone: str | None = None
    metadata: dict[str, str] = {}


class Whole(msgspec.Struct, frozen=True):
    """Backups with all that is shown of them."""

    backups: list[Backup]
    items: Mapping[tuple[str, str], dict[str, str]]
    parents: set[str]  # those that others build on


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told of a backup so that another cloud with the same store can have it."""

    id: str
    volume_id: str
    size_gib: int
    object_count: int
    name: str | None = None
    description: str | None = None
    parent_id: str | None = None


def backup_visible(tx: Tx, ctx: Context, backup_id: str) -> Backup:
    """Return a backup the caller may know of; to anyone else it does not exist."""
    found = store.backup_find(tx, backup_id)
    if found is None or (found.project_id != ctx.project_id and not ctx.is_admin):
        raise NotFound(f"Backup {backup_id} could not be found.", backup_id=backup_id)
    return found


def backup_get(tx: Tx, backup_id: str) -> Backup:
    """Return a backup, whoever owns it."""
    found = store.backup_find(tx, backup_id)
    if found is None:
        raise NotFound(f"Backup {backup_id} could not be found.", backup_id=backup_id)
    return found


def show(tx: Tx, ctx: Context, backup_id: str) -> Whole:
    """Return one backup with all that is shown of it."""
    return _whole(tx, [backup_visible(tx, ctx, backup_id)])


def list_backups(tx: Tx, wanted: Wanted) -> Whole:
    """Return a page of backups with all that is shown of them."""
    return _whole(tx, store.backup_list(tx, wanted))


def count_backups(tx: Tx, wanted: Wanted) -> int:
    """Return how many backups all pages hold."""
    return store.backup_count(tx, wanted)


def _whole(tx: Tx, found: list[Backup]) -> Whole:
    return Whole(found, items_map(tx, [one.id for one in found]), store.parents(tx))


def new_backup(tx: Tx, ctx: Context, defaults: Quotas, wanted: NewBackup) -> Backup:
    """Record a backup that is being made, and count it."""
    volume = volumes.volume_visible(tx, ctx, wanted.volume_id)
    volumes.check_metadata(wanted.metadata)
    project_id = ctx.project_id or volume.project_id  # an administrator's is not its owner's
    parent = _parent_of(tx, volume.id, project_id) if wanted.is_incremental else None
    moment = clock.now()
    if wanted.snapshot_id is not None:
        moment = _begin_of_snapshot(tx, ctx, wanted).created_at
    else:
        expected = ["available", "in-use"] if wanted.force else ["available"]
        values = {"previous_status": volume.status}
        volumes.move_or_refuse(
            tx, volume, "backing-up", doing="back up", expected=expected, values=values
        )
    counted = {"backups": 1, "backup_gigabytes": volume.size_gib}
    quotas.claim(tx, defaults, project_id, counted)
    backup = Backup(
        id=new_id(),
        volume_id=volume.id,
        project_id=project_id,
        user_id=ctx.user_id,
        name=wanted.name,
        description=wanted.description,
        container=wanted.container,
        size_gib=volume.size_gib,
        status="creating",
        parent_id=parent.id if parent else None,
        snapshot_id=wanted.snapshot_id,
        encryption_key_id=_key_of(tx, volume, project_id),
        availability_zone=wanted.availability_zone or volume.availability_zone,
        data_timestamp=moment,
        created_at=clock.now(),
    )
    store.backup_insert(tx, backup)
    _note(tx, backup, wanted.metadata, is_bootable=volume.is_bootable)
    record(tx, ctx, backup, "create", volume=volume.id)
    return backup


def _parent_of(tx: Tx, volume_id: str, project_id: str) -> Backup:
    parent = store.latest_of(tx, volume_id, project_id)
    if parent is None:
        raise Invalid("Invalid backup: No backups available to do an incremental backup.")
    return parent


def _key_of(tx: Tx, volume: volumes.Volume, project_id: str) -> str | None:
    key_id = volume.encryption_key_id
    return keys.copy_key(tx, key_id, project_id) if key_id is not None else None


def _note(tx: Tx, backup: Backup, metadata: dict[str, str], *, is_bootable: bool) -> None:
    items_set(tx, backup.id, METADATA, metadata)
    items_set(tx, backup.id, OF_VOLUME, items_of(tx, backup.volume_id, METADATA))
    items_set(tx, backup.id, IMAGE, items_of(tx, backup.volume_id, IMAGE))
    if is_bootable:
        items_set(tx, backup.id, BOOTABLE, {BOOTABLE: "true"})


def _begin_of_snapshot(tx: Tx, ctx: Context, wanted: NewBackup) -> "snapshot_store.Snapshot":
    snapshot = snapshot_visible(tx, ctx, wanted.snapshot_id or "")
    if snapshot.volume_id != wanted.volume_id:
        raise Invalid(f"Invalid snapshot: {snapshot.id} is not of volume {wanted.volume_id}.")
    if not snapshot_store.snapshot_move(tx, snapshot.id, "backing-up", expected=["available"]):
        raise Invalid(
            f"Invalid snapshot: Snapshot to be backed up must be available, but the current "
            f"status is {snapshot.status}."
        )
    return snapshot


def update_backup(
    tx: Tx,
    ctx: Context,
    backup_id: str,
    changes: Mapping[str, object],
    metadata: dict[str, str] | None,
) -> None:
    """Change name, description or metadata."""
    found = backup_visible(tx, ctx, backup_id)
    store.backup_update(tx, backup_id, **changes)
    if metadata is not None:
        volumes.check_metadata(metadata)
        items_set(tx, backup_id, METADATA, metadata, replace=True)
    record(tx, ctx, found, "update", **changes)


def begin_delete(tx: Tx, ctx: Context, backup_id: str, *, force: bool = False) -> None:
    """Let a backup be deleted from now on, unless others build on it."""
    found = backup_visible(tx, ctx, backup_id)
    if backup_id in store.parents(tx):
        raise Invalid("Invalid backup: Incremental backups exist for this backup.")
    expected = [found.status] if force else ["available", "error"]
    if not store.backup_move(tx, backup_id, "deleting", expected=expected):
        raise Invalid("Invalid backup: Backup status must be available or error.")
    record(tx, ctx, found, "delete_begin")


def reset_status(tx: Tx, ctx: Context, backup_id: str, status: str) -> None:
    """Let an administrator say what the status is, whatever it was."""
    found = backup_visible(tx, ctx, backup_id)
    if status not in _STATUSES:
        raise Invalid(
            f"Invalid input for field/attribute status: '{status[:40]}' is not one of "
            f"{', '.join(_STATUSES)}.",
            field="status",
        )
    store.backup_update(tx, backup_id, status=status)
    record(tx, ctx, found, "reset_status", status=status)


def forget(tx: Tx, caller: Caller, backup_id: str) -> None:
    """Give back what a deleted backup counted for, and forget it; also for the second time."""
    found = store.backup_find(tx, backup_id)
    if found is not None:
        items_forget(tx, [backup_id])
        keys.forget_key(tx, found.encryption_key_id)
        store.backup_delete(tx, backup_id)
        counted = {"backups": 1, "backup_gigabytes": found.size_gib}
        quotas.release(tx, found.project_id, counted)
        record(tx, caller, found, "delete")


def export_record(tx: Tx, ctx: Context, backup_id: str) -> str:
    """Tell of a backup what another cloud must know."""
    found = backup_visible(tx, ctx, backup_id)
    if found.status != "available":
        raise Invalid("Invalid backup: Backup status must be available.")
    if found.encryption_key_id is not None:
        raise Invalid(f"Invalid backup: {backup_id} is encrypted, and its key stays in this cloud.")
    told = Record(
        id=found.id,
        volume_id=found.volume_id,
        size_gib=found.size_gib,
        object_count=found.object_count,
        name=found.name,
        description=found.description,
        parent_id=found.parent_id,
    )
    return base64.b64encode(msgspec.json.encode(told)).decode()


def read_record(text: str) -> Record:
    """Read what another cloud told."""
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=Record)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid("Invalid input received: Can't parse backup record.") from error


def import_record(tx: Tx, ctx: Context, defaults: Quotas, told: Record) -> Backup:
    """Have a backup that another cloud made in the same store, and count it."""
    if store.backup_find(tx, told.id) is not None:
        raise Invalid(f"Invalid backup: Backup {told.id} is there already.")
    if told.parent_id is not None and store.backup_find(tx, told.parent_id) is None:
        raise Invalid(f"Invalid backup: import {told.parent_id} first, which it builds on.")
    project_id = ctx.project_id or ""
    counted = {"backups": 1, "backup_gigabytes": told.size_gib}
    quotas.claim(tx, defaults, project_id, counted)
    now = clock.now()
    backup = Backup(
        id=told.id,
        volume_id=told.volume_id,
        project_id=project_id,
        user_id=ctx.user_id,
        name=told.name,
        description=told.description,
        container=None,
        size_gib=told.size_gib,
        status="available",
        parent_id=told.parent_id,
        snapshot_id=None,
        object_count=told.object_count,
        availability_zone=None,
        data_timestamp=now,
        created_at=now,
    )
    store.backup_insert(tx, backup)
    record(tx, ctx, backup, "import")
    return backup


def record(tx: Tx, caller: Caller | None, backup: Backup, action: str, **after: object) -> None:
    """Log a change of a backup."""
    events.record(
        tx,
        caller,
        resource="backup",
        resource_id=backup.id,
        action=action,
        before={"status": backup.status, "size": backup.size_gib},
        after=after,
        project_id=backup.project_id,
    )
