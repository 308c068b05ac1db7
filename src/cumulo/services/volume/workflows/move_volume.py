"""A volume of another type, or in another back end: copied there if it has to be."""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.kit.units import GIB
from cumulo.services.volume import messages, quotas, volumes
from cumulo.services.volume.backends import backend_get
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.scheduler import NoValidBackend, Request, choose, refusal
from cumulo.services.volume.store import backends as backend_store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import types as type_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import specs_of, type_visible
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run


class MoveVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume, of which type it is to be, and where."""

    volume_id: str
    old_pool: str
    status: str  # to go back to
    new_type: str
    pool: str | None = None  # only there
    may_copy: bool = True


class Placed(msgspec.Struct, frozen=True):
    """Where it goes; the same place if nothing has to be copied."""

    pool: str


Run: TypeAlias = _Run[MoveVolume, VolumeTools]


def retype_volume(
    tx: Tx, ctx: Context, tools: VolumeTools, volume_id: str, new_type: str, *, may_copy: bool
) -> None:
    """Have a volume be of another type, whatever happens to this process."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    kind = type_visible(tx, ctx, new_type)
    if kind.id == volume.type_id:
        raise Invalid(f"Invalid input received: New volume_type same as original: {kind.name}.")
    is_multiattach = kind.extra_specs.get("multiattach", "").lower() == "<is> true"
    if is_multiattach != volume.is_multiattach and volume.status != "available":
        raise Invalid(
            "Invalid volume_type passed: Retyping between multiattach and not is possible for a "
            "volume that is available only."
        )
    if is_multiattach:
        ctx.require("volume:multiattach")
    encryption = [type_store.encryption_of(tx, one) for one in (volume.type_id, kind.id)]
    if any(one is not None for one in encryption):
        raise Invalid("Invalid volume type: encrypted volumes cannot be retyped.")
    values = {"previous_status": volume.status}
    expected = ["available", "in-use"]
    volumes.move_or_refuse(tx, volume, "retyping", doing="retype", expected=expected, values=values)
    counted = {"volumes": 1, "gigabytes": volume.size_gib}
    # Of the new type now, of the old one until it is done.
    quotas.claim_of_type(tx, tools.settings.quota, volume.project_id, counted, kind.id)
    params = MoveVolume(
        volume_id=volume_id,
        old_pool=volume.host or "",
        status=volume.status,
        new_type=kind.id,
        may_copy=may_copy,
    )
    start(tx, MOVE_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}")
    volumes.record(tx, ctx, volume, "retype_begin", type=kind.name)


