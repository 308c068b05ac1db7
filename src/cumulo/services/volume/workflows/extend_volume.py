"""Making a volume larger, whether a server has it or not."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.volume import messages, quotas, volumes
from cumulo.services.volume.store import attachments, backends, tables
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class ExtendVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume, from and to what size."""

    volume_id: str
    old_gib: int
    new_gib: int
    status: str  # to go back to


Run: TypeAlias = _Run[ExtendVolume, VolumeTools]


def extend_volume(
    tx: Tx, ctx: Context, tools: VolumeTools, volume_id: str, new_gib: int, *, in_use: bool
) -> None:
    """Count what is added and have the volume grow; `in_use` if also while a server has it."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    if new_gib <= volume.size_gib:
        raise Invalid(
            f"Invalid input received: New size for extend must be greater than current size. "
            f"(current: {volume.size_gib}, extended: {new_gib}).",
            field="new_size",
        )
    expected = ["available", "in-use"] if in_use else ["available"]
    volumes.move_or_refuse(
        tx,
        volume,
        "extending",
        doing="extend",
        expected=expected,
        values={"previous_status": volume.status},
    )
    more = new_gib - volume.size_gib
    quotas.check_size(tx, tools.settings.quota, volume.project_id, new_gib)
    wanted = {"gigabytes": more}
    quotas.claim(tx, tools.settings.quota, volume.project_id, wanted, volume.type_id)
    if volume.host is None or not backends.room_take(tx, volume.host, more):
        raise Invalid(f"Invalid volume: {volume.host} has no room for {more} GiB more.")
    params = ExtendVolume(
        volume_id=volume_id, old_gib=volume.size_gib, new_gib=new_gib, status=volume.status
    )
    start(tx, EXTEND_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}")
    volumes.record(tx, ctx, volume, "extend_begin", size=new_gib)


def grow(run: Run) -> None:
    """Let it be larger in the back end."""
    volume = run.db.read(store.volume_get, run.params.volume_id)
    run.tools.driver(volume.host).extend(volume.id, run.params.new_gib)


def tell_servers(run: Run) -> None:
    """Let the guests that have it see its new size."""
    params = run.params
    for one in run.db.read(attachments.attachments_of, params.volume_id):
        if one.server_id is not None:
            run.tools.servers.resize_volume(run, one.server_id, params.volume_id, params.new_gib)


def finish(tx: Tx, run: Run) -> None:
    """Say that it is larger."""
    params = run.params
    values = {"size_gib": params.new_gib}
    if store.volume_move(
        tx, params.volume_id, params.status, expected=["extending"], values=values
    ):
        volume = store.volume_get(tx, params.volume_id)
        volumes.record(tx, run, volume, "extend", size=params.new_gib)


def give_up(run: Run) -> None:
    """Give back what was counted; the size it has is the old one to everyone."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params = run.params
    volume = store.volume_find(tx, params.volume_id)
    if volume is None or not _failed_now(tx, volume.id):
        return
    error = run.error or Failure("Interrupted", "The extension was interrupted.")
    more = params.new_gib - params.old_gib
    quotas.release(tx, volume.project_id, {"gigabytes": more}, volume.type_id)
    backends.room_give_back(tx, volume.host or "", more)
    messages.tell(
        tx,
        run,
        run.tools.settings,
        volume.project_id,
        ("volume", volume.id),
        event="VOLUME_007_004",
        words=f"extend volume:{error.message}",
    )
    volumes.record(tx, run, volume, "error", reason=error.message)


def _failed_now(tx: Tx, volume_id: str) -> bool:
    """Note that it failed; say whether that was not noted before."""
    if store.volume_move(tx, volume_id, "error_extending", expected=["extending"]):
        return True
    overtaken = tables.volume.c.previous_status == "extending"  # by a forced deletion
    values = {"previous_status": None}
    return store.volume_move(
        tx, volume_id, "deleting", expected=["deleting"], also=[overtaken], values=values
    )


EXTEND_VOLUME = Workflow(
    "volume.extend_volume",
    ExtendVolume,
    [Step(grow), Step(tell_servers), Write(finish)],
    failed=give_up,
)
