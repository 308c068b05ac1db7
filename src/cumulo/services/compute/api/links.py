"""Where things are: the links that answers carry."""

import re
from typing import Any

import msgspec

from cumulo.web import Call
from cumulo.web.paging import following

ROOT = "/v2.1"
_PROJECT = re.compile(rf"{ROOT}(/(?:[0-9a-f]{{32}}|[0-9a-f-]{{36}}))?(?:/|$)")


class Link(msgspec.Struct):
    """A way to a thing."""

    rel: str
    href: str


def links_to(call: Call[Any], collection: str, thing_id: str) -> list[Link]:
    """Return the links to one thing, with and without a version."""
    place = f"{_project(call)}/{collection}/{thing_id}"
    return [Link("self", f"{call.url}{ROOT}{place}"), Link("bookmark", f"{call.url}{place}")]


def next_links(
    call: Call[Any], collection: str, last_id: str | None, *, is_full: bool
) -> list[Link] | msgspec.UnsetType:
    """Return the link to the page after `last_id`, or nothing after a page that is not full."""
    if last_id is None or not is_full:
        return msgspec.UNSET
    place = f"{call.url}{ROOT}{_project(call)}/{collection}"
    return [Link("next", f"{place}?{following(call.filters, last_id)}")]


def _project(call: Call[Any]) -> str:
    """Return the project as it stands in the path, for clients that write it there."""
    found = _PROJECT.match(call.path)
    return (found.group(1) or "") if found else ""
