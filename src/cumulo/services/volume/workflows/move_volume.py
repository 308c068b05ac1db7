"""A volume of another type, or in another back end: copied there if it has to be."""

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.kit.units import GIB
from cumulo.services.volume import keys, messages, quotas, recryption, volumes
from cumulo.services.volume.attachments import settle
from cumulo.services.volume.backends import backend_get
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.recryption import Wanted
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
    """Where it goes, and how it is encrypted there if otherwise.

    If that is where it is, as it is, nothing has to be copied.
    """

    pool: str
    recrypted: Wanted | None = None


Run: TypeAlias = _Run[MoveVolume, VolumeTools]


def place(tx: Tx, run: Run) -> Placed:
    """Leave it where it is if that will do, else choose a back end and take the room there."""
    params, volume = run.params, store.volume_get(tx, run.params.volume_id)
    recrypts = recryption.differ(tx, volume.type_id, params.new_type)
    if volume.moving_to is not None:
        found = Wanted(type_id=params.new_type, key_id=volume.moving_key_id)
        return Placed(volume.moving_to, found if recrypts else None)
    request = Request(size_gib=volume.size_gib, specs=specs_of(tx, params.new_type))
    if params.pool is None:
        why = refusal(backend_get(tx, params.old_pool), request)
        if why is None and recrypts:
            why = "the types are encrypted in different ways"
        if why is None:
            return Placed(params.old_pool)
        if not params.may_copy:
            raise NoValidBackend(f"Retype requires migration but is not allowed: {why}.")
        is_held = params.status != "available" and params.server_id is None
        if is_held or snapshot_store.snapshots_of(tx, volume.id):
            raise NoValidBackend(
                f"A volume with snapshots, or that several have, cannot be moved: {why}."
            )
    pool = _chosen(tx, run, request, may_stay=recrypts)
    recrypted = recryption.want(tx, run.tools, volume, params.new_type) if recrypts else None
    key_id = recrypted.key_id if recrypted is not None else None
    store.volume_update(tx, volume.id, moving_to=pool, moving_key_id=key_id)
    return Placed(pool, recrypted)


def _chosen(tx: Tx, run: Run, request: Request, *, may_stay: bool) -> str:
    """Return where room was taken: where the volume is, if it may stay and another fits there."""
    params = run.params
    if may_stay:
        with contextlib.suppress(NoValidBackend):
            return choose(tx, msgspec.structs.replace(request, only=params.old_pool)).pool
    excluded = {**_out_of_reach(tx, run), params.old_pool: "it is there already"}
    request = msgspec.structs.replace(request, only=params.pool, excluded=excluded)
    return choose(tx, request).pool


def _out_of_reach(tx: Tx, run: Run) -> dict[str, str]:
    """Return the back ends that the host of the volume's server does not reach, and why."""
    found: dict[str, str] = {}
    for one in attachments_of(tx, run.params.volume_id):
        for backend in backend_store.backend_list(tx):
            if one.host_name and not reaches(run.tools, one.host_name, backend.pool):
                found[backend.pool] = f"{one.host_name}, which has the volume, reaches no files"
    return found


def unplace(run: Run) -> None:
    """Give the room back, and forget a key by which nothing is encrypted."""
    run.db.write(_unplace, run)


def _unplace(tx: Tx, run: Run) -> None:
    volume, placed = store.volume_find(tx, run.params.volume_id), run.find_result_of(place)
    if volume is not None and volume.moving_to is not None:
        keys.forget_key(tx, volume.moving_key_id)
        store.volume_update(tx, volume.id, moving_to=None, moving_key_id=None)
        backend_store.room_give_back(tx, volume.moving_to, volume.size_gib)
    elif volume is None and placed is not None and placed.recrypted is not None:
        keys.forget_key(tx, placed.recrypted.key_id)


def copy(run: Run) -> None:
    """Copy it there, if it is to be elsewhere or otherwise; in the same place, beside it."""
    placed, volume = run.result_of(place), run.db.read(store.volume_get, run.params.volume_id)
    if placed.recrypted is not None:
        _copy_recrypted(run, volume, placed)
    elif placed.pool != run.params.old_pool:
        run.tools.driver(placed.pool).create(volume.id, volume.size_gib)
        run.tools.driver(placed.pool).overwrite(volume.id, pieces(run, volume))


def _copy_recrypted(run: Run, volume: Volume, placed: Placed) -> None:
    assert placed.recrypted is not None
    drivers = (run.tools.driver(run.params.old_pool), run.tools.driver(placed.pool))
    held = pieces(run, volume)
    with recryption.rewritten(run.tools, volume, placed.recrypted, drivers, held) as found:
        copy_id = _copy_id(run, placed)
        drivers[1].delete(copy_id)  # an earlier attempt would show through where this has holes
        drivers[1].create(copy_id, volume.size_gib)
        drivers[1].overwrite(copy_id, found)


