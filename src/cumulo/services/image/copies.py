"""Copies: an active image's bytes in more stores, or in fewer."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Forbidden, NotFound
from cumulo.services.image.cache import refuse_removal
from cumulo.services.image.images import Image, image_visible, require
from cumulo.services.image.imports import Wish, new_task
from cumulo.services.image.store import images, locations, tasks
from cumulo.services.image.store.tasks import Task
from cumulo.services.image.stores import stores_of
from cumulo.work import Caller, events


def begin_copy(tx: Tx, ctx: Context, image_id: str, wish: Wish) -> tuple[Task, list[str]]:
    """Let an image's bytes be copied; return the task and the stores that lack them."""
    image = image_visible(tx, ctx, image_id)
    require(ctx, "copy_image", image)
    if image.status != "active":
        raise Conflict("Only images with status active can be targeted for copying")
    if any(one.status == "pending" for one in image.locations):
        raise Conflict(f"Image {image_id} is being copied already.")
    missing = [name for name in wish.stores if name not in stores_of(image)]
    if not missing:
        raise Conflict(f"Image {image_id} is in all of these stores: {', '.join(wish.stores)}.")
    refuse_removal(tx, image_id)
    locations.locations_delete(tx, image_id, status="failed")
    for name in missing:
        locations.location_set(tx, image_id, name, "pending")
    return new_task(tx, ctx, image, wish), missing


def image_to_copy(tx: Tx, image_id: str) -> Image:
    """Return an image that still is there."""
    image = images.image_find(tx, image_id)
    if image is None:
        raise NotFound(f"No image found with ID {image_id}", image_id=image_id)
    return image


def stores_told(tx: Tx, image_id: str) -> list[str]:
    """Return the stores that have an image's bytes, as it says itself; none if it is gone."""
    image = images.image_find(tx, image_id)
    return stores_of(image) if image is not None else []


def end_copy(tx: Tx, caller: Caller, task_id: str, image_id: str, arrived: list[str]) -> None:
    """Record where the bytes are now; those that did not get there have failed."""
    before = image_to_copy(tx, image_id)
    for name in arrived:
        locations.location_set(tx, image_id, name, "active")
    locations.locations_fail(tx, image_id)
    tasks.task_move(tx, task_id, "success" if arrived else "failure")
    _record(tx, caller, "copy", before)


def fail_copy(tx: Tx, task_id: str, image_id: str, message: str) -> None:
    """Record that nothing was copied, and why."""
    locations.locations_fail(tx, image_id)
    tasks.task_move(tx, task_id, "failure", message)


def forget_copy(tx: Tx, ctx: Context, image_id: str, store: str) -> None:
    """Let an image be in one store less; the caller starts what removes the bytes."""
    image = image_visible(tx, ctx, image_id)
    require(ctx, "delete_image_location", image)
    if image.status != "active":
        raise Conflict(f"Image {image_id} is {image.status}; only of an active one data can go.")
    if image.protected:
        raise Forbidden(f"Image {image_id} is protected and its data cannot be deleted.")
    if store not in stores_of(image):
        raise NotFound(f"Image {image_id} is not stored in store {store[:64]}.")
    if stores_of(image) == [store]:
        raise Forbidden(f"Image {image_id} is in no other store than {store}; delete the image.")
    locations.locations_delete(tx, image_id, stores=[store])
    _record(tx, ctx, "update", image)


def _record(tx: Tx, caller: Caller, action: str, before: Image) -> None:
    events.record(
        tx,
        caller,
        resource="image",
        resource_id=before.id,
        action=action,
        before=before,
        after=image_to_copy(tx, before.id),
        project_id=before.owner,
    )
