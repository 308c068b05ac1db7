"""The cache: copies in the first store, where servers start from, of images that lie elsewhere.

A row says that a copy is wanted, on its way, or there; it is written before the copy and before
the copy is used.  A copy goes in the other order: its row says so, then its bytes go, then its
row; who needs it in that moment asks again later.  None goes that was used in the last minutes:
a host may still be reading it.
"""

import contextlib
from collections.abc import Callable, Iterator

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound, Unavailable
from cumulo.kit.ids import new_id
from cumulo.services.image.images import Image, image_visible, require
from cumulo.services.image.store import cached, images, locations
from cumulo.services.image.store.cached import Cached, CachedStatus
from cumulo.services.image.stores import copy
from cumulo.services.image.tools import ImageTools
from cumulo.work.reconciler import wake_after_commit

TOPIC = "image.cache"
_IN_USE_S = 600.0
_STALLED_S = 24 * 3600.0
_ALIVE_EVERY_S = 10.0
_SHOWN: tuple[CachedStatus, ...] = ("queued", "filling", "cached")


def is_elsewhere(tools: ImageTools, image: Image) -> bool:
    """Say whether an image's bytes lie in other stores than the first only."""
    holding = tools.stores.holding(image) if tools.stores.are_several else []
    return bool(holding) and tools.images not in holding


