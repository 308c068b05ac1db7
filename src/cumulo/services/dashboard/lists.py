"""Lists: which columns, asked of which API, and the part of it that one page shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cumulo.services.dashboard.cells import Cell
from cumulo.services.dashboard.cloud import Cloud

Item: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """What is told of each thing; `sort` is the API's name for it where it can be sorted by."""

    title: str
    cell: Callable[[Item], Cell]
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to do with one thing or with several; `confirm` is asked first."""

    name: str
    label: str
    confirm: str = ""
    danger: bool = False


DELETE = Button("delete", "Delete", "Delete it for good?", danger=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A kind of thing, listed."""

    title: str
    path: str  # of the page
    service: str
    url: str  # of the API
    key: str  # of the list in its answer
    columns: Sequence[Column]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    project: str = ""  # what a list is asked by for those of one project, told all of them else
    is_paged: bool = True  # by limit and marker
    pattern: str = ""  # the filter that takes a regular expression
    create: tuple[str, str] | None = None  # words and path
    bulk: Sequence[Button] = ()
    live: tuple[str, ...] = ()  # what the event log calls such things
    identifier: str = "id"
    within: str = ""  # each thing stands under this name in its entry
    empty: str = "There is nothing here yet."
    section: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a list somebody looks at."""

    text: str = ""
    sort: str = ""
    descending: bool = False
    marker: str = ""
    offset: int = 0
    size: int = 50


@dataclass(frozen=True, slots=True)
class Rows:
    """That part."""

    items: Sequence[Item]
    next: Mapping[str, str]  # what the next page is asked with; empty: there is none
    total: int | None = None  # where it is known


def wanted(filters: Mapping[str, Sequence[str]], listing: Listing, size: int) -> Wanted:
    """Read a page's query; what makes no sense is as if it were not there."""
    given = {name: values[0] for name, values in filters.items() if values}
    sort, offset = given.get("sort", ""), given.get("offset", "")
    known = {column.sort for column in listing.columns if column.sort}
    return Wanted(
        text=given.get("q", "").strip()[:255],
        sort=sort if sort in known else "",
        descending=given.get("dir") == "desc",
        marker=given.get("marker", "")[:255],
        offset=int(offset) if offset.isascii() and offset.isdecimal() and len(offset) < 9 else 0,
        size=size,
    )


def rows(
    cloud: Cloud, listing: Listing, asked: Wanted, keep: Callable[[Item], bool] = lambda _: True
) -> Rows:
    """Ask for a page of a list: the API cuts it where it can search for what is wanted."""
    query = {**listing.query, **_order(listing, asked)}
    searches = not asked.text or bool(listing.pattern)
    if not (listing.is_paged and searches):
        return _cut(_all(cloud, listing, query), listing, asked, keep)
    if asked.text:
        query[listing.pattern] = _escaped(asked.text)
    query |= {"limit": str(asked.size + 1)}
    query |= {"marker": asked.marker} if asked.marker else {}
    found = _asked(cloud, listing, query)[listing.key]
    kept = [item for item in found[: asked.size] if keep(item)]
    if len(found) <= asked.size:
        return Rows(kept, {})
    return Rows(kept, {"marker": str(found[asked.size - 1][listing.identifier])})


def _order(listing: Listing, asked: Wanted) -> dict[str, str]:
    if not asked.sort or not listing.is_paged:
        return {}
    return {"sort_key": asked.sort, "sort_dir": "desc" if asked.descending else "asc"}


def _all(cloud: Cloud, listing: Listing, query: Mapping[str, str]) -> list[Item]:
    body = _asked(cloud, listing, query)
    found: list[Item] = body[listing.key] if listing.key else body
    return [item[listing.within] for item in found] if listing.within else found


def _asked(cloud: Cloud, listing: Listing, query: Mapping[str, str]) -> Any:
    given: dict[str, Any] = dict(query)
    return cloud.ask("GET", listing.service, listing.url, headers=listing.headers, **given).json()


def _cut(items: list[Item], listing: Listing, asked: Wanted, keep: Callable[[Item], bool]) -> Rows:
    text = asked.text.lower()
    kept = [item for item in items if keep(item) and text in _searched(item)]
    if asked.sort and not listing.is_paged:
        kept.sort(key=lambda item: _sortable(item.get(asked.sort)), reverse=asked.descending)
    end = asked.offset + asked.size
    following = {"offset": str(end)} if end < len(kept) else {}
    return Rows(kept[asked.offset : end], following, len(kept))


def _searched(item: Item) -> str:
    names = ("name", "id", "description", "floating_ip_address", "fixed_ip_address", "host")
    found = [str(item[name]) for name in names if item.get(name)]
    found += [str(each.get("ip_address")) for each in item.get("fixed_ips") or ()]
    return "\n".join(found).lower()


def _sortable(value: object) -> tuple[int, float, str]:
    if isinstance(value, bool | int | float):
        return (0, float(value), "")
    return (1, 0.0, "" if value is None else str(value).lower())


def _escaped(text: str) -> str:
    """Return text as a regular expression that finds just it, in every database's dialect."""
    return "".join(f"\\{sign}" if sign in r".^$*+?()[]{}|\-" else sign for sign in text)
