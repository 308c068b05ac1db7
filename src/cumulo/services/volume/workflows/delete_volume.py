"""From a volume, with its snapshots if that was asked, to nothing."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.volume import groups, messages, snapshots, volumes
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class DeleteVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume to remove."""

    volume_id: str


Run: TypeAlias = _Run[DeleteVolume, VolumeTools]


def delete_volume(
    tx: Tx, ctx: Context, volume_id: str, *, cascade: bool = False, force: bool = False
) -> None:
    """Have a volume deleted, whatever happens to this process."""
    volumes.begin_delete(tx, ctx, volume_id, cascade=cascade, force=force)
    remove_volume(tx, ctx, volume_id)


def remove_volume(tx: Tx, ctx: Context, volume_id: str) -> None:
    """Have a volume removed that is called deleting already."""
    params = DeleteVolume(volume_id=volume_id)
    start(tx, DELETE_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}", cancel=True)


def remove(run: Run) -> None:
    """Remove the bytes: of the snapshots, then of the volume."""
    volume = run.db.read(store.volume_find, run.params.volume_id)
    if volume is None or volume.host is None:
        return
    driver = run.tools.driver(volume.host)
    for snapshot in run.db.read(snapshot_store.snapshots_of, volume.id):
        driver.delete_snapshot(Source(volume_id=volume.id, snapshot_id=snapshot.id))
    driver.delete(volume.id)


def forget(tx: Tx, run: Run) -> None:
    """Give back the room and the quota."""
    for snapshot in snapshot_store.snapshots_of(tx, run.params.volume_id):
        snapshots.forget(tx, run, snapshot.id)
    volumes.forget(tx, run, run.params.volume_id)


def give_up(run: Run) -> None:
    """Say that it could not be deleted, and why."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    volume = store.volume_find(tx, run.params.volume_id)
    error = run.error or Failure("Interrupted", "The deletion was interrupted.")
    if volume is None or error == CANCELLED:  # a later deletion took its place
        return
    store.volume_move(tx, volume.id, "error_deleting", expected=["deleting"])
    groups.settle(tx, run, volume.group_id)
    for snapshot in snapshot_store.snapshots_of(tx, volume.id):
        snapshot_store.snapshot_move(tx, snapshot.id, "error_deleting", expected=["deleting"])
    messages.tell(
        tx,
        run,
        run.tools.settings,
        volume.project_id,
        ("volume", volume.id),
        event="VOLUME_010_006",
        words=f"delete volume:{error.message}",
    )
    volumes.record(tx, run, volume, "error", reason=error.message)


DELETE_VOLUME = Workflow(
    "volume.delete_volume", DeleteVolume, [Step(remove), Write(forget)], failed=give_up
)
