"""Images: create, list, show, update, delete, tag, switch off and on."""

from typing import Any
from urllib.parse import urlencode

from cumulo.kit.clock import iso_z
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.image import images
from cumulo.services.image.api.image_fields import check_value, spec_of
from cumulo.services.image.api.image_queries import question_of
from cumulo.services.image.api.image_updates import NEW, OLD, changes_of
from cumulo.services.image.image_lists import Page
from cumulo.services.image.images import Image
from cumulo.services.image.imports import methods_of
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import delete_image as removal
from cumulo.web import Call, Reply, Routes
from cumulo.web.paging import following

routes = Routes()
_TOLD = {"os_glance_importing_to_stores": "pending", "os_glance_failed_import": "failed"}
_PLAIN = (
    "name", "disk_format", "container_format", "visibility", "size", "virtual_size", "status",
    "checksum", "protected", "min_ram", "min_disk", "owner", "os_hidden", "os_hash_algo",
    "os_hash_value", "id", "tags",
)  # fmt: skip


@routes.post("/v2/images", policy="add_image", status=201)
def create_image(call: Call[ImageTools], body: dict[str, Any]) -> Reply:
    """Create an image record; its data is uploaded afterwards."""
    spec = spec_of(body)
    image = call.db.write(images.new_image, call.ctx, spec, call.tools.image_limits)
    headers = {
        "Location": f"{call.url}/v2/images/{image.id}",
        "OpenStack-image-import-methods": ",".join(methods_of(call.tools)),
        "OpenStack-image-store-ids": ",".join(call.tools.stores.names),
    }
    return Reply(_show(call, image), headers=headers)


@routes.get("/v2/images", policy="get_images")
def list_images(call: Call[ImageTools]) -> dict[str, Any]:
    """List the images that the caller may see; any field or property is a filter."""
    limits = call.tools.image_limits
    asked = question_of(
        call.filters, default_limit=limits.limit_param_default, most=limits.api_limit_max
    )
    page = Page(order=asked.order, limit=asked.limit, after=_marker(call, asked.marker))
    found = call.db.read(images.images_visible, call.ctx, asked.member_status, asked.wanted, page)
    kept = [(k, v) for k, values in call.filters.items() if k != "marker" for v in values]
    shown: dict[str, Any] = {
        "images": [_show(call, image) for image in found],
        "first": f"/v2/images?{urlencode(kept)}" if kept else "/v2/images",
        "schema": "/v2/schemas/images",
    }
    if found and len(found) == asked.limit:
        shown["next"] = f"/v2/images?{following(call.filters, found[-1].id)}"
    return shown


@routes.get("/v2/images/{image_id}", policy="get_image")
def show_image(call: Call[ImageTools], image_id: str) -> dict[str, Any]:
    """Show an image."""
    return _show(call, call.db.read(images.image_visible, call.ctx, image_id))


@routes.patch("/v2/images/{image_id}", policy="modify_image", media=(OLD, NEW))
def update_image(call: Call[ImageTools], image_id: str, body: list[Any]) -> dict[str, Any]:
    """Change an image's fields and properties by a JSON patch."""
    media = call.headers["content-type"].partition(";")[0].strip().lower()
    changes = changes_of(body, media)
    limits = call.tools.image_limits
    return _show(call, call.db.write(images.update_image, call.ctx, image_id, changes, limits))


@routes.delete("/v2/images/{image_id}", policy="delete_image", status=204)
def delete_image(call: Call[ImageTools], image_id: str) -> None:
    """Delete an image and its data."""
    call.db.write(removal.delete_image, call.ctx, image_id)


@routes.post("/v2/images/{image_id}/actions/deactivate", policy="deactivate", status=204)
def deactivate_image(call: Call[ImageTools], image_id: str) -> None:
    """Forbid the use of an image's data, without deleting it."""
    call.db.write(images.deactivate_image, call.ctx, image_id)


@routes.post("/v2/images/{image_id}/actions/reactivate", policy="reactivate", status=204)
def reactivate_image(call: Call[ImageTools], image_id: str) -> None:
    """Permit the use of an image's data again."""
    call.db.write(images.reactivate_image, call.ctx, image_id)


@routes.put("/v2/images/{image_id}/tags/{tag}", policy="modify_image", status=204)
def add_tag(call: Call[ImageTools], image_id: str, tag: str) -> None:
    """Give an image a tag."""
    check_value("tags", [tag])
    call.db.write(images.add_tag, call.ctx, image_id, tag, call.tools.image_limits)


@routes.delete("/v2/images/{image_id}/tags/{tag}", policy="modify_image", status=204)
def delete_tag(call: Call[ImageTools], image_id: str, tag: str) -> None:
    """Take a tag from an image."""
    call.db.write(images.remove_tag, call.ctx, image_id, tag)


def _marker(call: Call[ImageTools], marker: str | None) -> Image | None:
    if marker is None:
        return None
    try:
        return call.db.read(images.image_visible, call.ctx, marker)
    except NotFound as error:
        raise Invalid(error.message) from error


def _show(call: Call[ImageTools], image: Image) -> dict[str, Any]:
    shown: dict[str, Any] = {**image.properties, **{name: getattr(image, name) for name in _PLAIN}}
    of_urls = call.tools.stores.of_urls
    shown["created_at"] = iso_z(image.created_at)
    shown["updated_at"] = iso_z(image.updated_at)
    shown["self"] = f"/v2/images/{image.id}"
    shown["file"] = f"/v2/images/{image.id}/file"
    shown["schema"] = "/v2/schemas/image"
    if image.status in ("active", "deactivated"):
        shown["stores"] = ",".join(store.name for store in call.tools.stores.holding(image))
    elif any(one.status == "failed" and one.store == of_urls for one in image.locations):
        shown["stores"] = of_urls  # real services keep the location of what they refused
    under_way = any(one.status != "active" for one in image.locations)
    if under_way or (call.tools.stores.are_several and image.locations):
        for name, status in _TOLD.items():
            shown[name] = ",".join(one.store for one in image.locations if one.status == status)
    return shown
