"""Making a backup of a volume, or of one of its snapshots."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.units import GIB
from cumulo.services.volume import backup_pieces, backups, messages
from cumulo.services.volume.backups import Backup, NewBackup
from cumulo.services.volume.contents import keep_now
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.store import backups as store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class CreateBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Which backup to make."""

    backup_id: str
    status: str  # of the volume, to go back to


class Kept(msgspec.Struct, frozen=True):
    """How many pieces are kept anew."""

    count: int


Run: TypeAlias = _Run[CreateBackup, VolumeTools]


def create_backup(tx: Tx, ctx: Context, tools: VolumeTools, wanted: NewBackup) -> Backup:
    """Record a backup and have it made, whatever happens to this process."""
    before = volume_store.volume_find(tx, wanted.volume_id)
    made = backups.new_backup(tx, ctx, tools.settings.quota, wanted)
    params = CreateBackup(backup_id=made.id, status=before.status if before else "available")
    start(tx, CREATE_BACKUP, params, ctx=ctx, subject=f"volume/{made.volume_id}")
    return made


def copy(run: Run) -> Kept:
    """Keep what the volume holds, or what changed of it."""
    backup = _backup(run)
    volume = run.db.read(volume_store.volume_get, backup.volume_id)
    driver = run.tools.driver(volume.host)
    source = Source(volume_id=volume.id, snapshot_id=backup.snapshot_id)
    if run.params.status == "in-use":  # what is being written is kept as it is at one moment
        source = _passing(backup)
        keep_now(run.tools, volume, source)
    content = driver.read(source, 0, backup.size_gib * GIB)
    keeper = run.tools.backups
    parent = backup_pieces.index_of(keeper, backup.parent_id) if backup.parent_id else None
    kept = Kept(backup_pieces.keep(keeper, backup.id, backup.size_gib, content, parent))
    driver.delete_snapshot(_passing(backup))
    return kept


def _passing(backup: Backup) -> Source:
    """Name a snapshot that nobody sees, for as long as the backup is made."""
    return Source(volume_id=backup.volume_id, snapshot_id=backup.id)


def _backup(run: Run) -> Backup:
    return run.db.read(backups.backup_get, run.params.backup_id)


def discard(run: Run) -> None:
    """Remove what was kept."""
    run.tools.backups.delete(run.params.backup_id)
    backup = run.db.read(store.backup_find, run.params.backup_id)
    if backup is not None:
        volume = run.db.read(volume_store.volume_find, backup.volume_id)
        if volume is not None:
            run.tools.driver(volume.host).delete_snapshot(_passing(backup))


def finish(tx: Tx, run: Run) -> None:
    """Say that it can be used, and the volume too."""
    backup = backups.backup_get(tx, run.params.backup_id)
    count = run.result_of(copy).count
    if store.backup_move(tx, backup.id, "available", expected=["creating"], object_count=count):
        backups.record(tx, run, backup, "available")
    _let_go(tx, run, backup)


def _let_go(tx: Tx, run: Run, backup: Backup) -> None:
    if backup.snapshot_id is not None:
        move = snapshot_store.snapshot_move
        move(tx, backup.snapshot_id, "available", expected=["backing-up"])
    else:
        to = run.params.status
        volume_store.volume_move(tx, backup.volume_id, to, expected=["backing-up"])


def give_up(run: Run) -> None:
    """Put the backup in error and say why; the volume is none the worse."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    error = run.error or Failure("Interrupted", "The backup was interrupted.")
    backup = store.backup_find(tx, run.params.backup_id)
    if backup is None:
        return
    _let_go(tx, run, backup)
    values = {"fail_reason": error.message}
    expected = ["creating", "available"]
    if store.backup_move(tx, backup.id, "error", expected=expected, **values):
        messages.tell(
            tx,
            run,
            run.tools.settings,
            backup.project_id,
            ("volume_backup", backup.id),
            event="VOLUME_BACKUP_013_001",
            words=f"create backup:{error.message}",
        )
        backups.record(tx, run, backup, "error", reason=error.message)


CREATE_BACKUP = Workflow(
    "volume.create_backup", CreateBackup, [Step(copy, undo=discard), Write(finish)], failed=give_up
)
