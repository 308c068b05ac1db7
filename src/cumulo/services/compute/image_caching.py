"""Images that hosts of an aggregate are to have before a guest needs them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.compute.new_servers import image_facts
from cumulo.services.compute.store import aggregates as store
from cumulo.services.compute.store.aggregates import Aggregate
from cumulo.services.image import public as images
from cumulo.work import events, runs_under_way

KIND = "compute.cache_images"


class CacheImages(msgspec.Struct, frozen=True, kw_only=True):
    """Which host is to have which images, with what servers keep of them."""

    host: str
    images: dict[str, dict[str, Any]]


def is_wanted(tx: Tx, host: str, image_id: str) -> bool:
    """Say whether a host is on its way to have an image before a guest needs it."""
    asked = (run for run in runs_under_way(tx) if run.kind == KIND)
    found = (msgspec.json.decode(run.params, type=CacheImages) for run in asked)
    return any(one.host == host and image_id in one.images for one in found)


def check_cacheable(
    tx: Tx, ctx: Context, aggregate_id: int, image_ids: Sequence[str]
) -> tuple[Aggregate, dict[str, dict[str, object]]]:
    """Return the aggregate, and what hosts must know of each image; record that it is asked."""
    if len(set(image_ids)) < len(image_ids):
        raise Invalid("Duplicate images in request", field="cache")
    aggregate = store.aggregate_get(tx, aggregate_id)
    found = {image_id: _facts(tx, ctx, image_id) for image_id in image_ids}
    events.record(
        tx,
        ctx,
        resource="aggregate",
        resource_id=aggregate.uuid,
        action="cache_images",
        after={"images": sorted(found)},
    )
    return aggregate, found


def _facts(tx: Tx, ctx: Context, image_id: str) -> dict[str, object]:
    try:
        facts = image_facts(images.get_image(tx, ctx, image_id))["image"]
    except (NotFound, Conflict) as error:
        raise Invalid(f"Image {image_id} cannot be cached: {error.message}") from error
    assert isinstance(facts, dict)
    return facts
