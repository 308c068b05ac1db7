"""Taking in what a back end holds already, and letting go of what is ours without its bytes."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.volume import managing, messages, quotas, snapshots, volumes
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.managing import Adoption
from cumulo.services.volume.store import backends as backend_store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.snapshots import Snapshot
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class Manage(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume or snapshot it is to be, and what it is called where it lies."""

    volume_id: str
    snapshot_id: str | None = None
    pool: str
    reference: str


class Unmanage(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume or snapshot to let go."""

    volume_id: str
    snapshot_id: str | None = None
    pool: str


class Size(msgspec.Struct, frozen=True):
    """How large it was found to be."""

    gib: int


Run: TypeAlias = _Run[Manage, VolumeTools]
RunOfUnmanage: TypeAlias = _Run[Unmanage, VolumeTools]


def manage_volume(tx: Tx, ctx: Context, tools: VolumeTools, wanted: Adoption) -> Volume:
    """Have a volume taken in, whatever happens to this process."""
    made = managing.new_volume(tx, ctx, tools, wanted)
    params = Manage(volume_id=made.id, pool=made.host or "", reference=wanted.reference)
    start(tx, MANAGE, params, ctx=ctx, subject=f"volume/{made.id}")
    return made


def manage_snapshot(tx: Tx, ctx: Context, tools: VolumeTools, wanted: Adoption) -> Snapshot:
    """Have a snapshot taken in, whatever happens to this process."""
    made = managing.new_snapshot(tx, ctx, tools, wanted)
    pool = store.volume_get(tx, made.volume_id).host or ""
    params = Manage(
        volume_id=made.volume_id, snapshot_id=made.id, pool=pool, reference=wanted.reference
    )
    start(tx, MANAGE, params, ctx=ctx, subject=f"volume/{made.volume_id}")
    return made


def unmanage_volume(tx: Tx, ctx: Context, tools: VolumeTools, volume_id: str) -> None:
    """Have a volume let go, whatever happens to this process."""
    volume = managing.begin_release_volume(tx, ctx, tools, volume_id)
    params = Unmanage(volume_id=volume_id, pool=volume.host or "")
    start(tx, UNMANAGE, params, ctx=ctx, subject=f"volume/{volume_id}")


def unmanage_snapshot(tx: Tx, ctx: Context, tools: VolumeTools, snapshot_id: str) -> None:
    """Have a snapshot let go, whatever happens to this process."""
    found = managing.begin_release_snapshot(tx, ctx, tools, snapshot_id)
    pool = store.volume_get(tx, found.volume_id).host or ""
    params = Unmanage(volume_id=found.volume_id, snapshot_id=snapshot_id, pool=pool)
    start(tx, UNMANAGE, params, ctx=ctx, subject=f"volume/{found.volume_id}")


def adopt(run: Run) -> Size:
    """Let it be ours."""
    target = Source(volume_id=run.params.volume_id, snapshot_id=run.params.snapshot_id)
    return Size(managing.adopting(run.tools, run.params.pool).adopt(target, run.params.reference))


def give_back(run: Run) -> None:
    """Let it be nobody's again."""
    target = Source(volume_id=run.params.volume_id, snapshot_id=run.params.snapshot_id)
    managing.adopting(run.tools, run.params.pool).release(target, run.params.reference)


def count(tx: Tx, run: Run) -> None:
    """Count it, and say that it can be used."""
    params, size = run.params, run.result_of(adopt).gib
    defaults = run.tools.settings.quota
    values: dict[str, object] = {"size_gib": size, "consumes_quota": True}
    if params.snapshot_id is not None:
        kept = snapshot_store.snapshot_get(tx, params.snapshot_id)
        if snapshot_store.snapshot_move(
            tx, kept.id, "available", expected=["creating"], progress="100%", **values
        ):
            counted = {"snapshots": 1, "gigabytes": size}
            quotas.claim(tx, defaults, kept.project_id, counted, kept.type_id)
            snapshots.record(tx, run, kept, "manage")
        return
    volume = store.volume_get(tx, params.volume_id)
    if store.volume_move(tx, volume.id, "available", expected=["managing"], values=values):
        counted = {"volumes": 1, "gigabytes": size}
        quotas.claim(tx, defaults, volume.project_id, counted, volume.type_id)
        backend_store.room_give_back(tx, params.pool, -size)  # it is taken, whether there is or not
        volumes.record(tx, run, volume, "manage", size=size)


def uncount(run: Run) -> None:
    """Give back what it counted for, if it was counted."""
    run.db.write(_uncount, run.params)


def _uncount(tx: Tx, params: Manage) -> None:
    values: dict[str, object] = {"size_gib": 0, "consumes_quota": False}
    if params.snapshot_id is not None:
        kept = snapshot_store.snapshot_find(tx, params.snapshot_id)
        if kept is not None and kept.consumes_quota:
            snapshot_store.snapshot_update(tx, kept.id, status="creating", consumes_quota=False)
            counted = {"snapshots": 1, "gigabytes": kept.size_gib}
            quotas.release(tx, kept.project_id, counted, kept.type_id)
        return
    volume = store.volume_find(tx, params.volume_id)
    if volume is not None and volume.consumes_quota:
        store.volume_update(tx, volume.id, status="managing", **values)
        counted = {"volumes": 1, "gigabytes": volume.size_gib}
        quotas.release(tx, volume.project_id, counted, volume.type_id)
        backend_store.room_give_back(tx, params.pool, volume.size_gib)


def not_taken_in(run: Run) -> None:
    """Say why it could not be taken in."""
    run.db.write(_not_taken_in, run)


def _not_taken_in(tx: Tx, run: Run) -> None:
    params = run.params
    error = run.error or Failure("Interrupted", "Taking it in was interrupted.")
    if error == CANCELLED:
        return
    project_id, subject = None, ("volume", params.volume_id)
    if params.snapshot_id is not None:
        kept = snapshot_store.snapshot_find(tx, params.snapshot_id)
        subject = ("volume_snapshot", params.snapshot_id)
        if kept is not None and snapshot_store.snapshot_move(
            tx, kept.id, "error", expected=["creating"]
        ):
            project_id = kept.project_id
    else:
        volume = store.volume_find(tx, params.volume_id)
        if volume is not None and store.volume_move(
            tx, volume.id, "error_managing", expected=["managing"], values={"host": None}
        ):
            project_id = volume.project_id
    if project_id is not None:
        words = f"manage existing volume:{error.message}"
        settings = run.tools.settings
        messages.tell(tx, run, settings, project_id, subject, event="VOLUME_015_001", words=words)


def release(run: RunOfUnmanage) -> None:
    """Let it be nobody's."""
    target = Source(volume_id=run.params.volume_id, snapshot_id=run.params.snapshot_id)
    managing.adopting(run.tools, run.params.pool).release(target)


def forget(tx: Tx, run: RunOfUnmanage) -> None:
    """Give back what it counted for."""
    if run.params.snapshot_id is not None:
        snapshots.forget(tx, run, run.params.snapshot_id)
    else:
        volumes.forget(tx, run, run.params.volume_id)


def not_let_go(run: RunOfUnmanage) -> None:
    """Say that it could not be let go."""
    run.db.write(_not_let_go, run.params)


def _not_let_go(tx: Tx, params: Unmanage) -> None:
    if params.snapshot_id is not None:
        move = snapshot_store.snapshot_move
        move(tx, params.snapshot_id, "error", expected=["unmanaging"])
    else:
        store.volume_move(tx, params.volume_id, "error_unmanaging", expected=["unmanaging"])


MANAGE = Workflow(
    "volume.manage",
    Manage,
    [Step(adopt, undo=give_back), Write(count, undo=uncount)],
    failed=not_taken_in,
)
UNMANAGE = Workflow("volume.unmanage", Unmanage, [Step(release), Write(forget)], failed=not_let_go)
