"""Removing a snapshot."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.volume import groups, messages, snapshots
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.store import snapshots as store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class DeleteSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshot to remove."""

    snapshot_id: str
    volume_id: str


Run: TypeAlias = _Run[DeleteSnapshot, VolumeTools]


def delete_snapshot(tx: Tx, ctx: Context, snapshot_id: str, *, force: bool = False) -> None:
    """Have a snapshot deleted, whatever happens to this process."""
    snapshots.begin_delete(tx, ctx, snapshot_id, force=force)
    remove_snapshot(tx, ctx, snapshot_id)


def remove_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> None:
    """Have a snapshot removed that is called deleting already."""
    snapshot = store.snapshot_get(tx, snapshot_id)
    params = DeleteSnapshot(snapshot_id=snapshot_id, volume_id=snapshot.volume_id)
    start(tx, DELETE_SNAPSHOT, params, ctx=ctx, subject=f"volume/{snapshot.volume_id}")


def remove(run: Run) -> None:
    """Remove what was kept."""
    volume = run.db.read(volume_store.volume_find, run.params.volume_id)
    if volume is not None and volume.host is not None:
        source = Source(volume_id=run.params.volume_id, snapshot_id=run.params.snapshot_id)
        run.tools.driver(volume.host).delete_snapshot(source)


def forget(tx: Tx, run: Run) -> None:
    """Give back the quota."""
    snapshots.forget(tx, run, run.params.snapshot_id)


def give_up(run: Run) -> None:
    """Say that it could not be deleted, and why."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    error = run.error or Failure("Interrupted", "The deletion was interrupted.")
    snapshot = store.snapshot_find(tx, run.params.snapshot_id)
    if snapshot is None or error == CANCELLED:
        return
    if store.snapshot_move(tx, snapshot.id, "error_deleting", expected=["deleting"]):
        messages.tell(
            tx,
            run,
            run.tools.settings,
            snapshot.project_id,
            ("volume_snapshot", snapshot.id),
            event="VOLUME_SNAPSHOT_012_007",
            words=f"delete snapshot:{error.message}",
        )
        groups.settle_snapshot(tx, snapshot.group_snapshot_id)
        snapshots.record(tx, run, snapshot, "error", reason=error.message)


DELETE_SNAPSHOT = Workflow(
    "volume.delete_snapshot", DeleteSnapshot, [Step(remove), Write(forget)], failed=give_up
)
