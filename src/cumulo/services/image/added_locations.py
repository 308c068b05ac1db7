"""Locations that clients add: an image's bytes stay where a URL leads.

They are read once before the image is active, inspected and hashed like any others, and kept
nowhere; whoever reads them later has them verified.
"""

import binascii
import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Forbidden, Invalid
from cumulo.services.image.image_data import Arrival, Received, finish
from cumulo.services.image.images import image_visible, require
from cumulo.services.image.imports import Wish, begin_fetch, filtered, new_task
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import images, locations, tasks
from cumulo.services.image.stores import Stores
from cumulo.work import Caller

Algorithm: TypeAlias = Literal["sha1", "sha256", "sha512", "md5"]


class AddedLocation(msgspec.Struct, frozen=True, kw_only=True):
    """From where an image's bytes are to be read, and what is known of them."""

    url: str
    os_hash_algo: Algorithm = "sha512"
    os_hash_value: str | None = None
    said: dict[str, Any] = {}  # as the client said it


class AddLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Which image gets which location, and under which task that is told."""

    image_id: str
    upload_id: str
    task_id: str
    store: str
    url: str
    os_hash_algo: str
    os_hash_value: str | None


def begin_location(
    tx: Tx, ctx: Context, image_id: str, wanted: AddedLocation, stores: Stores, limits: ImageLimits
) -> AddLocation:
    """Let an image wait until what a URL names has been read; the caller starts the workflow."""
    image = image_visible(tx, ctx, image_id)
    if image.status != "queued":
        raise Conflict(
            f"It's not allowed to add locations if image status is {image.status}.",
            image_id=image_id,
        )
    require(ctx, "add_image_location", image)
    store = _store_of(stores, ctx, wanted.url)
    _check_hash(wanted)
    url = filtered(wanted.url, limits.import_filtering_opts, "add location", "url")
    for name in ("container_format", "disk_format"):
        if not getattr(image, name):
            raise Invalid(f"Property {name} must be set prior to saving data.", field=name)
    upload_id = begin_fetch(tx, image, limits)
    said = {"image_id": image_id, **wanted.said}
    task = new_task(tx, ctx, image, Wish(method="", said=said, type="location_import"))
    locations.locations_delete(tx, image_id)
    locations.location_set(tx, image_id, store, "pending", url)
    return AddLocation(
        image_id=image_id,
        upload_id=upload_id,
        task_id=task.id,
        store=store,
        url=url,
        os_hash_algo=wanted.os_hash_algo,
        os_hash_value=wanted.os_hash_value,
    )


def check_same(wanted: AddLocation, received: Received) -> None:
    """Refuse bytes that are not those that the client said there were."""
    found, expected = received.digests.os_hash_value, wanted.os_hash_value
    if expected is not None and expected.lower() != found:
        raise Invalid(f"os_hash_value: ({expected}) not matched with actual ({found}).")


def end_location(
    tx: Tx, caller: Caller, wanted: AddLocation, received: Received, limits: ImageLimits
) -> bool:
    """Make an image active whose bytes are where its location says; say whether it is."""
    arrival = Arrival(
        image_id=wanted.image_id,
        upload_id=wanted.upload_id,
        received=received,
        stores=[wanted.store],
    )
    if not finish(tx, caller, arrival, limits):
        image = images.image_find(tx, wanted.image_id)
        return image is not None and image.status == "active"
    tasks.task_move(tx, wanted.task_id, "success")
    return True


def _store_of(stores: Stores, ctx: Context, url: str) -> str:
    if stores.of_urls is not None:
        return stores.of_urls
    if "service" not in ctx.roles:
        raise Forbidden("http store must be enabled to use location API by normal user.")
    raise Invalid(
        f"Invalid location: {url[:64]}: there is no store that reads from such places. Import "
        "the image by web-download instead.",
        field="url",
    )


def _check_hash(wanted: AddedLocation) -> None:
    if wanted.os_hash_value is None:
        return
    try:
        found = len(binascii.unhexlify(wanted.os_hash_value))
    except ValueError as error:
        raise Invalid(
            "os_hash_value is not a valid hexadecimal value.", field="validation_data.os_hash_value"
        ) from error
    size = hashlib.new(wanted.os_hash_algo, usedforsecurity=False).digest_size
    if found != size:
        raise Invalid(
            f"os_hash_value is not the correct size for {wanted.os_hash_algo} "
            f"(should be {size} bytes).",
            field="validation_data.os_hash_value",
        )
