"""/v2/cache: the copies, where servers start from, of images that lie elsewhere.

Where all images lie there anyway it is off, as with Glance where nobody says in which directory
it is to be.
"""

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.services.image import cache
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import cache_image as caching
from cumulo.web import Call, Reply, Routes

routes = Routes()
_AT = "/v2/cache"


class CachedView(msgspec.Struct):
    """A copy of an image; times are in seconds since 1970."""

    image_id: str
    hits: int
    last_accessed: float
    last_modified: float
    size: int


class CacheView(msgspec.Struct):
    """What is cached, and what is to be."""

    cached_images: list[CachedView]
    queued_images: list[str]


class PrunedView(msgspec.Struct):
    """What was taken out of the cache."""

    total_files_pruned: int
    total_bytes_pruned: int


@routes.get(_AT, policy="cache_list")
def list_cache(call: Call[ImageTools]) -> CacheView:
    """List what is cached and what is to be."""
    _check_enabled(call)
    found = call.db.read(cache.contents)
    fields = CachedView.__struct_fields__
    return CacheView(
        [
            CachedView(*(getattr(one, name) for name in fields))
            for one in found
            if one.status == "cached"
        ],
        [one.image_id for one in found if one.status != "cached"],
    )


@routes.delete(_AT, policy="cache_delete", status=204)
def clear_cache(call: Call[ImageTools]) -> None:
    """Empty the cache, or what waits for it, or both."""
    _check_enabled(call)
    call.db.write(cache.clear, call.headers.get("x-image-cache-clear-target", "").lower())


@routes.post(f"{_AT}/clean", policy="cache_clean", status=200)
def clean_cache(call: Call[ImageTools]) -> None:
    """Forget what is not there, and what stopped on its way."""
    _check_enabled(call)
    cache.clean(call.tools)


@routes.post(f"{_AT}/prune", policy="cache_prune", status=200)
def prune_cache(call: Call[ImageTools]) -> PrunedView:
    """Make the cache as small as it is to be."""
    _check_enabled(call)
    most = call.tools.image_limits.image_cache_max_size
    return PrunedView(*call.db.write(cache.prune, call.tools.images.name, most))


@routes.get(f"{_AT}/nodes/{{image_id}}", policy="list_cached_nodes")
def list_cached_nodes(call: Call[ImageTools], image_id: str) -> Reply:
    """List the nodes that have an image cached."""
    _check_enabled(call)
    found = [call.url] if call.db.read(cache.is_cached, call.ctx, image_id) else []
    return Reply(msgspec.json.encode(found), content_type="application/json")


@routes.put(f"{_AT}/{{image_id}}", policy="cache_image", status=202)
def cache_image(call: Call[ImageTools], image_id: str) -> None:
    """Have an image cached; the answer comes before it is."""
    _check_enabled(call)
    call.db.write(caching.cache_image, call.ctx, image_id)


@routes.delete(f"{_AT}/{{image_id}}", policy="cache_delete", status=204)
def forget_cached(call: Call[ImageTools], image_id: str) -> None:
    """Remove an image from the cache, or from what waits for it."""
    _check_enabled(call)
    call.db.write(cache.drop, call.ctx, image_id)


def _check_enabled(call: Call[ImageTools]) -> None:
    if not call.tools.stores.are_several:
        raise NotFound("Caching via API is not supported at this site.")
