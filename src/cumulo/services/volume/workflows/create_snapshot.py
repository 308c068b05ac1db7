"""Taking a snapshot of a volume."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.volume import groups, messages, snapshots
from cumulo.services.volume.attachments import wake_servers
from cumulo.services.volume.contents import keep_now
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.snapshots import NewSnapshot, Snapshot, new_snapshot
from cumulo.services.volume.store import snapshots as store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class CreateSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshot to take."""

    snapshot_id: str
    volume_id: str


Run: TypeAlias = _Run[CreateSnapshot, VolumeTools]


def create_snapshot(tx: Tx, ctx: Context, tools: VolumeTools, spec: NewSnapshot) -> Snapshot:
    """Record a snapshot and have it taken, whatever happens to this process."""
    snapshot = new_snapshot(tx, ctx, tools.settings.quota, spec)
    params = CreateSnapshot(snapshot_id=snapshot.id, volume_id=snapshot.volume_id)
    start(tx, CREATE_SNAPSHOT, params, ctx=ctx, subject=f"volume/{snapshot.volume_id}")
    return snapshot


def take(run: Run) -> None:
    """Keep what the volume holds."""
    volume = run.db.read(volume_store.volume_get, run.params.volume_id)
    keep_now(run.tools, volume, _source(run))


def drop(run: Run) -> None:
    """Remove what was kept."""
    volume = run.db.read(volume_store.volume_find, run.params.volume_id)
    if volume is not None and volume.host is not None:
        run.tools.driver(volume.host).delete_snapshot(_source(run))


def _source(run: Run) -> Source:
    return Source(volume_id=run.params.volume_id, snapshot_id=run.params.snapshot_id)


def finish(tx: Tx, run: Run) -> None:
    """Say that it can be used."""
    snapshot_id = run.params.snapshot_id
    if store.snapshot_move(tx, snapshot_id, "available", expected=["creating"], progress="100%"):
        snapshot = store.snapshot_get(tx, snapshot_id)
        groups.settle_snapshot(tx, snapshot.group_snapshot_id)
        wake_servers(tx, snapshot.volume_id)
        snapshots.record(tx, run, snapshot, "available")


def give_up(run: Run) -> None:
    """Put the snapshot in error and say why."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    error = run.error or Failure("Interrupted", "The snapshot was interrupted.")
    snapshot = store.snapshot_find(tx, run.params.snapshot_id)
    if snapshot is None or error == CANCELLED:
        return
    if store.snapshot_move(tx, snapshot.id, "error", expected=["creating"]):
        messages.tell(
            tx,
            run,
            run.tools.settings,
            snapshot.project_id,
            ("volume_snapshot", snapshot.id),
            event="VOLUME_SNAPSHOT_008_001",
            words=f"create snapshot:{error.message}",
        )
        groups.settle_snapshot(tx, snapshot.group_snapshot_id)
        wake_servers(tx, snapshot.volume_id)
        snapshots.record(tx, run, snapshot, "error", reason=error.message)


CREATE_SNAPSHOT = Workflow(
    "volume.create_snapshot", CreateSnapshot, [Step(take, undo=drop), Write(finish)], failed=give_up
)
