"""Removing the bytes of an image that is already unknown."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.image import images
from cumulo.services.image.tools import ImageTools
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, start


class DeleteImage(msgspec.Struct, frozen=True):
    """Which image is gone."""

    image_id: str
    upload_id: str | None = None
    stores: list[str] = []


Run: TypeAlias = _Run[DeleteImage, ImageTools]


def remove_bytes(run: Run) -> None:
    """Take the bytes off the disk, those too that wait for an import."""
    image_id, upload_id = run.params.image_id, run.params.upload_id
    run.tools.images.delete(image_id)
    for name in run.params.stores:
        if name in run.tools.stores.backends:  # else its operator took the whole store away
            run.tools.stores.get(name).delete(image_id)
    if upload_id is not None:
        run.tools.images.delete_upload(image_id, upload_id)


DELETE_IMAGE = Workflow("image.delete", DeleteImage, [Step(remove_bytes)])


def delete_image(tx: Tx, ctx: Context, image_id: str) -> None:
    """Make an image unknown now and let its bytes be removed, whatever happens to this process."""
    gone = images.delete_image(tx, ctx, image_id)
    params = DeleteImage(gone.id, images.upload_of(tx, gone), [one.store for one in gone.locations])
    start(tx, DELETE_IMAGE, params, ctx=ctx, subject=f"image/{gone.id}", cancel=True)
