"""What other services may ask of images, in their own transaction."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from cumulo.auth import Context, Policy
from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.image import cache, image_data, images
from cumulo.services.image.assembly import more_stores as more_stores
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.images import FIELDS as FIELDS
from cumulo.services.image.images import Change as Change
from cumulo.services.image.images import ImageSpec as ImageSpec
from cumulo.services.image.images import image_visible as image_visible
from cumulo.services.image.images import images_visible as images_visible
from cumulo.services.image.images import update_image as update_image
from cumulo.services.image.inspection import DISKS
from cumulo.services.image.limits import ImageLimits as ImageLimits
from cumulo.services.image.metadefs import add_first_resource_types as add_first_resource_types
from cumulo.services.image.policy import RULES
from cumulo.services.image.store.image_list import Page as Page
from cumulo.services.image.store.image_list import Viewer, image_list
from cumulo.services.image.store.image_list import Wanted as Wanted
from cumulo.services.image.tools import ImageTools as ImageTools
from cumulo.services.image.workflows.delete_image import delete_image as delete_image

StoredImage: TypeAlias = images.Image


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image as those who start servers from it see it."""

    id: str
    name: str | None
    owner: str | None
    status: str
    visibility: str
    disk_format: str  # what the bytes were found to be; always name it to QEMU
    container_format: str
    size: int
    virtual_size: int  # of the disk that a guest would see
    min_disk: int  # GiB
    min_ram: int  # MiB
    checksum: str  # MD5
    os_hash_algo: str
    os_hash_value: str
    properties: dict[str, str]
    tags: list[str]


def get_image(tx: Tx, ctx: Context, image_id: str) -> Image:
    """Return an active image that the caller may see and read.

    Raises NotFound where there is none for this caller, Conflict while it cannot be used.
    """
    image = images.image_visible(tx, ctx, image_id)
    if image.status != "active":
        raise Conflict(f"Image {image_id} is not active.", image_id=image_id, status=image.status)
    images.require(ctx, "download_image", image)
    if image.container_format not in DISKS:
        raise Conflict(
            f"Image {image_id} has container_format {image.container_format}; servers start from "
            f"{', '.join(sorted(DISKS))} only.",
            image_id=image_id,
        )
    return _shown(image)


def find_image(tx: Tx, ctx: Context, image_id: str) -> Image | None:
    """Return what is to be shown of an image a server was made from, if the caller may see it."""
    try:
        image = images.image_visible(tx, ctx, image_id)
    except NotFound:
        return None
    return _shown(image) if image.status in ("active", "deactivated") else None


def read(tools: ImageTools, image_id: str) -> Iterator[bytes]:
    """Yield an image's bytes, from whichever store has them."""
    image = tools.db.read(images.image_visible, as_the_cloud(), image_id)
    return cache.read(tools, image, 0, image.size or 0)


def bring(tools: ImageTools, image_id: str) -> None:
    """Let an image's bytes lie in the first store too, from where servers start.

    They stay there as a copy that the image does not tell of, but the cache does.
    """
    if not tools.stores.are_several:
        return
    try:
        image = tools.db.read(images.image_visible, as_the_cloud(), image_id)
    except NotFound:
        return  # it was deleted; a host that started servers from it before has it
    if cache.is_elsewhere(tools, image):
        cache.bring(tools, image)


def path_of(directory: Path, image_id: str) -> Path:
    """Return where the file store keeps an image's bytes.

    The file never changes, and goes when the image is deleted: link or copy it before use.
    """
    return directory / image_id


def new_image(tx: Tx, ctx: Context, spec: ImageSpec, limits: ImageLimits) -> str:
    """Record an image that a server's disk will be written to; return its id."""
    return images.new_image(tx, ctx, spec, limits).id


def upload(
    db: Database,
    ctx: Context,
    store: ImageStore,
    limits: ImageLimits,
    image_id: str,
    pieces: Iterable[bytes],
) -> None:
    """Take an image's bytes in, hashed and inspected; afterwards it is active, or still queued."""
    given = image_data.Upload(image_id=image_id, pieces=pieces)
    image_data.upload(db, ctx, store, limits, given)


def as_the_cloud() -> Context:
    """Return the context in which the cloud itself handles images, whosever they are."""
    return Context(user_id="cumulo", roles=frozenset({"admin"}), policy=_policy())


@functools.cache
def _policy() -> Policy:
    return Policy(RULES)


def images_with(tx: Tx, properties: Mapping[str, str]) -> list[str]:
    """Return the ids of the images that have these properties, newest first."""
    anyone = Viewer(project_id=None, is_admin=True, member_status="all")
    page = Page(order=[("created_at", True), ("id", True)], limit=1000)
    found = image_list(tx, anyone, Wanted(properties=dict(properties)), page)
    return [image.id for image in found]


def _shown(image: images.Image) -> Image:
    size = image.size or 0
    return Image(
        id=image.id,
        name=image.name,
        owner=image.owner,
        status=image.status,
        visibility=image.visibility,
        disk_format=image.disk_format or "",
        container_format=image.container_format or "",
        size=size,
        virtual_size=image.virtual_size or size,
        min_disk=image.min_disk,
        min_ram=image.min_ram,
        checksum=image.checksum or "",
        os_hash_algo=image.os_hash_algo or "",
        os_hash_value=image.os_hash_value or "",
        properties=image.properties,
        tags=image.tags,
    )
