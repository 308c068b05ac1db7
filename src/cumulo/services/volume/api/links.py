"""Where things are: the links that answers carry."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from cumulo.web import Call
from cumulo.web.paging import Identified, following
from cumulo.web.paging import Link as Link

# Clients may write the project into the path; then links have it too.
_PROJECT = re.compile(r"/v3(/(?:[0-9a-f]{32}|[0-9a-f-]{36}))(?:/|$)")


class Place:
    """A collection, for the links to many things in it."""

    def __init__(self, call: Call[Any], collection: str) -> None:
        found = _PROJECT.match(call.path)
        project = found.group(1) if found else ""
        self.url = f"{call.url}/v3{project}/{collection}"
        self._bookmark = f"{call.url}{project}/{collection}"

    def links(self, thing_id: str) -> list[Link]:
        """Return the links to one thing, with and without a version."""
        return [
            Link("self", f"{self.url}/{thing_id}"),
            Link("bookmark", f"{self._bookmark}/{thing_id}"),
        ]


def next_links(
    call: Call[Any], collection: str, items: Sequence[Identified], limit: int
) -> list[Link] | msgspec.UnsetType:
    """Return the link to the next page, or nothing after a page that is not full."""
    if not items or len(items) < limit:
        return msgspec.UNSET
    query = following(call.filters, items[-1].id)
    return [Link("next", f"{Place(call, collection).url}?{query}")]
