"""Making bytes an image's that are staged, or that a URL names."""

from contextlib import closing
from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import CloudError
from cumulo.services.image import cache, imports
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.images import ImageSpec
from cumulo.services.image.imports import Import, Wish
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.stores import copy, wanted
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.transformations import stages, transform
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, start


class ImportImage(msgspec.Struct, frozen=True):
    """Which bytes for which image, and under which task that is told."""

    image_id: str
    upload_id: str
    task_id: str
    uri: str | None = None
    stores: list[str] = []
    all_must_succeed: bool = True


Run: TypeAlias = _Run[ImportImage, ImageTools]


def fetch_bytes(run: Run) -> None:
    """Bring the bytes of a URL in; those that are staged are there."""
    params = run.params
    run.db.write(imports.task_begun, params.task_id)
    if params.uri is None:
        return
    with closing(run.tools.outbound.get(params.uri)) as pieces:
        given = wanted(pieces, run.cancelled)
        imports.take_in(run.tools, params.image_id, params.upload_id, given)


def transform_bytes(run: Run) -> str:
    """Unpack and convert the bytes as settings wish; return the upload that they are now of."""
    params = run.params
    return transform(run.tools, params.image_id, params.upload_id, run.cancelled)


def adopt_bytes(run: Run) -> None:
    """Let the bytes lie under the image's id."""
    run.tools.images.adopt(run.params.image_id, run.result_of(transform_bytes))


def copy_bytes(run: Run) -> list[str]:
    """Bring the bytes to the other stores that were asked for; return where they are."""
    params, first = run.params, run.tools.images
    size = run.db.read(imports.size_of, params.image_id)
    arrived: list[str] = []
    for store in _targets(run)[1:]:
        pieces = first.read(params.image_id, 0, size)
        try:
            copy((params.image_id, params.upload_id), pieces, store, run.cancelled)
            arrived.append(store.name)
        except (CloudError, OSError):
            if params.all_must_succeed or run.cancelled():
                raise
    asked = params.stores or [first.name]
    return [name for name in asked if name in (first.name, *arrived)]


def drop_stage(run: Run) -> None:
    """Leave nothing in the first store that was only to pass there."""
    if run.params.stores and run.tools.images.name not in run.params.stores:
        cache.remove_uncached(run.tools, run.params.image_id)


def remove_bytes(run: Run) -> None:
    """Take them away again, wherever they lie, unless they are those of an image in use by now."""
    if run.db.read(imports.is_complete, run.params.image_id):
        return
    for store in _targets(run):
        store.delete(run.params.image_id)
    for upload_id in stages(run.params.upload_id):
        run.tools.images.delete_upload(run.params.image_id, upload_id)


def activate(run: Run) -> None:
    """Let the image be used, and count its size."""

    def write(tx: Tx) -> bool:
        task = imports.task_get(tx, run.params.task_id)
        limits = run.tools.image_limits
        where = (run.result_of(transform_bytes), run.result_of(copy_bytes))
        return imports.complete_import(tx, run, task, where, limits)

    if not run.db.write(write):
        raise NoLongerThere(f"Image {run.params.image_id} waits for no import any more.")


def tell_failure(run: Run) -> None:
    """Put the image back in the queue and say why."""
    params, error = run.params, run.error
    message = error.message if error else ""
    where = (params.task_id, params.image_id, stages(params.upload_id))
    run.db.write(imports.give_up_import, *where, message)


IMPORT_IMAGE = Workflow(
    "image.import",
    ImportImage,
    [
        Step(fetch_bytes, undo=remove_bytes),
        Step(transform_bytes, undo=remove_bytes),
        Step(adopt_bytes, undo=remove_bytes),
        Step(copy_bytes, undo=remove_bytes),
        Step(activate),
        Step(drop_stage),
    ],
    failed=tell_failure,
)


def import_image(tx: Tx, ctx: Context, image_id: str, wish: Wish, limits: ImageLimits) -> None:
    """Have an image's bytes imported, whatever happens to this process."""
    _start(tx, ctx, imports.begin_import(tx, ctx, image_id, wish, limits))


def import_new_image(
    tx: Tx, ctx: Context, spec: ImageSpec, wish: Wish, limits: ImageLimits
) -> imports.Task:
    """Have an image made of what a URL names; return the task that tells how that goes."""
    begun = imports.begin_image(tx, ctx, spec, wish, limits)
    _start(tx, ctx, begun)
    return begun.task


def _start(tx: Tx, ctx: Context, begun: Import) -> None:
    params = ImportImage(
        begun.image_id,
        begun.upload_id,
        begun.task.id,
        begun.uri,
        begun.stores,
        begun.all_must_succeed,
    )
    start(tx, IMPORT_IMAGE, params, ctx=ctx, subject=f"image/{begun.image_id}")


def _targets(run: Run) -> list[ImageStore]:
    """Return the first store, which all bytes pass, and the others that were asked for."""
    first = run.tools.images
    return [first, *(run.tools.stores.get(n) for n in run.params.stores if n != first.name)]
