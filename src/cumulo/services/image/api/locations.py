"""/v2/images/{image_id}/locations: where an image's data lies, for other services."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Invalid
from cumulo.services.image import images
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Reply, Routes

routes = Routes()
_AT = "/v2/images/{image_id}/locations"


class LocationView(msgspec.Struct):
    """A place where an image's data lies."""

    url: str
    metadata: dict[str, str]


class LocationSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A place from which the image's data is to be read, and what it is known to be."""

    url: Annotated[str, Meta(min_length=1, max_length=4096)]
    validation_data: dict[str, Any] = {}


@routes.get(_AT, policy="fetch_image_location")
def list_locations(call: Call[ImageTools], image_id: str) -> Reply:
    """List where the data of an image lies."""
    image = call.db.read(images.image_visible, call.ctx, image_id)
    found = [
        LocationView(store.location(image.id), {"store": store.name})
        for store in call.tools.stores.holding(image)
    ]
    return Reply(msgspec.json.encode(found), content_type="application/json")


@routes.post(_AT, policy="add_image_location", status=202, on_target=True)
def add_location(call: Call[ImageTools], image_id: str, body: LocationSpec) -> None:
    """Let an image's data be read from elsewhere: refused, no store here reads from elsewhere."""
    call.db.read(images.check_may_have_location, call.ctx, image_id)
    raise Invalid(
        f"Invalid location: {body.url[:64]}: there is no store that reads from such places. Import "
        "the image by web-download instead.",
        field="url",
    )
