"""An image of a server: its disk as it was, under a name of its own."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows import image_copies
from cumulo.services.image import public as images
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_snapshot_instance"


class Rotation(msgspec.Struct, frozen=True):
    """How many backups of a type are kept, the newest."""

    backup_type: str
    kept: int


class SnapshotServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server goes into which image."""

    server_id: str
    action: int
    image_id: str
    host: str
    rotation: Rotation | None = None


Run: TypeAlias = _Run[SnapshotServer, Tools]


def copy(run: Run) -> None:
    """Copy the disk and hand it over."""
    params = run.params
    run.db.write(_begin, params)
    image_copies.copy(run, params.host, params.server_id, params.image_id)


def _begin(tx: Tx, params: SnapshotServer) -> None:
    store.server_update(tx, params.server_id, task_state="image_uploading")
    actions.event_start(tx, params.action, _EVENT, params.host)


def discard(run: Run) -> None:
    """Remove what was copied."""
    image_copies.discard(run, run.params.host, run.params.server_id, run.params.image_id)


def rotate(run: Run) -> None:
    """Delete the oldest backups beyond those to be kept."""
    if run.params.rotation is not None:
        run.db.write(_rotate, run.params, run.params.rotation)


def _rotate(tx: Tx, params: SnapshotServer, rotation: Rotation) -> None:
    made = {"instance_uuid": params.server_id, "backup_type": rotation.backup_type}
    for image_id in images.images_with(tx, {**made, "image_type": "backup"})[rotation.kept :]:
        images.delete_image(tx, images.as_the_cloud(), image_id)


def settle(run: Run) -> None:
    """Say that it is done."""
    image_copies.settle(run, _EVENT)


def give_up(run: Run) -> None:
    """Delete the image, leave the server as it is, and keep the reason."""

    is_cancelled = run.cancelled()

    def tell(tx: Tx) -> None:
        image_copies.forget(tx, run.params.image_id)
        told = run.error.message if run.error else "interrupted"
        actions.events_fail(tx, run.params.action, told)
        try:
            store.server_get(tx, run.params.server_id)
        except NotFound:
            return
        if not is_cancelled:
            store.server_update(tx, run.params.server_id, task_state=None)

    run.db.write(tell)


SNAPSHOT_SERVER = Workflow(
    "compute.snapshot_server",
    SnapshotServer,
    [Step(copy, undo=discard), Step(rotate), Step(settle)],
    failed=give_up,
)
