"""/images and their metadata, for clients that do not ask Glance."""

from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.clock import iso_z
from cumulo.kit.errors import Invalid
from cumulo.services.compute import images
from cumulo.services.compute.api.links import Place, links_to, next_links
from cumulo.services.compute.api.queries import MOST, Limit
from cumulo.services.compute.api.server_bodies import Metadata
from cumulo.services.compute.images import Image, Wanted
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseInt, Routes
from cumulo.web.paging import Link

Call: TypeAlias = _Call[Tools]
routes = Routes()
_ALL, _ONE = "/v2.1/images", "/v2.1/images/{image_id}"
_ITEMS, _ITEM = f"{_ONE}/metadata", f"{_ONE}/metadata/{{key}}"


class ServerRef(msgspec.Struct):
    """The server that an image was made of."""

    id: str
    links: list[Link]


class ShortImage(msgspec.Struct, kw_only=True):
    """An image in a list."""

    id: str
    name: str | None
    links: list[Any]


class FullImage(ShortImage, kw_only=True):
    """An image with all that is known of it."""

    min_ram: int = msgspec.field(name="minRam")
    min_disk: int = msgspec.field(name="minDisk")
    metadata: dict[str, str]
    created: str
    updated: str
    status: str
    progress: int
    size: int | None = msgspec.field(name="OS-EXT-IMG-SIZE:size")
    server: ServerRef | UnsetType = UNSET


class ImageBody(msgspec.Struct):
    """One image."""

    image: FullImage


class ImagesBody(msgspec.Struct):
    """Images in short."""

    images: list[ShortImage]
    images_links: list[Link] | UnsetType = UNSET


class FullImagesBody(msgspec.Struct):
    """Images."""

    images: list[FullImage]
    images_links: list[Link] | UnsetType = UNSET


class MetadataBody(msgspec.Struct, forbid_unknown_fields=True):
    """All items."""

    metadata: Metadata


class MetaBody(msgspec.Struct, forbid_unknown_fields=True):
    """One item."""

    meta: Metadata


class ImagesQuery(msgspec.Struct, kw_only=True):
    """Which images to list."""

    limit: Limit = MOST
    marker: str | None = None
    name: str | None = None
    status: str | None = None
    server: str | None = None
    type: str | None = None
    min_ram: LooseInt | None = msgspec.field(name="minRam", default=None)
    min_disk: LooseInt | None = msgspec.field(name="minDisk", default=None)
    changes_since: datetime | None = msgspec.field(name="changes-since", default=None)


@routes.get(_ALL, policy="", until="2.35")
def list_images(call: Call, query: ImagesQuery) -> ImagesBody:
    """List the names of images."""
    found, following = _found(call, query)
    place = Place(call, "images")
    return ImagesBody(
        [ShortImage(id=one.id, name=one.name, links=_links(call, place, one.id)) for one in found],
        following,
    )


@routes.get(f"{_ALL}/detail", policy="", until="2.35")
def list_images_with_details(call: Call, query: ImagesQuery) -> FullImagesBody:
    """List images."""
    found, following = _found(call, query)
    place = Place(call, "images")
    return FullImagesBody([_full(call, place, one) for one in found], following)


@routes.get(_ONE, policy="", until="2.35")
def show_image(call: Call, image_id: str) -> ImageBody:
    """Show an image."""
    found = call.db.read(images.show_image, call.ctx, image_id)
    return ImageBody(_full(call, Place(call, "images"), found))


@routes.delete(_ONE, policy="", status=204, until="2.35")
def delete_image(call: Call, image_id: str) -> None:
    """Delete an image."""
    call.db.write(images.delete_image, call.ctx, image_id)


@routes.get(_ITEMS, policy="", until="2.38")
def list_image_metadata(call: Call, image_id: str) -> MetadataBody:
    """List the properties of an image."""
    return MetadataBody(call.db.read(images.show_image, call.ctx, image_id).properties)


