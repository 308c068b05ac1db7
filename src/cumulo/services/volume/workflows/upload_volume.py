"""Making an image of what a volume holds."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.kit.units import GIB, MIB
from cumulo.services.image import public as images
from cumulo.services.volume import keys, messages, volumes
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.drivers.conversion import laid_down, named, qemu_img
from cumulo.services.volume.new_volumes import KEY, KEY_POLICY
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.items import IMAGE, items_of
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write, start
from cumulo.work import Run as _Run

# Formats that qemu-img writes, as it calls them; raw needs no program.
FORMATS = {"qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
_PIECE = 4 * MIB
_OF_THE_IMAGE = frozenset(
    {
        "image_id",
        "image_name",
        "checksum",
        "container_format",
        "disk_format",
        "min_disk",
        "min_ram",
        "size",
    }
)


class NewImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image somebody wants of a volume; `force` also while a server has it."""

    name: str
    disk_format: str = "raw"
    container_format: str = "bare"
    visibility: Literal["public", "community", "shared", "private"] = "private"
    protected: bool = False
    force: bool = False


class UploadVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume goes into which image."""

    volume_id: str
    image_id: str
    disk_format: str
    status: str  # to go back to


Run: TypeAlias = _Run[UploadVolume, VolumeTools]


def upload_volume(
    tx: Tx, ctx: Context, tools: VolumeTools, volume_id: str, wanted: NewImage
) -> tuple[Volume, str]:
    """Record an image and have the volume's bytes copied there; return it with the volume."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    sealed = {}
    if volume.encryption_key_id is not None:
        if wanted.disk_format != "raw":
            raise Invalid(
                f"Invalid volume: what encrypted volume {volume_id} holds can be copied as it is "
                f"only, in disk_format raw, not {wanted.disk_format}.",
                field="disk_format",
            )
        key_id = keys.copy_key(tx, volume.encryption_key_id, volume.project_id)
        sealed = {KEY: key_id, KEY_POLICY: "on_image_deletion"}
    expected = ["available", "in-use"] if wanted.force else ["available"]
    values = {"previous_status": volume.status}
    volumes.move_or_refuse(
        tx, volume, "uploading", doing="upload", expected=expected, values=values
    )
    noted = {k: v for k, v in items_of(tx, volume_id, IMAGE).items() if k not in _OF_THE_IMAGE}
    spec = images.ImageSpec(
        name=wanted.name,
        visibility=wanted.visibility,
        protected=wanted.protected,
        disk_format=wanted.disk_format,
        container_format=wanted.container_format,
        min_disk=volume.size_gib,
        properties={**noted, **sealed},
    )
    image_id = images.new_image(tx, ctx, spec, tools.image.image_limits)
    params = UploadVolume(
        volume_id=volume_id,
        image_id=image_id,
        disk_format=wanted.disk_format,
        status=volume.status,
    )
    start(tx, UPLOAD_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}")
    volumes.record(tx, ctx, volume, "upload_begin", image=image_id)
    return store.volume_get(tx, volume_id), image_id


def copy(run: Run) -> None:
    """Copy the bytes, unless that was done before."""
    params, cloud = run.params, images.as_the_cloud()
    if run.db.read(images.find_image, cloud, params.image_id) is not None:
        return
    volume = run.db.read(store.volume_get, params.volume_id)
    driver = run.tools.driver(volume.host)
    pieces = driver.read(Source(volume_id=volume.id), 0, volume.size_gib * GIB)
    image = run.tools.image
    with _of_format(pieces, params.disk_format) as wanted:
        images.upload(run.db, cloud, image.images, image.image_limits, params.image_id, wanted)


@contextmanager
def _of_format(pieces: Iterator[bytes], disk_format: str) -> Iterator[Iterator[bytes]]:
    """Give the block a raw disk in another format, for which it is laid down in between."""
    if disk_format == "raw":
        yield pieces
        return
    with laid_down(pieces) as raw, tempfile.TemporaryFile() as packed:
        formats = ["-f", "raw", "-O", FORMATS[disk_format], "--"]
        target = packed.fileno()
        qemu_img("convert", *formats, named(raw), named(target), files=[raw, target])
        yield iter(lambda: packed.read(_PIECE), b"")


def discard(run: Run) -> None:
    """Delete the image."""
    run.db.write(_discard, run.params.image_id)


def _discard(tx: Tx, image_id: str) -> None:
    try:
        images.delete_image(tx, images.as_the_cloud(), image_id)
    except NotFound:
        return


def finish(tx: Tx, run: Run) -> None:
    """Say that the volume can be used as before."""
    params = run.params
    if store.volume_move(tx, params.volume_id, params.status, expected=["uploading"]):
        volume = store.volume_get(tx, params.volume_id)
        volumes.record(tx, run, volume, "upload", image=params.image_id)


def give_up(run: Run) -> None:
    """Leave the volume as it was, and say why there is no image."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params = run.params
    error = run.error or Failure("Interrupted", "The upload was interrupted.")
    _discard(tx, params.image_id)
    volume = store.volume_find(tx, params.volume_id)
    if volume is None or error == CANCELLED:
        return
    if store.volume_move(tx, volume.id, params.status, expected=["uploading"]):
        messages.tell(
            tx,
            run,
            run.tools.settings,
            volume.project_id,
            ("volume", volume.id),
            event="VOLUME_004_003",
            words=f"copy volume to image:{error.message}",
        )


UPLOAD_VOLUME = Workflow(
    "volume.upload_volume",
    UploadVolume,
    [Step(copy, undo=discard), Write(finish)],
    failed=give_up,
)
