"""Lists as this API gives them: any attribute filters, `fields` selects, links lead on."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET

from cumulo.kit.errors import Invalid
from cumulo.services.network.listing import Listing
from cumulo.services.network.tools import Tools
from cumulo.web import Call

V = TypeVar("V", bound=msgspec.Struct)
Answer: TypeAlias = dict[str, Any]
_SPECIAL = {"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"}


def listing_of(call: Call[Tools]) -> Listing:
    """Read what part of a list the query asks for."""
    asked = call.filters
    keys, ways = asked.get("sort_key", []), asked.get("sort_dir", [])
    if len(keys) != len(ways):
        raise _bad("The number of sort_keys and sort_dirs must be same")
    wrong = [way for way in ways if way not in ("asc", "desc")]
    if wrong:
        raise _bad(f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    if "project_id" in asked and "tenant_id" in asked:
        raise Invalid(
            "Both tenant_id and project_id passed as filters.",
            type="TenantIdProjectIdFilterConflict",
        )
    return Listing(
        filters={name: values for name, values in asked.items() if name not in _SPECIAL},
        sorts=[(key, way == "asc") for key, way in zip(keys, ways, strict=True)],
        limit=_limit(asked),
        marker=asked["marker"][-1] if "marker" in asked else None,
        page_reverse=_is_true(asked.get("page_reverse", [""])[-1]),
    )


def _bad(message: str) -> Invalid:
    return Invalid(message, type="HTTPBadRequest")


def _limit(asked: Mapping[str, list[str]]) -> int | None:
    text = asked["limit"][-1] if "limit" in asked else "0"
    if not (text.isascii() and text.isdigit()):
        raise _bad(f"Limit must be an integer 0 or greater and not '{text}'")
    return min(int(text[:12]), 2**31 - 1) or None


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "yes")


def page(call: Call[Tools], key: str, items: Sequence[Any], views: Sequence[V]) -> Answer:
    """Return a list's answer; `items` are all that the page holds, `views` what may be seen."""
    wanted = fields_of(call)
    answer: Answer = {key: [select(view, wanted) for view in views] if wanted else views}
    links = _links(call, items)
    return {**answer, f"{key}_links": links} if links else answer


def fields_of(call: Call[Tools]) -> frozenset[str]:
    """Return the attributes that the query asks for; none: all."""
    return frozenset(name for name in call.filters.get("fields", []) if name)


def select(view: V, wanted: frozenset[str]) -> V:
    """Leave only the attributes wanted; all if none is named."""
    if wanted:
        hide(view, _names(type(view)).keys() - wanted)
    return view


def hide(view: msgspec.Struct, attributes: frozenset[str] | set[str]) -> None:
    """Leave attributes out, by the names that clients know."""
    names = _names(type(view))
    for attribute in attributes:
        if attribute in names:
            setattr(view, names[attribute], UNSET)


@cache
def _names(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    return {field.encode_name: field.name for field in msgspec.structs.fields(kind)}


def _links(call: Call[Tools], items: Sequence[Any]) -> list[dict[str, str]]:
    limit, reverse = _limit(call.filters), _is_true(call.filters.get("page_reverse", [""])[-1])
    if limit is None:
        return []
    full, links = len(items) >= limit, []
    if full or reverse:
        links.append({"rel": "next", "href": _href(call, items[-1:])})
    if full or not reverse:
        href = _href(call, items[:1], ("page_reverse", "True"))
        links.append({"rel": "previous", "href": href})
    return links


def _href(call: Call[Tools], marker: Sequence[Any], *more: tuple[str, str]) -> str:
    """Return the address of the page beside an item; beyond an empty page, from the end."""
    kept = [
        (name, value)
        for name, values in call.filters.items()
        for value in values
        if name not in ("marker", "page_reverse")
    ]
    marked = [("marker", one.id) for one in marker]
    return f"{call.url}{call.path}?{urlencode([*kept, *marked, *more])}"
