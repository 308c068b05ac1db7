"""What a list of images is asked for: filters, order, page.

Names that are no field of an image filter by custom property, so no name is unknown.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.image.image_lists import OPERATORS, Wanted
from cumulo.web.paging import limit_of

SORT_KEYS = (
    "name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at",
)  # fmt: skip
_MEMBER_STATUSES = ("pending", "accepted", "rejected", "all")
_VISIBILITIES = ("community", "public", "private", "shared", "all")
_LISTS = ("name", "id", "status", "container_format", "disk_format")
_EXACT = ("owner", "checksum", "os_hash_algo", "os_hash_value")
_NUMBERS = ("size", "virtual_size", "min_ram", "min_disk")
_TIMES = ("created_at", "updated_at")
_FLAGS = ("protected", "os_hidden")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)",?|([^,]+),?|,')


class Question(msgspec.Struct, kw_only=True):
    """A list as it was asked for."""

    wanted: Wanted
    member_status: str
    order: list[tuple[str, bool]]
    limit: int
    marker: str | None


def question_of(query: Mapping[str, list[str]], *, default_limit: int, most: int) -> Question:
    """Return what a query asks for."""
    given = {name: values[-1] for name, values in query.items()}
    if given.pop("changes-since", None):
        raise Invalid('The "changes-since" filter is no longer available on v2.')
    member_status = given.pop("member_status", "accepted")
    if member_status not in _MEMBER_STATUSES:
        raise Invalid(f"Invalid status: {member_status[:64]}")
    order = _order(given, query)
    limit, marker = _limit(given.pop("limit", None), default_limit, most), given.pop("marker", None)
    wanted = Wanted(tags=[tag.strip() for tag in query.get("tag", [])])
    given.pop("tag", None)
    for name in ("sort", "sort_key", "sort_dir"):
        given.pop(name, None)
    wanted.flags["os_hidden"] = False
    for name, value in given.items():
        _filter(wanted, name, value)
    return Question(
        wanted=wanted, member_status=member_status, order=order, limit=limit, marker=marker
    )


def _filter(wanted: Wanted, name: str, value: str) -> None:
    if "\0" in name or "\0" in value:
        raise Invalid("Filters must not contain NUL characters.")
    number, _, bound = name.rpartition("_")
    if name == "visibility":
        if value not in _VISIBILITIES:
            raise Invalid(f"Invalid visibility value: {value[:64]}")
        wanted.visibility = value
    elif name in _FLAGS:
        wanted.flags[name] = _flag(name, value)
    elif name in _TIMES:
        wanted.times.append(_time(name, value))
    elif name in _LISTS:
        wanted.any_of[name] = _values(value)
    elif name in _EXACT:
        wanted.any_of[name] = [value]
    elif name in _NUMBERS:
        wanted.at_least[name] = wanted.at_most[name] = _number(value)
    elif number in _NUMBERS and bound in ("min", "max"):
        (wanted.at_least if bound == "min" else wanted.at_most)[number] = _number(value)
    else:
        wanted.properties[name] = value


def _order(given: Mapping[str, str], query: Mapping[str, list[str]]) -> list[tuple[str, bool]]:
    """Return the order asked for, made complete by the time and the id of an image."""
    if "sort" in given:
        if "sort_key" in given or "sort_dir" in given:
            raise Invalid("Old and new sorting syntax cannot be combined")
        pairs = [one.partition(":")[::2] for one in given["sort"].strip().split(",")]
        keys, directions = [p[0].strip() for p in pairs], [p[1].strip() or "desc" for p in pairs]
    else:
        keys = [key.strip() for key in query.get("sort_key", [])]
        directions = [direction.strip() for direction in query.get("sort_dir", [])]
        if len(directions) > 1 and len(directions) != len(keys):
            raise Invalid("Number of sort dirs does not match the number of sort keys")
        keys = keys or ["created_at"]
        if len(directions) < 2:
            directions = (directions or ["desc"]) * len(keys)
    rest = directions[0] if len(set(directions)) == 1 else "desc"
    order = dict(zip(keys, directions, strict=True))
    order = {**order, **{key: rest for key in ("created_at", "id") if key not in order}}
    return [(_sort_key(key), _falls(direction)) for key, direction in order.items()]


def _sort_key(key: str) -> str:
    if key not in SORT_KEYS:
        raise Invalid(
            f"Invalid sort key: {key[:64]}. "
            f"It must be one of the following: {', '.join(SORT_KEYS)}."
        )
    return key


def _falls(direction: str) -> bool:
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction[:64]}")
    return direction == "desc"


def _limit(asked: str | None, default: int, most: int) -> int:
    if asked is None:
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", asked.strip()):
        raise Invalid("limit param must be an integer")
    if int(asked) < 0:
        raise Invalid("limit param must be positive")
    return limit_of(int(asked), most)


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise Invalid(
            f"Invalid value '{value[:64]}' for '{name}' filter. Valid values are 'true' or 'false'."
        )
    return value.lower() == "true"


def _number(value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        raise Invalid("Unable to filter on a range with a non-numeric value.")
    return int(value)


def _time(name: str, value: str) -> tuple[str, str, datetime]:
    """Read `gte:2026-01-01T00:00:00Z`; the operator may be left out, though times have colons."""
    moment = _moment(value)
    operator = "eq"
    if moment is None:
        operator, _, rest = value.partition(":")
        moment = _moment(rest)
    if moment is None:
        raise Invalid(f'Bad "{name}" query filter format. Use ISO 8601 DateTime notation.')
    if operator not in OPERATORS:
        raise Invalid(f"Unable to filter by unknown operator '{operator[:64]}'.")
    return name, operator, moment


def _moment(text: str) -> datetime | None:
    try:
        # A blank was a plus sign before the query was decoded.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _values(value: str) -> list[str]:
    """Read `in:one,"two, with comma"` or one value; any other operator is unknown."""
    operator, colon, rest = value.partition(":")
    if not colon:
        return [value]
    if operator == "eq":
        return [rest]
    if operator != "in":
        raise Invalid(f"Unable to filter by unknown operator '{operator[:64]}'.")
    if rest.replace('\\"', "").count('"') % 2:
        raise Invalid(f"Invalid filter value {rest[:64]}. The quote is not closed.")
    return [found[0] or found[1] for found in _QUOTED.findall(rest)]
