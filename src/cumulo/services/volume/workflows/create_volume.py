"""From a row to a volume that can be used: choose a back end, make it there."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.image import public as images
from cumulo.services.volume import groups, messages, volumes
from cumulo.services.volume.attachments import settle, wake_servers
from cumulo.services.volume.contents import content_of, write_new
from cumulo.services.volume.drivers.base import Content, Source
from cumulo.services.volume.new_volumes import NewVolume, new_volume
from cumulo.services.volume.scheduler import Request, choose
from cumulo.services.volume.store import backends, snapshots
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.attachments import attachments_of
from cumulo.services.volume.store.items import IMAGE, items_of
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import specs_of
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run

_MOST_ATTEMPTS = 3
_DOING = {"NoValidBackend": "schedule allocate volume"}


class CreateVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume to make, from what, and where it may not go."""

    volume_id: str
    image_id: str | None = None
    same_host: list[str] = []
    different_host: list[str] = []
    attempt: int = 1
    excluded: dict[str, str] = {}


class Placed(msgspec.Struct, frozen=True):
    """Where it goes."""

    pool: str


Run: TypeAlias = _Run[CreateVolume, VolumeTools]


def create_volume(tx: Tx, ctx: Context, tools: VolumeTools, spec: NewVolume) -> Volume:
    """Record a volume and have it made, whatever happens to this process."""
    volume = new_volume(tx, ctx, tools, spec)
    params = CreateVolume(
        volume_id=volume.id,
        image_id=spec.image_id,
        same_host=_ids(spec.hints.get("same_host")),
        different_host=_ids(spec.hints.get("different_host")),
    )
    start(tx, CREATE_VOLUME, params, ctx=ctx, subject=f"volume/{volume.id}")
    return volume


def _ids(hint: object) -> list[str]:
    if isinstance(hint, list):
        return [str(one) for one in hint]
    return [str(hint)] if hint else []


def place(tx: Tx, run: Run) -> Placed:
    """Choose a back end and take the room there; a copy lies beside what it is copied from."""
    params, volume = run.params, store.volume_get(tx, run.params.volume_id)
    if volume.host is not None:
        return Placed(volume.host)
    request = Request(
        size_gib=volume.size_gib,
        specs=specs_of(tx, volume.type_id),
        availability_zone=volume.availability_zone,
        is_multiattach=volume.is_multiattach,
        only=_pool_of_source(tx, volume),
        excluded=params.excluded,
        same_as=params.same_host,
        different_from=params.different_host,
    )
    backend = choose(tx, request)
    store.volume_update(tx, volume.id, host=backend.pool)
    return Placed(backend.pool)


def _pool_of_source(tx: Tx, volume: Volume) -> str | None:
    source_id = volume.source_volume_id
    if volume.snapshot_id is not None:
        source_id = snapshots.snapshot_get(tx, volume.snapshot_id).volume_id
    return store.volume_get(tx, source_id).host if source_id is not None else None


def leave(run: Run) -> None:
    """Give the room back."""

    def leave_it(tx: Tx) -> None:
        volume = store.volume_find(tx, run.params.volume_id)
        if volume is not None and volume.host is not None:
            backends.room_give_back(tx, volume.host, volume.size_gib)
            store.volume_update(tx, volume.id, host=None)

    run.db.write(leave_it)


def provision(run: Run) -> None:
    """Make it there."""
    volume = run.db.read(store.volume_get, run.params.volume_id)
    driver = run.tools.driver(volume.host)
    source = run.db.read(_source_of, volume)
    if source is not None:
        driver.create_from(volume.id, volume.size_gib, source)
        return
    content = _content(run, run.params.image_id) if run.params.image_id is not None else None
    write_new(run.tools, volume, content)


def _source_of(tx: Tx, volume: Volume) -> Source | None:
    if volume.snapshot_id is not None:
        snapshot = snapshots.snapshot_get(tx, volume.snapshot_id)
        return Source(volume_id=snapshot.volume_id, snapshot_id=snapshot.id)
    if volume.source_volume_id is not None:
        return Source(volume_id=volume.source_volume_id)
    return None


def _content(run: Run, image_id: str) -> Content:
    run.db.write(_downloading, run.params.volume_id)
    image = run.db.read(images.get_image, images.as_the_cloud(), image_id)
    return content_of(run.tools, image)


def _downloading(tx: Tx, volume_id: str) -> None:
    store.volume_move(tx, volume_id, "downloading", expected=["creating"])


def deprovision(run: Run) -> None:
    """Remove it from there."""
    volume = run.db.read(store.volume_find, run.params.volume_id)
    if volume is not None and volume.host is not None:
        run.tools.driver(volume.host).delete(volume.id)


def finish(tx: Tx, run: Run) -> None:
    """Say that it can be used."""
    volume = store.volume_get(tx, run.params.volume_id)
    is_bootable = bool(run.params.image_id) or _is_of_bootable(tx, volume)
    moved = store.volume_move(
        tx,
        volume.id,
        "available",
        expected=["creating", "downloading"],
        values={"launched_at": clock.now(), "is_bootable": is_bootable},
    )
    if moved:
        if attachments_of(tx, volume.id):  # it was made for a server
            settle(tx, volume.id)
            wake_servers(tx, volume.id)
        groups.settle(tx, run, volume.group_id)
        volumes.record(tx, run, volume, "available", host=volume.host)


def _is_of_bootable(tx: Tx, volume: Volume) -> bool:
    """Say whether what it is a copy of can be booted from."""
    if volume.snapshot_id is None and volume.source_volume_id is None:
        return False
    if items_of(tx, volume.id, IMAGE):
        return True
    source = store.volume_find(tx, volume.source_volume_id or "")
    return source is not None and source.is_bootable


def give_up(run: Run) -> None:
    """Try another back end if this one was to blame; else put the volume in error and say why."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params = run.params
    try:
        volume = store.volume_get(tx, params.volume_id)
    except NotFound:
        return
    error = run.error or Failure("Interrupted", "The creation was interrupted.")
    if error == CANCELLED:  # by its deletion
        return
    placed = run.find_result_of(place)
    if error.kind == "BackendError" and placed and params.attempt < _MOST_ATTEMPTS:
        again = msgspec.structs.replace(
            params,
            attempt=params.attempt + 1,
            excluded={**params.excluded, placed.pool: error.message},
        )
        start(tx, CREATE_VOLUME, again, subject=f"volume/{volume.id}", ctx=run)
        return
    expected = ["creating", "downloading", "available", "reserved"]
    store.volume_move(tx, volume.id, "error", expected=expected)
    groups.settle(tx, run, volume.group_id)
    wake_servers(tx, volume.id)
    messages.tell(
        tx,
        run,
        run.tools.settings,
        volume.project_id,
        ("volume", volume.id),
        event="VOLUME_001_002" if error.kind == "NoValidBackend" else "VOLUME_003_001",
        words=f"{_DOING.get(error.kind, 'create volume')}:{error.message}",
    )
    volumes.record(tx, run, volume, "error", reason=error.message)


CREATE_VOLUME = Workflow(
    "volume.create_volume",
    CreateVolume,
    [
        Write(place, undo=leave),
        Step(provision, undo=deprovision),
        Write(finish),
    ],
    failed=give_up,
)
