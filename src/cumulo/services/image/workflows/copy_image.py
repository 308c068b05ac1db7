"""Bringing an active image's bytes to more stores, and removing them from one."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import CloudError
from cumulo.services.image import cache, copies
from cumulo.services.image.imports import Wish
from cumulo.services.image.stores import copy
from cumulo.services.image.tools import ImageTools
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, Write, start


class CopyImage(msgspec.Struct, frozen=True):
    """Which image, to which stores, and under which task that is told."""

    image_id: str
    task_id: str
    stores: list[str]
    all_must_succeed: bool


class RemoveCopy(msgspec.Struct, frozen=True):
    """Which image's bytes go from which store."""

    image_id: str
    store: str


Run: TypeAlias = _Run[CopyImage, ImageTools]


def copy_bytes(run: Run) -> list[str]:
    """Write the bytes to each store; return those where they are."""
    params, arrived = run.params, list[str]()
    image = run.db.read(copies.image_to_copy, params.image_id)
    for name in params.stores:
        pieces = run.tools.stores.read(image, 0, image.size or 0)
        try:
            target = run.tools.stores.get(name)
            copy((image.id, params.task_id), pieces, target, run.cancelled)
            arrived.append(name)
        except (CloudError, OSError):
            if params.all_must_succeed or run.cancelled():
                raise
    return arrived


def remove_copies(run: Run) -> None:
    """Take them away again, where the image does not say by now that they are."""
    told = run.db.read(copies.stores_told, run.params.image_id)
    for name in run.params.stores:
        if name not in told:
            _delete(run.tools, run.params.image_id, name)
        run.tools.stores.get(name).delete_upload(run.params.image_id, run.params.task_id)


def tell_copies(tx: Tx, run: Run) -> None:
    """Let the image be in these stores too."""
    arrived = run.result_of(copy_bytes)
    copies.end_copy(tx, run, run.params.task_id, run.params.image_id, arrived)


def tell_failure(run: Run) -> None:
    """Say why nothing was copied."""
    message = run.error.message if run.error else ""
    run.db.write(copies.fail_copy, run.params.task_id, run.params.image_id, message)


def remove_bytes(run: _Run[RemoveCopy, ImageTools]) -> None:
    """Take the bytes out of the store."""
    _delete(run.tools, run.params.image_id, run.params.store)


def _delete(tools: ImageTools, image_id: str, store: str) -> None:
    if store == tools.images.name:
        cache.remove_uncached(tools, image_id)
    else:
        tools.stores.get(store).delete(image_id)


COPY_IMAGE = Workflow(
    "image.copy",
    CopyImage,
    [Step(copy_bytes, undo=remove_copies), Write(tell_copies)],
    failed=tell_failure,
)
REMOVE_COPY = Workflow("image.remove_copy", RemoveCopy, [Step(remove_bytes)])


def copy_image(tx: Tx, ctx: Context, image_id: str, wish: Wish) -> None:
    """Have an image's bytes copied, whatever happens to this process."""
    task, missing = copies.begin_copy(tx, ctx, image_id, wish)
    params = CopyImage(image_id, task.id, missing, wish.all_must_succeed)
    start(tx, COPY_IMAGE, params, ctx=ctx, subject=f"image/{image_id}")


def remove_copy(tx: Tx, ctx: Context, image_id: str, store: str) -> None:
    """Let an image be in one store less, and have its bytes removed there."""
    copies.forget_copy(tx, ctx, image_id, store)
    start(tx, REMOVE_COPY, RemoveCopy(image_id, store), ctx=ctx, subject=f"image/{image_id}")
