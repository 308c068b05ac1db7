"""Letting a volume hold again what its latest snapshot kept."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.volume import volumes
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows import broken_volumes
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, Write, start


class RevertVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume, to which snapshot."""

    volume_id: str
    snapshot_id: str


Run: TypeAlias = _Run[RevertVolume, VolumeTools]


def revert_volume(tx: Tx, ctx: Context, volume_id: str, snapshot_id: str | None) -> None:
    """Have a volume hold what its latest snapshot kept, whatever happens to this process."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    found = snapshot_store.snapshots_of(tx, volume_id)
    if not found:
        raise Invalid(f"Volume {volume_id} doesn't have any snapshots.")
    latest = found[-1]
    if latest.id != snapshot_id:
        raise Invalid(
            f"Specified snapshot {snapshot_id} is None or not the latest one of volume {volume_id}."
        )
    if latest.size_gib != volume.size_gib:
        raise Invalid(
            f"Can't revert volume {volume_id} to its latest snapshot {snapshot_id}. The volume "
            "size must be equal to the snapshot size."
        )
    if not snapshot_store.snapshot_move(tx, latest.id, "restoring", expected=["available"]):
        raise Conflict(
            f"Invalid snapshot: {snapshot_id} must be available, but is {latest.status}."
        )
    if not store.volume_move(tx, volume_id, "reverting", expected=["available"]):
        raise Conflict(f"Invalid volume: {volume_id} must be available, but is {volume.status}.")
    params = RevertVolume(volume_id=volume_id, snapshot_id=latest.id)
    start(tx, REVERT_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}")
    volumes.record(tx, ctx, volume, "revert_begin", snapshot=latest.id)


def restore(run: Run) -> None:
    """Put the bytes back."""
    volume = run.db.read(store.volume_get, run.params.volume_id)
    source = Source(volume_id=volume.id, snapshot_id=run.params.snapshot_id)
    run.tools.driver(volume.host).revert(source)


def finish(tx: Tx, run: Run) -> None:
    """Say that both can be used again."""
    params = run.params
    snapshot_store.snapshot_move(tx, params.snapshot_id, "available", expected=["restoring"])
    if store.volume_move(tx, params.volume_id, "available", expected=["reverting"]):
        volumes.record(tx, run, store.volume_get(tx, params.volume_id), "revert")


def give_up(run: Run) -> None:
    """Put the volume in error: nobody knows what it holds."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params = run.params
    snapshot_store.snapshot_move(tx, params.snapshot_id, "available", expected=["restoring"])
    told = ("VOLUME_011_001", "revert to snapshot", "The reversion was interrupted.")
    broken_volumes.give_up(tx, run, params.volume_id, "reverting", told)


REVERT_VOLUME = Workflow(
    "volume.revert_volume", RevertVolume, [Step(restore), Write(finish)], failed=give_up
)
