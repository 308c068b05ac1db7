"""Images for clients that ask compute for them: as Glance has them, in Nova's words."""

from collections.abc import Mapping
from typing import TypeAlias

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.compute.tools import Tools
from cumulo.services.image import public as images

Image: TypeAlias = images.StoredImage
Wanted = images.Wanted
_NEWEST_FIRST = [("created_at", True), ("id", True)]
# What a client calls a status -> what Glance calls it.
_STATUSES = {"ACTIVE": ["active"], "SAVING": ["queued", "saving", "uploading", "importing"]}
_SHOWN = {glances: novas for novas, several in _STATUSES.items() for glances in several}
_PROGRESS = {"queued": 25, "saving": 50, "active": 100}


def status_of(image: Image) -> str:
    """Return what a client calls the image's status."""
    return _SHOWN.get(image.status, "UNKNOWN")


def statuses_called(status: str) -> list[str]:
    """Return the statuses that a client calls by one name."""
    return _STATUSES.get(status.upper(), ["unknown"])


def progress_of(image: Image) -> int:
    """Return how far an image is, as it always was told: by its status."""
    return _PROGRESS.get(image.status, 0)


def show_image(tx: Tx, ctx: Context, image_id: str) -> Image:
    """Return an image the caller may know of."""
    try:
        return images.image_visible(tx, ctx, image_id)
    except NotFound as error:
        raise NotFound("Image not found.", image_id=image_id) from error


def list_images(tx: Tx, ctx: Context, wanted: Wanted, most: int, marker: str | None) -> list[Image]:
    """Return a page of the images that the caller may know of, the newest first."""
    after = None
    if marker is not None:
        try:
            after = images.image_visible(tx, ctx, marker)
        except NotFound as error:
            raise Invalid(f"marker {marker} is no image.", field="marker") from error
    page = images.Page(order=_NEWEST_FIRST, limit=most, after=after)
    return images.images_visible(tx, ctx, "accepted", wanted, page)


def delete_image(tx: Tx, ctx: Context, image_id: str) -> None:
    """Delete an image."""
    show_image(tx, ctx, image_id)
    images.delete_image(tx, ctx, image_id)


def change_metadata(
    tx: Tx,
    ctx: Context,
    tools: Tools,
    image_id: str,
    items: Mapping[str, str],
    *,
    replace: bool,
) -> dict[str, str]:
    """Set properties of an image, and remove all others if `replace`; return those it has."""
    image = show_image(tx, ctx, image_id)
    for name in items.keys() & images.FIELDS:
        raise Invalid(
            f"{name} is a field of images, not metadata: change it in Glance.", field=name
        )
    gone = image.properties.keys() - items.keys() if replace else ()
    changes = [images.Change("remove", name) for name in sorted(gone)]
    changes += [images.Change("add", name, value) for name, value in items.items()]
    limits = tools.image.image_limits
    return images.update_image(tx, ctx, image_id, changes, limits).properties


def metadata_item(tx: Tx, ctx: Context, image_id: str, key: str) -> str:
    """Return a property of an image."""
    image = show_image(tx, ctx, image_id)
    if key not in image.properties:
        raise NotFound("Metadata item was not found", key=key)
    return image.properties[key]


def remove_metadata(tx: Tx, ctx: Context, tools: Tools, image_id: str, key: str) -> None:
    """Remove a property of an image."""
    metadata_item(tx, ctx, image_id, key)
    gone = [images.Change("remove", key)]
    images.update_image(tx, ctx, image_id, gone, tools.image.image_limits)
