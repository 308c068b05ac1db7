"""Imports of data that is staged or that a URL names."""

from typing import Any

import msgspec

from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.image import imports
from cumulo.services.image.api.tasks import TasksView, shown
from cumulo.services.image.imports import Wish, methods_of
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import copy_image as copying
from cumulo.services.image.workflows import import_image as importing
from cumulo.web import Call, Routes

routes = Routes()


class Method(msgspec.Struct, forbid_unknown_fields=True):
    """The way of import."""

    name: str
    uri: str | None = None


class ImportBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A wish to have an image's data imported, and to which stores."""

    method: Method
    stores: list[str] | None = None
    all_stores: bool = False
    all_stores_must_succeed: bool = True


@routes.get("/v2/info/import", policy="get_images")
def show_import_methods(call: Call[ImageTools]) -> dict[str, Any]:
    """List the ways of import."""
    methods = {
        "description": "Import methods available.",
        "type": "array",
        "value": methods_of(call.tools),
    }
    return {"import-methods": methods}


@routes.post("/v2/images/{image_id}/import", policy="modify_image", status=202)
def import_image(call: Call[ImageTools], image_id: str, body: ImportBody) -> None:
    """Import an image's staged data; the answer comes before the image is active."""
    stores = _chosen(call, body)
    method: dict[str, Any] = {"name": body.method.name}
    if body.method.uri is not None:
        if body.method.name != "web-download":
            raise Invalid("'uri' is for the 'web-download' method only.", field="method.uri")
        method["uri"] = body.method.uri
    said = {"image_id": image_id, "import_req": {"method": method}}
    wish = Wish(
        method=body.method.name,
        uri=body.method.uri,
        said=said,
        stores=stores,
        all_must_succeed=body.all_stores_must_succeed,
    )
    if body.method.name == "copy-image" and call.tools.stores.are_several:
        call.db.write(copying.copy_image, call.ctx, image_id, wish)
        return
    call.db.write(importing.import_image, call.ctx, image_id, wish, call.tools.image_limits)


@routes.get("/v2/images/{image_id}/tasks", policy="modify_image", on_target=True)
def list_image_tasks(call: Call[ImageTools], image_id: str) -> TasksView:
    """List the imports of an image."""
    found = call.db.read(imports.tasks_of_image, call.ctx, image_id)
    return TasksView([shown(task) for task in found])


def _chosen(call: Call[ImageTools], body: ImportBody) -> list[str]:
    """Return the stores that were asked for, by name or by the header, or the default."""
    if body.stores and body.all_stores:
        raise Invalid("stores parameter can't be given with all_stores set.", field="stores")
    stores, header = call.tools.stores, call.headers.get("x-image-meta-store")
    if body.all_stores:
        return stores.writable
    wanted = body.stores or [header or stores.default.name]
    return list(dict.fromkeys(stores.chosen(name).name for name in wanted))


@routes.delete("/v2/stores/{store_id}/{image_id}", policy="delete_image_location", status=204)
def delete_from_store(call: Call[ImageTools], store_id: str, image_id: str) -> None:
    """Remove an image's data from one of the stores that have it."""
    if store_id not in call.tools.stores.backends:
        raise NotFound(f"There is no store '{store_id[:64]}' among stores.")
    call.db.write(copying.remove_copy, call.ctx, image_id, store_id)
