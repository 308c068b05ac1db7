"""What a list is asked for: which page, in which order, filtered by what."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.volume.volumes import Wanted
from cumulo.web import Call

MOST = 1000
_PAGING = {"limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants"}
_PAGING |= {"with_count", "list_volume"}
_TRUE, _FALSE = {"1", "t", "true", "on", "y", "yes"}, {"0", "f", "false", "off", "n", "no"}


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """What the lists of one noun understand."""

    filters: Mapping[str, str]  # name that clients know -> column
    sort_keys: Mapping[str, str]
    flags: Collection[str] = ()  # of `filters`, those that are true or false
    noted: Mapping[str, str] = {}  # name of the filter -> kind of item
    times: Collection[str] = ()


def wanted_of(call: Call[Any], lists: Lists) -> Wanted:
    """Return what a request asks of a list; unknown filters are refused from 3.31 on."""
    given = {name: values[-1] for name, values in call.filters.items()}
    filters = {k: v for k, v in given.items() if k not in _PAGING}
    project_id, filters = _project(call, given, filters)
    equal, like, noted, times = _sorted_out(call, lists, filters)
    return Wanted(
        project_id=project_id,
        equal=equal,
        like=like,
        noted=noted,
        times=times,
        sort=tuple(_order(given, lists.sort_keys)),
        marker=given.get("marker"),
        limit=limit_of(given),
        offset=_number(given, "offset", 0),
    )


def limit_of(given: Mapping[str, str]) -> int:
    """Return how many things a page may hold."""
    return min(_number(given, "limit", MOST), MOST)


def wants_count(call: Call[Any]) -> bool:
    """Say whether the number of things on all pages is asked for."""
    values = call.filters.get("with_count")
    return values is not None and call.version >= (3, 45) and flag("with_count", values[-1])


def flag(name: str, text: str) -> bool:
    """Read true or false."""
    if text.strip().lower() in _TRUE:
        return True
    if text.strip().lower() in _FALSE:
        return False
    raise Invalid(
        f"Invalid value for '{name}': '{text[:40]}' is neither true nor false.", field=name
    )


def _project(
    call: Call[Any], given: Mapping[str, str], filters: dict[str, str]
) -> tuple[str | None, dict[str, str]]:
    """Return whose things are asked for: an administrator's may be everyone's."""
    wanted = {k: v for k, v in filters.items() if k not in ("project_id", "tenant_id")}
    if call.ctx.is_admin and flag("all_tenants", given.get("all_tenants") or "0"):
        return filters.get("project_id") or filters.get("tenant_id"), wanted
    return call.ctx.project_id or "", wanted


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(
            f"{name} param must be an integer of 0 or more, not '{text[:40]}'.", field=name
        )
    return int(text)


def _order(given: Mapping[str, str], known: Mapping[str, str]) -> list[tuple[str, bool]]:
    if "sort" in given and ("sort_key" in given or "sort_dir" in given):
        raise Invalid(
            "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used "
            "with the 'sort' parameter."
        )
    text = given.get("sort")
    if text is None:
        text = f"{given.get('sort_key', 'created_at')}:{given.get('sort_dir', 'desc')}"
    order: list[tuple[str, bool]] = []
    for part in text.split(","):
        key, _, direction = part.strip().partition(":")
        if key not in known:
            raise Invalid(
                f"Invalid sort keys provided: {key[:80]}; use {', '.join(sorted(known))}.",
                field="sort",
            )
        if direction not in ("", "asc", "desc"):
            raise Invalid(
                f"Invalid sort direction {direction[:40]}: use asc or desc.", field="sort"
            )
        order.append((known[key], direction != "asc"))
    if all(column != "id" for column, _ in order):
        order.append(("id", order[-1][1]))
    return order


def _sorted_out(
    call: Call[Any], lists: Lists, filters: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str], list[Any], list[Any]]:
    equal: dict[str, object] = {}
    like: dict[str, str] = {}
    noted: list[tuple[str, dict[str, str]]] = []
    times: list[tuple[str, str, datetime]] = []
    for name, value in filters.items():
        if name in lists.noted:
            noted.append((lists.noted[name], pairs_of(name, value)))
        elif name in lists.times:
            times += _moments(name, value)
        elif name.endswith("~") and name[:-1] in lists.filters and call.version >= (3, 34):
            like[lists.filters[name[:-1]]] = value
        elif name in lists.flags:
            equal[lists.filters[name]] = flag(name, value)
        elif name in lists.filters:
            equal[lists.filters[name]] = value
        elif call.version >= (3, 31):
            raise Invalid(f"Invalid filters {name[:80]} are found in query options.", field=name)
    return equal, like, noted, times


def pairs_of(name: str, text: str) -> dict[str, str]:
    """Read {'key': 'value'}, as clients write it in JSON or in Python."""
    try:
        found = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The filter {name} must be an object, not '{text[:80]}'.") from error
    if not isinstance(found, dict):
        raise Invalid(f"The filter {name} must be an object, not '{text[:80]}'.", field=name)
    return {str(key): str(value) for key, value in found.items()}


def _moments(name: str, text: str) -> list[tuple[str, str, datetime]]:
    found = []
    for part in text.split(","):
        operator, _, moment = part.partition(":")
        if operator not in ("gt", "gte", "eq", "neq", "lt", "lte"):
            raise Invalid(f"Invalid {operator[:40]} operator", field=name)
        try:
            when = datetime.fromisoformat(moment.replace(" ", "+"))
        except ValueError as error:
            raise Invalid(f"Invalid {moment[:40]} value", field=name) from error
        found.append((name, operator, when if when.tzinfo else when.replace(tzinfo=UTC)))
    return found
