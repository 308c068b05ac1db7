"""Keeping the store as the rows say: no bytes that no image owns, no upload that is dead."""

from cumulo.kit import clock
from cumulo.services.image import cache
from cumulo.services.image.image_data import end_upload
from cumulo.services.image.store import images as store
from cumulo.services.image.store import locations
from cumulo.services.image.tools import ImageTools
from cumulo.work import Reconciler

# From the last byte of an upload to the row that says it is complete takes no longer.
_GRACE_S = 300.0


def end_dead_uploads(tools: ImageTools) -> None:
    """Put images back in the queue whose uploads went silent, with the processes they ran in."""
    since = clock.timestamp() - tools.image_limits.upload_timeout_s
    for image_id, upload_id in tools.db.read(store.uploads_silent, since):
        tools.db.write(end_upload, image_id, upload_id)
        tools.images.delete_upload(image_id, upload_id)


def remove_orphans(tools: ImageTools) -> None:
    """Remove bytes that no image owns; the store is read before the rows, so new ones are safe."""
    young = clock.timestamp() - _GRACE_S
    found = [one for one in tools.images.present() if one.touched_at < young]
    owned = tools.db.read(store.images_with_bytes) if found else {}
    for one in found:
        if one.upload_id is None and one.image_id not in owned:
            tools.images.delete(one.image_id)
        elif one.upload_id is not None and owned.get(one.image_id) != one.upload_id:
            tools.images.delete_upload(one.image_id, one.upload_id)


def remove_orphans_elsewhere(tools: ImageTools) -> None:
    """Remove bytes in other stores than the first whose image does not say they are there."""
    young = clock.timestamp() - _GRACE_S
    for backend in tools.more_stores:
        found = [one for one in backend.store.present() if one.touched_at < young]
        owned = tools.db.read(locations.stores_of) if found else {}
        unfinished = tools.db.read(store.images_with_bytes) if found else {}
        for one in found:
            if one.image_id in owned.get(backend.store.name, set()) or unfinished.get(one.image_id):
                continue
            if one.upload_id is None:
                backend.store.delete(one.image_id)
            else:
                backend.store.delete_upload(one.image_id, one.upload_id)


def keep_cache(tools: ImageTools) -> None:
    """Let the cache be as large as it may be, and hold nothing that is broken or unwanted."""
    if tools.stores.are_several:
        cache.clean(tools)
        tools.db.write(cache.prune, tools.images.name, tools.image_limits.image_cache_max_size)
        cache.remove_dropped(tools)


RECONCILERS = [
    Reconciler(end_dead_uploads, every_s=30.0, name="image.end_dead_uploads"),
    Reconciler(remove_orphans_elsewhere, every_s=300.0, name="image.remove_orphans_elsewhere"),
    Reconciler(keep_cache, every_s=300.0, name="image.keep_cache", wake=[cache.TOPIC]),
    Reconciler(remove_orphans, every_s=300.0, name="image.remove_orphans"),
]
