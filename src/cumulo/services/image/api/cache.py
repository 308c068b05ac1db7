"""/v2/cache: a cache of images before the stores, which this service does not need.

The stores are as near as a cache would be, so it is off, as it is with Glance where nobody says
in which directory it is to be.
"""

from collections.abc import Callable

from cumulo.kit.errors import NotFound
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Routes

routes = Routes()
_AT = "/v2/cache"


def _refuse() -> None:
    raise NotFound("Caching via API is not supported at this site.")


def list_cache(call: Call[ImageTools]) -> None:
    """List what is cached and what is to be."""
    _refuse()


def clear_cache(call: Call[ImageTools]) -> None:
    """Empty the cache."""
    _refuse()


def clean_cache(call: Call[ImageTools]) -> None:
    """Remove what is broken from the cache."""
    _refuse()


def prune_cache(call: Call[ImageTools]) -> None:
    """Make the cache as small as it is to be."""
    _refuse()


def list_cached_nodes(call: Call[ImageTools], image_id: str) -> None:
    """List the nodes that have an image cached."""
    _refuse()


def cache_image(call: Call[ImageTools], image_id: str) -> None:
    """Have an image cached."""
    _refuse()


def forget_cached(call: Call[ImageTools], image_id: str) -> None:
    """Remove an image from the cache."""
    _refuse()


_OPERATIONS: list[tuple[str, str, str, int, Callable[..., None]]] = [
    ("GET", _AT, "cache_list", 200, list_cache),
    ("DELETE", _AT, "cache_delete", 204, clear_cache),
    ("POST", f"{_AT}/clean", "cache_clean", 200, clean_cache),
    ("POST", f"{_AT}/prune", "cache_prune", 200, prune_cache),
    ("GET", f"{_AT}/nodes/{{image_id}}", "list_cached_nodes", 200, list_cached_nodes),
    ("PUT", f"{_AT}/{{image_id}}", "cache_image", 202, cache_image),
    ("DELETE", f"{_AT}/{{image_id}}", "cache_delete", 204, forget_cached),
]
for _method, _path, _rule, _status, _do in _OPERATIONS:
    routes.add(_method, _path, policy=_rule, status=_status)(_do)
