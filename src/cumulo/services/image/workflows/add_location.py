"""Making an image of what a URL names, and leaving its bytes there."""

from contextlib import closing
from typing import TypeAlias

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.kit.outbound import CannotFetch
from cumulo.services.image import added_locations, image_data, imports
from cumulo.services.image.added_locations import AddedLocation, AddLocation
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.image_data import Received, Upload
from cumulo.services.image.images import Image
from cumulo.services.image.stores import wanted
from cumulo.services.image.tools import ImageTools
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, Write, start

Run: TypeAlias = _Run[AddLocation, ImageTools]


def read_bytes(run: Run) -> Received:
    """Read what the URL names, without keeping it, and look whether it is good."""
    params = run.params
    run.db.write(imports.task_begun, params.task_id)
    image = run.db.read(imports.awaiting, params.image_id, params.upload_id)
    if image is None:
        raise NotFound(f"Image {params.image_id} waits for no location any more.")
    left = run.tools.image_limits.http_retries
    while True:
        left -= 1
        try:
            received = _read(run, image)
        except CannotFetch:
            if not left:
                raise
        else:
            added_locations.check_same(params, received)
            return received


def activate(tx: Tx, run: Run) -> None:
    """Let the image be used, and count its size."""
    limits, received = run.tools.image_limits, run.result_of(read_bytes)
    if not added_locations.end_location(tx, run, run.params, received, limits):
        raise NoLongerThere(f"Image {run.params.image_id} waits for no location any more.")


def tell_failure(run: Run) -> None:
    """Put the image back in the queue and say why."""
    params, message = run.params, run.error.message if run.error else ""
    where = (params.task_id, params.image_id, [params.upload_id])
    run.db.write(imports.give_up_import, *where, message)


ADD_LOCATION = Workflow(
    "image.add_location", AddLocation, [Step(read_bytes), Write(activate)], failed=tell_failure
)


def add_location(
    tx: Tx, ctx: Context, image_id: str, location: AddedLocation, tools: ImageTools
) -> None:
    """Have an image read from where a URL leads, once that was seen to be good."""
    begun = added_locations.begin_location(
        tx, ctx, image_id, location, tools.stores, tools.image_limits
    )
    start(tx, ADD_LOCATION, begun, ctx=ctx, subject=f"image/{image_id}")


def _read(run: Run, image: Image) -> Received:
    with closing(run.tools.outbound.get(run.params.url)) as pieces:
        given = Upload(
            image_id=image.id,
            pieces=wanted(pieces, run.cancelled),
            algorithm=run.params.os_hash_algo,
        )
        received = image_data.examine(image, run.tools.image_limits, given)
    if not received.digests.size:
        raise CannotFetch("Invalid location: there are no bytes.")
    return received
