"""Bringing an image that lies elsewhere before a server needs it."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.image import cache, copies
from cumulo.services.image.store.cached import cached_delete
from cumulo.services.image.tools import ImageTools
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, start


class CacheImage(msgspec.Struct, frozen=True):
    """Which image."""

    image_id: str


Run: TypeAlias = _Run[CacheImage, ImageTools]


def fill(run: Run) -> None:
    """Bring a copy that is still waited for, or find that the image lies there anyway."""
    if not run.db.read(cache.is_waited_for, run.params.image_id):
        return
    image = run.db.read(copies.image_to_copy, run.params.image_id)
    if cache.is_elsewhere(run.tools, image):
        cache.bring(run.tools, image, run.cancelled)
    else:
        run.db.write(cache.filled, image)


def forget(run: Run) -> None:
    """Wait for it no longer; whoever needs it tries again."""
    run.db.write(cached_delete, run.params.image_id, ["queued", "filling"])


CACHE_IMAGE = Workflow("image.cache", CacheImage, [Step(fill)], failed=forget)


def cache_image(tx: Tx, ctx: Context, image_id: str) -> None:
    """Have an image brought to the first store, whatever happens to this process."""
    cache.queue(tx, ctx, image_id)
    start(tx, CACHE_IMAGE, CacheImage(image_id), ctx=ctx, subject=f"image/{image_id}")
