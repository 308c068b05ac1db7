"""Putting a backup into a volume, one that is there or one that is made for it."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, Unavailable
from cumulo.services.volume import backup_pieces, backups, keys, messages, volumes
from cumulo.services.volume.backups import Backup
from cumulo.services.volume.new_volumes import NewVolume
from cumulo.services.volume.store import backups as store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.store.items import BOOTABLE, IMAGE, OF_VOLUME, items_of, items_set
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.create_volume import create_volume
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class RestoreBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Which backup goes into which volume."""

    backup_id: str
    volume_id: str


Run: TypeAlias = _Run[RestoreBackup, VolumeTools]


def restore_backup(
    tx: Tx,
    ctx: Context,
    tools: VolumeTools,
    backup_id: str,
    volume_id: str | None,
    spec: NewVolume | None = None,
) -> Volume:
    """Have a backup put into a volume, made for it if none is named; return the volume."""
    backup = backups.backup_visible(tx, ctx, backup_id)
    if backup.status != "available":
        raise Invalid("Invalid backup: Backup status must be available.")
    if volume_id is None:
        size = max(backup.size_gib, (spec.size_gib or 0) if spec else 0)
        wanted = spec or NewVolume(name=f"restore_backup_{backup_id}")
        noted = items_of(tx, backup_id, OF_VOLUME)
        if backup.encryption_key_id is not None:
            source = volume_store.volume_find(tx, backup.volume_id)
            wanted = msgspec.structs.replace(wanted, type=source.type_id if source else None)
        wanted = msgspec.structs.replace(
            wanted, size_gib=size, metadata={**noted, **wanted.metadata}
        )
        volume = create_volume(tx, ctx, tools, wanted)
        _check_sealed(backup, volume)
    else:
        volume = volumes.volume_visible(tx, ctx, volume_id)
        if volume.size_gib < backup.size_gib:
            raise Invalid(
                f"Invalid volume: Volume size {volume.size_gib} is too small to restore backup "
                f"of size {backup.size_gib}."
            )
        _check_sealed(backup, volume)
        volumes.move_or_refuse(
            tx, volume, "restoring-backup", doing="restore", expected=["available"]
        )
    store.backup_move(tx, backup_id, "restoring", expected=["available"])
    params = RestoreBackup(backup_id=backup_id, volume_id=volume.id)
    start(tx, RESTORE_BACKUP, params, ctx=ctx, subject=f"volume/{volume.id}")
    backups.record(tx, ctx, backup, "restore_begin", volume=volume.id)
    return volume


def _check_sealed(backup: Backup, volume: Volume) -> None:
    """Refuse to let a volume of an encrypted type hold bytes in the open, or the reverse."""
    if (backup.encryption_key_id is None) != (volume.encryption_key_id is None):
        kind = "not encrypted" if backup.encryption_key_id is None else "encrypted"
        raise Invalid(
            f"Invalid volume: backup {backup.id} is {kind}: restore it into a volume that is, too."
        )


def begin(tx: Tx, run: Run) -> None:
    """Keep everyone else from the volume; one that could not be made is an error."""
    volume = volume_store.volume_get(tx, run.params.volume_id)
    if volume.status in ("creating", "downloading"):
        raise Unavailable(f"Volume {volume.id} is still being made.")
    expected = ["available", "restoring-backup"]
    if not volume_store.volume_move(tx, volume.id, "restoring-backup", expected=expected):
        raise Conflict(f"Volume {volume.id} is {volume.status}: nothing can be restored into it.")


def write(run: Run) -> None:
    """Write the whole disk."""
    volume = run.db.read(volume_store.volume_get, run.params.volume_id)
    pieces = backup_pieces.pieces_of(run.tools.backups, run.params.backup_id)
    run.tools.driver(volume.host).overwrite(volume.id, pieces)


def finish(tx: Tx, run: Run) -> None:
    """Say that both can be used."""
    params = run.params
    store.backup_move(tx, params.backup_id, "available", expected=["restoring"])
    values: dict[str, object] = {"backup_id": params.backup_id}
    backup = store.backup_find(tx, params.backup_id)
    before = volume_store.volume_find(tx, params.volume_id)
    if backup is not None and before is not None and backup.encryption_key_id is not None:
        # What it holds now is opened by what opened the backup's volume.
        keys.forget_key(tx, before.encryption_key_id)
        values["encryption_key_id"] = keys.copy_key(tx, backup.encryption_key_id, before.project_id)
    if items_of(tx, params.backup_id, BOOTABLE):
        values["is_bootable"] = True
    if volume_store.volume_move(
        tx, params.volume_id, "available", expected=["restoring-backup"], values=values
    ):
        items_set(tx, params.volume_id, IMAGE, items_of(tx, params.backup_id, IMAGE))
        volume = volume_store.volume_get(tx, params.volume_id)
        volumes.record(tx, run, volume, "restore", backup=params.backup_id)


def give_up(run: Run) -> None:
    """Put the volume in error: nobody knows what it holds."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params = run.params
    error = run.error or Failure("Interrupted", "The restoration was interrupted.")
    store.backup_move(tx, params.backup_id, "available", expected=["restoring"])
    volume = volume_store.volume_find(tx, params.volume_id)
    if volume is None or error == CANCELLED:
        return
    expected = ["restoring-backup"]
    if volume_store.volume_move(tx, volume.id, "error_restoring", expected=expected):
        messages.tell(
            tx,
            run,
            run.tools.settings,
            volume.project_id,
            ("volume", volume.id),
            event="VOLUME_BACKUP_014_001",
            words=f"restore backup:{error.message}",
        )
        volumes.record(tx, run, volume, "error", reason=error.message)


RESTORE_BACKUP = Workflow(
    "volume.restore_backup",
    RestoreBackup,
    [Write(begin), Step(write), Write(finish)],
    failed=give_up,
)
