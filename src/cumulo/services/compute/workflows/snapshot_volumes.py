"""An image of a server that boots from a volume: no bytes, but snapshots of all its volumes."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound, Unavailable
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows import image_copies
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.services.image import public as images
from cumulo.services.volume import public as volume
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "api_snapshot_instance"


class SnapshotVolumes(msgspec.Struct, frozen=True, kw_only=True):
    """Of which server, the image and the snapshots that it names."""

    server_id: str
    action: int
    image_id: str
    snapshots: list[str]


Run: TypeAlias = _Run[SnapshotVolumes, Tools]


def await_snapshots(run: Run) -> None:
    """Wait until every snapshot is taken."""
    run.db.write(_begin, run.params, run.tools.host)
    for snapshot_id in run.params.snapshots:
        found = run.db.read(volume.snapshot_find, snapshot_id)
        if found is not None and found.status == "creating":
            raise Unavailable(f"Snapshot {snapshot_id} is still being taken.")
        if found is None or found.status != "available":
            status = found.status if found is not None else "gone"
            raise Conflict(f"Snapshot {snapshot_id} is {status}.", snapshot_id=snapshot_id)


def _begin(tx: Tx, params: SnapshotVolumes, host: str) -> None:
    actions.event_start(tx, params.action, _EVENT, host)


def activate(run: Run) -> None:
    """Let the image be used, or find that it can be."""
    ctx, image_id = images.as_the_cloud(), run.params.image_id
    if run.db.read(images.find_image, ctx, image_id) is None:
        image = run.tools.image
        images.upload(run.db, ctx, image.images, image.image_limits, image_id, [b""])


def settle(run: Run) -> None:
    """Say that it is done."""
    image_copies.settle(run, _EVENT)


def give_up(run: Run) -> None:
    """Delete the image and the snapshots, leave the server as it is, and keep the reason."""

    is_cancelled = run.cancelled()

    def tell(tx: Tx) -> None:
        params, told = run.params, run.error.message if run.error else "interrupted"
        image_copies.forget(tx, params.image_id)
        for snapshot_id in params.snapshots:
            if volume.snapshot_find(tx, snapshot_id) is not None:
                volume.delete_snapshot(tx, cloud_of(run), snapshot_id, force=True)
        actions.events_fail(tx, params.action, told)
        try:
            store.server_get(tx, params.server_id)
        except NotFound:
            return
        if not is_cancelled:
            store.server_update(tx, params.server_id, task_state=None)

    run.db.write(tell)


SNAPSHOT_VOLUMES = Workflow(
    "compute.snapshot_volumes",
    SnapshotVolumes,
    [Step(await_snapshots), Step(activate), Step(settle)],
    failed=give_up,
)
