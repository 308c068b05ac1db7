"""A volume of another type, or in another back end: copied there if it has to be."""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.units import GIB
from cumulo.services.volume import messages, quotas, volumes
from cumulo.services.volume.attachments import settle
from cumulo.services.volume.backends import backend_get
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.scheduler import NoValidBackend, Request, choose, refusal
from cumulo.services.volume.secrets import reaches
from cumulo.services.volume.store import backends as backend_store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.attachments import attachments_of
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import specs_of
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write
from cumulo.work import Run as _Run


class MoveVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume, of which type it is to be, and where."""

    volume_id: str
    old_pool: str
    status: str  # to go back to
    new_type: str
    pool: str | None = None  # only there
    may_copy: bool = True
    server_id: str | None = None  # whose guest has it


class Placed(msgspec.Struct, frozen=True):
    """Where it goes; the same place if nothing has to be copied."""

    pool: str


Run: TypeAlias = _Run[MoveVolume, VolumeTools]


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
        is_held = params.status != "available" and params.server_id is None
        if is_held or snapshot_store.snapshots_of(tx, volume.id):
            raise NoValidBackend(
                f"A volume with snapshots, or that several have, cannot be moved: {why}."
            )
    excluded = {**_out_of_reach(tx, run), params.old_pool: "it is there already"}
    request = msgspec.structs.replace(request, only=params.pool, excluded=excluded)
    pool = choose(tx, request).pool
    store.volume_update(tx, volume.id, moving_to=pool)
    return Placed(pool)


def _out_of_reach(tx: Tx, run: Run) -> dict[str, str]:
    """Return the back ends that the host of the volume's server does not reach, and why."""
    found: dict[str, str] = {}
    for one in attachments_of(tx, run.params.volume_id):
        for backend in backend_store.backend_list(tx):
            if one.host_name and not reaches(run.tools, one.host_name, backend.pool):
                found[backend.pool] = f"{one.host_name}, which has the volume, reaches no files"
    return found


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
        run.tools.driver(pool).overwrite(volume.id, pieces(run, volume))


def pieces(run: Run, volume: Volume) -> Iterator[tuple[int, bytes]]:
    """Yield what the volume holds where it was, each piece with its offset."""
    offset = 0
    source = Source(volume_id=volume.id)
    for piece in run.tools.driver(run.params.old_pool).read(source, 0, volume.size_gib * GIB):
        yield offset, piece
        offset += len(piece)


def discard(run: Run) -> None:
    """Remove it from where it is not."""
    params, placed = run.params, run.find_result_of(place)
    volume = run.db.read(store.volume_find, params.volume_id)
    if placed is not None and placed.pool != params.old_pool:
        is_there = volume is not None and volume.host == placed.pool
        run.tools.driver(params.old_pool if is_there else placed.pool).delete(params.volume_id)


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
        previous_status=None,  # from here on there is nothing to go back to
        migration_status="success" if pool != params.old_pool else volume.migration_status,
        is_multiattach=specs.get("multiattach", "").lower() == "<is> true",
    )
    settle(tx, volume.id)  # those who have it may have let it go meanwhile
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
    placed = run.find_result_of(place)
    if params.pool is not None or (placed is not None and placed.pool != params.old_pool):
        values["migration_status"] = "error"
    store.volume_update(tx, volume.id, **values)
    store.volume_move(tx, volume.id, params.status, expected=["retyping", "maintenance"])
    settle(tx, volume.id)
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
