"""Writing a volume anew from an image."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.image import public as images
from cumulo.services.volume import volumes
from cumulo.services.volume.attachments import settle
from cumulo.services.volume.contents import content_of, write_new
from cumulo.services.volume.new_volumes import image_facts, source_of_image
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.items import IMAGE, items_set
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows import broken_volumes
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, Write, start


class ReimageVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume, from which image."""

    volume_id: str
    image_id: str


Run: TypeAlias = _Run[ReimageVolume, VolumeTools]


def reimage_volume(
    tx: Tx, ctx: Context, volume_id: str, image_id: str, *, reserved: bool = False
) -> None:
    """Have a volume written anew, also one that is kept for somebody if `reserved`."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    if reserved and volume.status == "reserved":
        ctx.require("volume:reimage_reserved", project_id=volume.project_id)
    check_image(tx, ctx, volume, image_id)
    expected = ["available", "error", *(["reserved"] if reserved else [])]
    values = {"previous_status": volume.status}
    to = "downloading"
    volumes.move_or_refuse(tx, volume, to, doing="reimage", expected=expected, values=values)
    params = ReimageVolume(volume_id=volume_id, image_id=image_id)
    start(tx, REIMAGE_VOLUME, params, ctx=ctx, subject=f"volume/{volume_id}")
    volumes.record(tx, ctx, volume, "reimage_begin", image=image_id)


def check_image(tx: Tx, ctx: Context, volume: volumes.Volume, image_id: str) -> None:
    """Refuse an image that the volume cannot hold."""
    source = source_of_image(tx, ctx, image_id)
    if source.key_id is not None:
        raise Invalid(
            f"Invalid image {image_id}: a volume cannot be written anew from one that is "
            "encrypted: create another volume of it.",
            field="image_id",
        )
    needed = source.size_gib
    if needed > volume.size_gib:
        raise Invalid(
            f"Invalid input received: Volume {volume.id} has {volume.size_gib} GiB: image "
            f"{image_id} needs {needed}.",
            field="image_id",
        )


def write_image(tools: VolumeTools, volume_id: str, image_id: str) -> None:
    """Replace what a volume holds by an image; also for the second time."""
    volume = tools.db.read(store.volume_get, volume_id)
    image = tools.db.read(images.get_image, images.as_the_cloud(), image_id)
    if volume.encryption_key_id is not None:
        tools.driver(volume.host).delete(volume_id)  # what it held is not to show through
    write_new(tools, volume, content_of(tools, image))
    tools.db.write(_noted, volume_id, image)


def _noted(tx: Tx, volume_id: str, image: images.Image) -> None:
    items_set(tx, volume_id, IMAGE, image_facts(image), replace=True)
    store.volume_update(tx, volume_id, is_bootable=True)


def rewrite(run: Run) -> None:
    """Write it."""
    write_image(run.tools, run.params.volume_id, run.params.image_id)


def finish(tx: Tx, run: Run) -> None:
    """Say that it can be used."""
    volume_id = run.params.volume_id
    if store.volume_move(tx, volume_id, "available", expected=["downloading"]):
        settle(tx, volume_id)
        volumes.record(tx, run, store.volume_get(tx, volume_id), "reimage")


def give_up(run: Run) -> None:
    """Put the volume in error: nobody knows what it holds."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    told = ("VOLUME_016_001", "reimage volume", "Writing the volume anew was interrupted.")
    broken_volumes.give_up(tx, run, run.params.volume_id, "downloading", told)


REIMAGE_VOLUME = Workflow(
    "volume.reimage_volume", ReimageVolume, [Step(rewrite), Write(finish)], failed=give_up
)
