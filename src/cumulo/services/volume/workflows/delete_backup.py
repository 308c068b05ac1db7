"""Removing a backup."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.volume import backups
from cumulo.services.volume.store import backups as store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class DeleteBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Which backup to remove."""

    backup_id: str


Run: TypeAlias = _Run[DeleteBackup, VolumeTools]


def delete_backup(tx: Tx, ctx: Context, backup_id: str, *, force: bool = False) -> None:
    """Have a backup deleted, whatever happens to this process."""
    backups.begin_delete(tx, ctx, backup_id, force=force)
    params = DeleteBackup(backup_id=backup_id)
    start(tx, DELETE_BACKUP, params, ctx=ctx, subject=f"backup/{backup_id}")


def remove(run: Run) -> None:
    """Remove what is kept."""
    run.tools.backups.delete(run.params.backup_id)


def forget(tx: Tx, run: Run) -> None:
    """Give back the quota."""
    backups.forget(tx, run, run.params.backup_id)


def give_up(run: Run) -> None:
    """Say that it could not be deleted, and why."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    error = run.error or Failure("Interrupted", "The deletion was interrupted.")
    if error != CANCELLED:
        store.backup_move(
            tx,
            run.params.backup_id,
            "error_deleting",
            expected=["deleting"],
            fail_reason=error.message,
        )


DELETE_BACKUP = Workflow(
    "volume.delete_backup", DeleteBackup, [Step(remove), Write(forget)], failed=give_up
)