def bring(tools: ImageTools, image: Image, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Let an image that lies elsewhere have a copy, or use the one there is."""
    tools.db.write(_begin_use, image)
    if not _has_bytes(tools, image.id):
        with contextlib.ExitStack() as undo:
            undo.callback(lambda: tools.db.write(cached.cached_delete, image.id, ["filling"]))
            pieces = _while_alive(tools, image, tools.stores.read(image, 0, image.size or 0))
            copy((image.id, new_id()), pieces, tools.images, cancelled)
            undo.pop_all()
    tools.db.write(filled, image)


def read(tools: ImageTools, image: Image, start: int, length: int) -> Iterator[bytes]:
    """Yield an image's bytes, those of its copy if it has one."""
    if is_elsewhere(tools, image) and tools.db.write(cached.cached_hit, image.id):
        with contextlib.suppress(NotFound):
            return tools.images.read(image.id, start, length)
    return tools.stores.read(image, start, length)


def filled(tx: Tx, image: Image) -> None:
    """Record that the copy is there."""
    if images.image_find(tx, image.id) is None:
        return
    _wait_for_removal(tx, image.id)
    cached.cached_insert(tx, image.id, "cached", image.size or 0)
    cached.cached_move(tx, image.id, "cached", ["queued", "filling"])


def queue(tx: Tx, ctx: Context, image_id: str) -> None:
    """Record that an image is to have a copy; the caller starts what brings it."""
    image = image_visible(tx, ctx, image_id)
    require(ctx, "cache_image", image)
    if image.status != "active":
        raise Invalid("Only images with status active can be targeted for queueing")
    refuse_removal(tx, image_id)
    cached.cached_insert(tx, image_id, "queued", image.size or 0)
    cached.cached_move(tx, image_id, "queued", ["dropped"])


def is_waited_for(tx: Tx, image_id: str) -> bool:
    """Say whether a copy is still to be brought."""
    found = cached.cached_find(tx, image_id)
    return found is not None and found.status in ("queued", "filling")


def refuse_removal(tx: Tx, image_id: str) -> None:
    """Refuse what needs bytes in the first store in the moment that they go from there."""
    found = cached.cached_find(tx, image_id)
    if found is not None and found.status == "removing":
        raise Conflict(f"Image {image_id} is being removed from the cache; ask again.")


def drop(tx: Tx, ctx: Context, image_id: str) -> None:
    """Let an image have no copy; it goes once nobody uses it."""
    require(ctx, "cache_delete", image_visible(tx, ctx, image_id))
    _drop(tx, image_id, _SHOWN)


def clear(tx: Tx, target: str) -> None:
    """Let no image have a copy, or none be waited for, or both."""
    statuses: dict[str, tuple[CachedStatus, ...]] = {
        "": _SHOWN,
        "cache": ("cached",),
        "queue": ("queued", "filling"),
    }
    if target not in statuses:
        raise Invalid(
            "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.",
            field="x-image-cache-clear-target",
        )
    for one in cached.cached_list(tx):
        _drop(tx, one.image_id, statuses[target])


def contents(tx: Tx) -> list[Cached]:
    """Return the copies there are, and those that are waited for."""
    return [one for one in cached.cached_list(tx) if one.status in _SHOWN]


def is_cached(tx: Tx, ctx: Context, image_id: str) -> bool:
    """Say whether an image has a copy."""
    image_visible(tx, ctx, image_id)
    found = cached.cached_find(tx, image_id)
    return found is not None and found.status == "cached"


def clean(tools: ImageTools) -> None:
    """Forget copies that are not there, or stopped on their way; tell of those no row tells of.

    The rows are read before the store, so that a copy which comes meanwhile is not taken for lost.
    """
    known = tools.db.read(cached.cached_list)
    present = _touched(tools)
    stalled = clock.timestamp() - _STALLED_S
    for one in known:
        if one.status == "cached" and one.image_id not in present:
            tools.db.write(cached.cached_lost, one)
        if one.status == "filling" and one.last_accessed < stalled:
            tools.db.write(cached.cached_move, one.image_id, "dropped", ["filling"])
    owned = tools.db.read(locations.stores_of).get(tools.images.name, set())
    for image_id in present.keys() - owned - {one.image_id for one in known}:
        tools.db.write(_tell, image_id, tools.images.name)


def prune(tx: Tx, first: str, most_bytes: int) -> tuple[int, int]:
    """Drop what was used least lately, until no more is left than may be; say how much."""
    found = [one for one in cached.cached_list(tx) if one.status == "cached"]
    where = locations.locations_of(tx, [one.image_id for one in found])
    copies = [one for one in found if first not in _stores(where.get(one.image_id, []))]
    over = sum(one.size for one in copies) - most_bytes
    dropped: list[Cached] = []
    for one in sorted(copies, key=lambda one: one.last_accessed):
        if over > 0 and one.last_accessed < clock.timestamp() - _IN_USE_S:
            _drop(tx, one.image_id, ["cached"])
            dropped.append(one)
            over -= one.size
    return len(dropped), sum(one.size for one in dropped)


def remove_uncached(tools: ImageTools, image_id: str) -> None:
    """Remove bytes that were only to pass the first store, unless they serve as a copy by now."""
    if tools.db.write(_begin_removal_of_uncached, image_id):
        tools.images.delete(image_id)
        tools.db.write(cached.cached_delete, image_id, ["removing"])


def remove_dropped(tools: ImageTools) -> None:
    """Remove the bytes of copies that nobody wants and nobody uses."""
    going = [one for one in tools.db.read(cached.cached_list) if one.status not in _SHOWN]
    present = _touched(tools) if going else {}
    idle = clock.timestamp() - _IN_USE_S
    for one in going:
        if max(one.last_accessed, present.get(one.image_id, 0)) < idle and tools.db.write(
            _begin_removal, one.image_id, tools.images.name
        ):
            tools.images.delete(one.image_id)
            tools.db.write(cached.cached_delete, one.image_id, ["removing"])


def _while_alive(tools: ImageTools, image: Image, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces, and show now and then that the copy is on its way: nobody may remove it."""
    shown_at = clock.monotonic()
    for piece in pieces:
        if clock.monotonic() - shown_at > _ALIVE_EVERY_S:
            tools.db.write(cached.cached_alive, image.id)
            shown_at = clock.monotonic()
        yield piece


def _begin_use(tx: Tx, image: Image) -> None:
    if images.image_find(tx, image.id) is None:
        raise NotFound(f"No image found with ID {image.id}", image_id=image.id)
    _wait_for_removal(tx, image.id)
    cached.cached_insert(tx, image.id, "filling", image.size or 0)
    cached.cached_move(tx, image.id, "filling", ["queued", "dropped"])
    cached.cached_hit(tx, image.id)


def _wait_for_removal(tx: Tx, image_id: str) -> None:
    found = cached.cached_find(tx, image_id)
    if found is not None and found.status == "removing":
        raise Unavailable(f"The copy of image {image_id} is being removed.")


def _tell(tx: Tx, image_id: str, first: str) -> None:
    """Record a copy that is there, if its image is whole and lies elsewhere."""
    image = images.image_find(tx, image_id)
    if image is None or image.status not in ("active", "deactivated"):
        return
    where = _stores(image.locations)
    if where and first not in where:
        cached.cached_insert(tx, image_id, "cached", image.size or 0)


def _begin_removal(tx: Tx, image_id: str, first: str) -> bool:
    """Say whether bytes are to go: not those of an image that lies, or is to lie, there anyway."""
    where = locations.locations_of(tx, [image_id]).get(image_id, [])
    if first in _stores(where):
        cached.cached_delete(tx, image_id, ["dropped", "removing"])
        return False
    return cached.cached_move(tx, image_id, "removing", ["dropped", "removing"])


def _begin_removal_of_uncached(tx: Tx, image_id: str) -> bool:
    """Say whether bytes are to go: who wants a copy in the meantime waits until they are gone."""
    cached.cached_insert(tx, image_id, "removing", 0)
    found = cached.cached_find(tx, image_id)
    return found is not None and found.status == "removing"


def _drop(tx: Tx, image_id: str, expected: tuple[CachedStatus, ...] | list[CachedStatus]) -> None:
    if cached.cached_move(tx, image_id, "dropped", expected):
        wake_after_commit(tx, TOPIC)


def _stores(found: list[locations.Location]) -> list[str]:
    return [one.store for one in found if one.status != "failed"]


def _has_bytes(tools: ImageTools, image_id: str) -> bool:
    try:
        tools.images.read(image_id, 0, 1)
    except NotFound:
        return False
    return True


def _touched(tools: ImageTools) -> dict[str, float]:
    """Return when bytes in the first store were last written to or read by a host."""
    present = tools.images.present()
    return {one.image_id: one.touched_at for one in present if one.upload_id is None}