def migrate_volume(tx: Tx, ctx: Context, volume_id: str, host: str, *, lock: bool) -> None:
    """Have a volume moved to another back end, whatever happens to this process."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    target = backend_get(tx, host)
    if target.pool == volume.host:
        raise Invalid(f"Invalid host: {host} is where the volume is: name another.", field="host")
    if snapshot_store.snapshots_of(tx, volume_id):
        raise Invalid("Invalid volume: a volume with snapshots cannot be migrated.")
    to = "maintenance" if lock else "available"
    values = {"previous_status": volume.status, "migration_status": "migrating"}
    volumes.move_or_refuse(tx, volume, to, doing="migrate", expected=["available"], values=values)
    params = MoveVolume(
        volume_id=volume_id,
        old_pool=volume.host or "",
        status="available",
        new_type=volume.type_id,
        pool=target.pool,
    )
    start(tx, MOVE_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}")
    volumes.record(tx, ctx, volume, "migrate_begin", host=target.pool)


def place(tx: Tx, run: Run) -> Placed:
    """Leave it where it is if that will do, else choose a back end and take the room there."""
    params, volume = run.params, store.volume_get(tx, run.params.volume_id)
    if volume.moving_to is not None:
        return Placed(volume.moving_to)
    request = Request(size_gib=volume.size_gib, specs=specs_of(tx, params.new_type))
    if params.pool is None:
        why = refusal(backend_get(tx, params.old_pool), request)
        if why is None:
            return Placed(params.old_pool)
        if not params.may_copy:
            raise NoValidBackend(f"Retype requires migration but is not allowed: {why}.")
        if params.status != "available" or snapshot_store.snapshots_of(tx, volume.id):
            raise NoValidBackend(f"A volume in use or with snapshots cannot be moved: {why}.")
    request = msgspec.structs.replace(
        request, only=params.pool, excluded={params.old_pool: "it is there already"}
    )
    pool = choose(tx, request).pool
    store.volume_update(tx, volume.id, moving_to=pool)
    return Placed(pool)


def unplace(run: Run) -> None:
    """Give the room back."""
    run.db.write(_unplace, run.params.volume_id)


def _unplace(tx: Tx, volume_id: str) -> None:
    volume = store.volume_find(tx, volume_id)
    if volume is not None and volume.moving_to is not None:
        store.volume_update(tx, volume_id, moving_to=None)
        backend_store.room_give_back(tx, volume.moving_to, volume.size_gib)


def copy(run: Run) -> None:
    """Copy it there, if it is to be elsewhere."""
    pool, volume = run.result_of(place).pool, run.db.read(store.volume_get, run.params.volume_id)
    if pool != run.params.old_pool:
        run.tools.driver(pool).create(volume.id, volume.size_gib)
        run.tools.driver(pool).overwrite(volume.id, _pieces(run, volume))


def _pieces(run: Run, volume: Volume) -> Iterator[tuple[int, bytes]]:
    offset = 0
    source = Source(volume_id=volume.id)
    for piece in run.tools.driver(run.params.old_pool).read(source, 0, volume.size_gib * GIB):
        yield offset, piece
        offset += len(piece)


def discard(run: Run) -> None:
    """Remove the copy."""
    placed = run.find_result_of(place)
    if placed is not None and placed.pool != run.params.old_pool:
        run.tools.driver(placed.pool).delete(run.params.volume_id)


def switch(tx: Tx, run: Run) -> None:
    """Say of which type it is now, and where."""
    params, pool = run.params, run.result_of(place).pool
    volume = store.volume_get(tx, params.volume_id)
    if volume.type_id != params.new_type:
        counted = {"volumes": 1, "gigabytes": volume.size_gib}
        quotas.release_of_type(tx, volume.project_id, counted, volume.type_id)
    if pool != volume.host:
        backend_store.room_give_back(tx, params.old_pool, volume.size_gib)
    specs = specs_of(tx, params.new_type)
    store.volume_update(
        tx,
        volume.id,
        status=params.status,
        type_id=params.new_type,
        host=pool,
        moving_to=None,
        migration_status="success" if params.pool is not None else volume.migration_status,
        is_multiattach=specs.get("multiattach", "").lower() == "<is> true",
    )
    volumes.record(tx, run, volume, "moved", host=pool)


def leave(run: Run) -> None:
    """Remove it from where it was."""
    if run.result_of(place).pool != run.params.old_pool:
        run.tools.driver(run.params.old_pool).delete(run.params.volume_id)


def give_up(run: Run) -> None:
    """Leave the volume as it was, and say why."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params = run.params
    error = run.error or Failure("Interrupted", "The move was interrupted.")
    volume = store.volume_find(tx, params.volume_id)
    if volume is None or volume.previous_status is None:
        return
    if volume.type_id != params.new_type:
        counted = {"volumes": 1, "gigabytes": volume.size_gib}
        quotas.release_of_type(tx, volume.project_id, counted, params.new_type)
    values: dict[str, object] = {"previous_status": None}
    if params.pool is not None:
        values["migration_status"] = "error"
    store.volume_update(tx, volume.id, **values)
    store.volume_move(tx, volume.id, params.status, expected=["retyping", "maintenance"])
    if error != CANCELLED:
        messages.tell(
            tx,
            run,
            run.tools.settings,
            volume.project_id,
            ("volume", volume.id),
            event="VOLUME_001_001",
            words=f"retype or migrate volume:{error.message}",
        )


MOVE_VOLUME = Workflow(
    "volume.move_volume",
    MoveVolume,
    [Write(place, undo=unplace), Step(copy, undo=discard), Write(switch), Step(leave)],
    failed=give_up,
)
