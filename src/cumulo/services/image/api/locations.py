"""/v2/images/{image_id}/locations: where an image's data lies, for other services."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.services.image import images
from cumulo.services.image.added_locations import AddedLocation, Algorithm
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import add_location as adding
from cumulo.web import Call, Reply, Routes

routes = Routes()
_AT = "/v2/images/{image_id}/locations"


class LocationView(msgspec.Struct):
    """A place where an image's data lies."""

    url: str
    metadata: dict[str, str]


class ValidationData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the data is known to be: both, or nothing."""

    os_hash_algo: Algorithm | UnsetType = UNSET
    os_hash_value: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse one without the other."""
        if (self.os_hash_algo is UNSET) != (self.os_hash_value is UNSET):
            raise ValueError("os_hash_algo and os_hash_value need each other")


class LocationSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A place from which the image's data is to be read, and what it is known to be."""

    url: Annotated[str, Meta(min_length=1, max_length=4096)]
    validation_data: ValidationData = ValidationData()


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
    """Let an image's data be read from where a URL leads, once it was seen to be good."""
    known = msgspec.to_builtins(body.validation_data)
    said = {"loc_url": body.url, "validation_data": known}
    wanted = AddedLocation(url=body.url, said=said, **known)
    call.db.write(adding.add_location, call.ctx, image_id, wanted, call.tools)
