"""Making staged bytes an image's."""

from typing import Protocol, TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.image import imports
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.limits import ImageLimits
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, start


class ImportImage(msgspec.Struct, frozen=True):
    """Which bytes for which image, and under which task that is told."""

    image_id: str
    upload_id: str
    task_id: str


class Tools(Protocol):
    """What the steps need of the process they run in."""

    @property
    def images(self) -> ImageStore: ...  # noqa: D102

    @property
    def image_limits(self) -> ImageLimits: ...  # noqa: D102


Run: TypeAlias = _Run[ImportImage, Tools]


def adopt_bytes(run: Run) -> None:
    """Let the bytes lie under the image's id."""
    run.tools.images.adopt(run.params.image_id, run.params.upload_id)


def remove_bytes(run: Run) -> None:
    """Take them away again, wherever they lie."""
    run.tools.images.delete(run.params.image_id)
    run.tools.images.delete_upload(run.params.image_id, run.params.upload_id)


def activate(run: Run) -> None:
    """Let the image be used, and count its size."""

    def write(tx: Tx) -> bool:
        task = imports.task_get(tx, run.params.task_id)
        limits = run.tools.image_limits
        return imports.complete_import(tx, run, task, run.params.upload_id, limits)

    if not run.db.write(write):
        raise NoLongerThere(f"Image {run.params.image_id} waits for no import any more.")


def tell_failure(run: Run) -> None:
    """Put the image back in the queue and say why."""
    params, error = run.params, run.error
    message = error.message if error else ""
    where = (params.task_id, params.image_id, params.upload_id)
    run.db.write(imports.give_up_import, *where, message)


IMPORT_IMAGE = Workflow(
    "image.import",
    ImportImage,
    [Step(adopt_bytes, undo=remove_bytes), Step(activate)],
    failed=tell_failure,
)


def import_image(tx: Tx, ctx: Context, image_id: str, method: str) -> None:
    """Have an image's staged bytes imported, whatever happens to this process."""
    task, upload_id = imports.begin_import(tx, ctx, image_id, method)
    params = ImportImage(image_id, upload_id, task.id)
    start(tx, IMPORT_IMAGE, params, ctx=ctx, subject=f"image/{image_id}")
