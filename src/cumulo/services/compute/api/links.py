"""Where things are: the links that answers carry."""

import re
from typing import Any

import msgspec

from cumulo.web import Call
from cumulo.web.paging import Link as Link
from cumulo.web.paging import following

# Clients may write an older name of the version, and the project; then links have it too.
_PLACE = re.compile(r"(/v2(?:\.1)?)(/(?:[0-9a-f]{32}|[0-9a-f-]{36}))?(?:/|$)")


class Place:
    """A collection, for the links to many things in it."""

    def __init__(self, call: Call[Any], collection: str) -> None:
        root, project = _place(call)
        self._self = f"{call.url}{root}{project}/{collection}/"
        self._bookmark = f"{call.url}{project}/{collection}/"

    def links(self, thing_id: str) -> list[Link]:
        """Return the links to one thing, with and without a version."""
        return [Link("self", self._self + thing_id), self.bookmark(thing_id)]

    def bookmark(self, thing_id: str) -> Link:
        """Return the link to one thing that names no version."""
        return Link("bookmark", self._bookmark + thing_id)


def links_to(call: Call[Any], collection: str, thing_id: str) -> list[Link]:
    """Return the links to one thing, with and without a version."""
    return Place(call, collection).links(thing_id)


def next_links(
    call: Call[Any], collection: str, last_id: str | None, *, is_full: bool
) -> list[Link] | msgspec.UnsetType:
    """Return the link to the page after `last_id`, or nothing after a page that is not full."""
    if last_id is None or not is_full:
        return msgspec.UNSET
    root, project = _place(call)
    place = f"{call.url}{root}{project}/{collection}"
    return [Link("next", f"{place}?{following(call.filters, last_id)}")]


def _place(call: Call[Any]) -> tuple[str, str]:
    """Return the version and the project as they stand in the path."""
    found = _PLACE.match(call.path)
    return (found.group(1), found.group(2) or "") if found else ("/v2.1", "")