def _copy_id(run: Run, placed: Placed) -> str:
    """Return by which id the copy is known until it is the volume."""
    volume_id = run.params.volume_id
    return store.stand_in(volume_id) if placed.pool == run.params.old_pool else volume_id


def exchange(run: Run) -> None:
    """Let the volume's bytes be those of the copy beside it, if there is one."""
    placed, volume_id = run.result_of(place), run.params.volume_id
    if placed.recrypted is not None and placed.pool == run.params.old_pool:
        run.tools.driver(placed.pool).replace(volume_id, store.stand_in(volume_id))


def follow(run: Run) -> None:
    """Say by which key the volume can be opened now: what it held is no more."""
    placed, volume_id = run.find_result_of(place), run.params.volume_id
    if placed is None or placed.recrypted is None or placed.pool != run.params.old_pool:
        return
    there = {one.volume_id for one in run.tools.driver(placed.pool).present()}
    if store.stand_in(volume_id) not in there:
        run.db.write(_followed, volume_id, placed.recrypted)


def _followed(tx: Tx, volume_id: str, wanted: Wanted) -> None:
    volume = store.volume_find(tx, volume_id)
    if volume is not None and volume.type_id != wanted.type_id:
        counted = {"volumes": 1, "gigabytes": volume.size_gib}
        quotas.release_of_type(tx, volume.project_id, counted, volume.type_id)
        _recrypted(tx, volume_id, wanted)


def _recrypted(tx: Tx, volume_id: str, wanted: Wanted) -> None:
    volume = store.volume_find(tx, volume_id)
    if volume is not None and volume.encryption_key_id != wanted.key_id:
        keys.forget_key(tx, volume.encryption_key_id)
        values = {"type_id": wanted.type_id, "encryption_key_id": wanted.key_id}
        shared = _is_shared(tx, wanted.type_id)
        store.volume_update(tx, volume_id, **values, moving_key_id=None, is_multiattach=shared)


def _is_shared(tx: Tx, type_id: str) -> bool:
    """Say whether several servers may have a volume of a type at once."""
    return specs_of(tx, type_id).get("multiattach", "").lower() == "<is> true"


def pieces(run: Run, volume: Volume) -> Iterator[tuple[int, bytes]]:
    """Yield what the volume holds where it was, each piece with its offset, while it is wanted."""
    offset = 0
    source = Source(volume_id=volume.id)
    for piece in run.tools.driver(run.params.old_pool).read(source, 0, volume.size_gib * GIB):
        if run.cancelled():
            raise Conflict(f"Volume {volume.id} is no longer to be moved.", volume_id=volume.id)
        yield offset, piece
        offset += len(piece)


def discard(run: Run) -> None:
    """Remove it from where it is not."""
    params, placed = run.params, run.find_result_of(place)
    volume = run.db.read(store.volume_find, params.volume_id)
    if placed is not None and placed.pool == params.old_pool and placed.recrypted is not None:
        run.tools.driver(placed.pool).delete(store.stand_in(params.volume_id))
    if placed is not None and placed.pool != params.old_pool:
        is_there = volume is not None and volume.host == placed.pool
        run.tools.driver(params.old_pool if is_there else placed.pool).delete(params.volume_id)


def switch(tx: Tx, run: Run) -> None:
    """Say of which type it is now, and where."""
    params, placed = run.params, run.result_of(place)
    pool, volume = placed.pool, store.volume_get(tx, params.volume_id)
    if volume.type_id != params.new_type:
        counted = {"volumes": 1, "gigabytes": volume.size_gib}
        quotas.release_of_type(tx, volume.project_id, counted, volume.type_id)
    if volume.moving_to is not None:
        backend_store.room_give_back(tx, params.old_pool, volume.size_gib)
    if placed.recrypted is not None:
        _recrypted(tx, volume.id, placed.recrypted)
    store.volume_update(
        tx,
        volume.id,
        status=params.status,
        type_id=params.new_type,
        host=pool,
        moving_to=None,
        moving_key_id=None,
        previous_status=None,  # from here on there is nothing to go back to
        migration_status="success" if pool != params.old_pool else volume.migration_status,
        is_multiattach=_is_shared(tx, params.new_type),
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
    [
        Write(place, undo=unplace),
        Step(copy, undo=discard),
        Step(exchange, undo=follow),
        Write(switch),
        Step(leave),
    ],
    failed=give_up,
)