@routes.post(_ITEMS, policy="", until="2.38")
def add_image_metadata(call: Call, image_id: str, body: MetadataBody) -> MetadataBody:
    """Add properties to an image, or change those that are there."""
    return MetadataBody(_change(call, image_id, body.metadata, replace=False))


@routes.put(_ITEMS, policy="", until="2.38")
def replace_image_metadata(call: Call, image_id: str, body: MetadataBody) -> MetadataBody:
    """Replace all properties of an image."""
    return MetadataBody(_change(call, image_id, body.metadata, replace=True))


@routes.get(_ITEM, policy="", until="2.38")
def show_image_metadata(call: Call, image_id: str, key: str) -> MetaBody:
    """Show one property of an image."""
    return MetaBody({key: call.db.read(images.metadata_item, call.ctx, image_id, key)})


@routes.put(_ITEM, policy="", until="2.38")
def set_image_metadata(call: Call, image_id: str, key: str, body: MetaBody) -> MetaBody:
    """Set one property of an image."""
    if len(body.meta) != 1 or key not in body.meta:
        raise Invalid("Request body and URI mismatch: meta must hold the key of the address only.")
    _change(call, image_id, body.meta, replace=False)
    return body


@routes.delete(_ITEM, policy="", status=204, until="2.38")
def delete_image_metadata(call: Call, image_id: str, key: str) -> None:
    """Remove one property of an image."""
    call.db.write(images.remove_metadata, call.ctx, call.tools, image_id, key)


def _change(call: Call, image_id: str, items: dict[str, str], *, replace: bool) -> dict[str, str]:
    return call.db.write(
        lambda tx: images.change_metadata(
            tx, call.ctx, call.tools, image_id, items, replace=replace
        )
    )


def _found(call: Call, query: ImagesQuery) -> tuple[list[Image], list[Link] | UnsetType]:
    most = min(query.limit, MOST)
    found = call.db.read(images.list_images, call.ctx, _wanted(call, query), most, query.marker)
    last = found[-1].id if found else None
    return found, next_links(call, "images", last, is_full=len(found) == most)


def _wanted(call: Call, query: ImagesQuery) -> Wanted:
    wanted = Wanted(flags={"os_hidden": False})
    if query.name is not None:
        wanted.any_of["name"] = [query.name]
    if query.status is not None:
        wanted.any_of["status"] = images.statuses_called(query.status)
    if query.server is not None:  # by its id or its address
        wanted.properties["instance_uuid"] = query.server.rstrip("/").rpartition("/")[2]
    if query.type is not None:
        wanted.properties["image_type"] = query.type
    if query.changes_since is not None:
        wanted.times.append(("updated_at", "gte", query.changes_since))
    for column, least in (("min_ram", query.min_ram), ("min_disk", query.min_disk)):
        if least is not None:
            wanted.at_least[column] = wanted.at_most[column] = least
    for name, values in call.filters.items():
        if name.startswith("property-"):
            wanted.properties[name.removeprefix("property-")] = values[-1]
    return wanted


def _full(call: Call, place: Place, image: Image) -> FullImage:
    server_id = image.properties.get("instance_uuid")
    return FullImage(
        id=image.id,
        name=image.name,
        min_ram=image.min_ram,
        min_disk=image.min_disk,
        metadata=image.properties,
        created=iso_z(image.created_at),
        updated=iso_z(image.updated_at),
        status=images.status_of(image),
        progress=images.progress_of(image),
        size=image.size,
        server=ServerRef(server_id, links_to(call, "servers", server_id)) if server_id else UNSET,
        links=_links(call, place, image.id),
    )


def _links(call: Call, place: Place, image_id: str) -> list[Any]:
    host = urlsplit(call.url)
    glance = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": f"{host.scheme}://{host.hostname}:{call.tools.image_port}/images/{image_id}",
    }
    return [*place.links(image_id), glance]
