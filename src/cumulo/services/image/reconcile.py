"""Keeping the store as the rows say: no bytes that no image owns, no upload that is dead."""

from typing import Protocol

from cumulo.db import Database
from cumulo.kit import clock
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.image_data import end_upload
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import images as store
from cumulo.work import Reconciler

# From the last byte of an upload to the row that says it is complete takes no longer.
_GRACE_S = 300.0


class Tools(Protocol):
    """What the reconcilers need of the process they run in."""

    @property
    def db(self) -> Database: ...  # noqa: D102

    @property
    def images(self) -> ImageStore: ...  # noqa: D102

    @property
    def image_limits(self) -> ImageLimits: ...  # noqa: D102


def end_dead_uploads(tools: Tools) -> None:
    """Put images back in the queue whose uploads went silent, with the processes they ran in."""
    since = clock.timestamp() - tools.image_limits.upload_timeout_s
    for image_id, upload_id in tools.db.read(store.uploads_silent, since):
        tools.db.write(end_upload, image_id, upload_id)
        tools.images.delete_upload(image_id, upload_id)


def remove_orphans(tools: Tools) -> None:
    """Remove bytes that no image owns; the store is read before the rows, so new ones are safe."""
    young = clock.timestamp() - _GRACE_S
    found = [one for one in tools.images.present() if one.touched_at < young]
    owned = tools.db.read(store.images_with_bytes) if found else {}
    for one in found:
        if one.upload_id is None and one.image_id not in owned:
            tools.images.delete(one.image_id)
        elif one.upload_id is not None and owned.get(one.image_id) != one.upload_id:
            tools.images.delete_upload(one.image_id, one.upload_id)


RECONCILERS = [
    Reconciler(end_dead_uploads, every_s=30.0, name="image.end_dead_uploads"),
    Reconciler(remove_orphans, every_s=300.0, name="image.remove_orphans"),
]
