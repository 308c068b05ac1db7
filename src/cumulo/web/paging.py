"""Pages of a list: limits, markers, and the links from one page to the next."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from cumulo.kit.errors import Invalid

I = TypeVar("I")  # noqa: E741 - an item


class Identified(Protocol):
    """Something with the id that a marker names."""

    @property
    def id(self) -> str: ...  # noqa: D102


class Link(msgspec.Struct, gc=False):
    """A way to go on from here."""

    rel: str
    href: str


def limit_of(asked: int | None, most: int, default: int | None = None) -> int:
    """Return how many items a page holds: what was asked for, but no more than `most`."""
    if asked is None:
        return default if default is not None else most
    if asked < 0:
        raise Invalid(f"Limit must be an integer of 0 or more, not {asked}.", field="limit")
    return min(asked, most)


def next_link(
    url: str, filters: Mapping[str, list[str]], items: Sequence[Identified], limit: int
) -> list[Link]:
    """Return the link to the next page, or none when this page is not full.

    `url` is the list's own address without a query; the query of this request is kept, with the
    last item as its marker.
    """
    if not items or len(items) < limit:
        return []
    return [Link("next", f"{url}?{following(filters, items[-1].id)}")]


def following(filters: Mapping[str, list[str]], marker: str) -> str:
    """Return the query of this request, moved on to after `marker`."""
    kept = [(k, v) for k, values in filters.items() if k != "marker" for v in values]
    return urlencode([*kept, ("marker", marker)])
