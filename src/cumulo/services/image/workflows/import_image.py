"""Making bytes an image's that are staged, or that a URL names."""

from collections.abc import Generator
from contextlib import closing
from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.image import imports
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.images import ImageSpec
from cumulo.services.image.imports import Import, Wish
from cumulo.services.image.limits import ImageLimits
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


Run: TypeAlias = _Run[ImportImage, ImageTools]


def fetch_bytes(run: Run) -> None:
    """Bring the bytes of a URL in; those that are staged are there."""
    params = run.params
    run.db.write(imports.task_begun, params.task_id)
    if params.uri is None:
        return
    with closing(_wanted(run, run.tools.outbound.get(params.uri))) as pieces:
        imports.take_in(run.tools, params.image_id, params.upload_id, pieces)


def transform_bytes(run: Run) -> str:
    """Unpack and convert the bytes as settings wish; return the upload that they are now of."""
    params = run.params
    return transform(run.tools, params.image_id, params.upload_id, run.cancelled)


def adopt_bytes(run: Run) -> None:
    """Let the bytes lie under the image's id."""
    run.tools.images.adopt(run.params.image_id, run.result_of(transform_bytes))


def remove_bytes(run: Run) -> None:
    """Take them away again, wherever they lie."""
    run.tools.images.delete(run.params.image_id)
    for upload_id in stages(run.params.upload_id):
        run.tools.images.delete_upload(run.params.image_id, upload_id)


def activate(run: Run) -> None:
    """Let the image be used, and count its size."""

    def write(tx: Tx) -> bool:
        task = imports.task_get(tx, run.params.task_id)
        limits = run.tools.image_limits
        return imports.complete_import(tx, run, task, run.result_of(transform_bytes), limits)

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
        Step(activate),
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
    params = ImportImage(begun.image_id, begun.upload_id, begun.task.id, begun.uri)
    start(tx, IMPORT_IMAGE, params, ctx=ctx, subject=f"image/{begun.image_id}")


def _wanted(run: Run, pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Yield pieces as long as they are wanted."""
    with closing(pieces):
        for piece in pieces:
            if run.cancelled():
                raise NoLongerThere(f"Image {run.params.image_id} is no longer wanted.")
            yield piece
