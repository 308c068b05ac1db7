"""What is common to identity's requests and answers: attributes, filters, links."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.services.identity.listings import Compared, Listing, Match, Page
from cumulo.services.identity.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool
from cumulo.web.codec import convert
from cumulo.web.versions import NONE

Call: TypeAlias = _Call[Tools]
S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

# A resource as a client writes or reads it: fields of ours, and whatever else it wants kept.
Attributes: TypeAlias = dict[str, Any]
Name64 = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Name255 = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9-]+\Z")]
Description = Annotated[str, Meta(max_length=255)]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/\r\n]*\Z")]

_COMPARATORS = re.compile(r"(\w+)__(i?)(contains|startswith|endswith)")
_MOST_AT_ONCE = 1000  # of what is asked for page by page
_TIMES = {"password_expires_at"}
# What a query says that is not compared as text with a column of that name.
_NO_TEXT = {
    "limit",
    "marker",
    "enabled",
    "is_domain",
    "idp_id",
    "protocol_id",
    "unique_id",
} | _TIMES
_FALSE = {"0", "false", "no", "n", "off"}
_TRUE = {"", "1", "true", "yes", "y", "on"}


class ResourceOptions(msgspec.Struct, forbid_unknown_fields=True):
    """Options that projects, domains and roles have."""

    immutable: LooseBool | UnsetType | None = UNSET


class PageQuery(msgspec.Struct, kw_only=True):
    """Which part of a collection."""

    limit: Annotated[int, Meta(ge=0)] | None = None
    marker: str | None = None


class NamedQuery(PageQuery, kw_only=True):
    """Which of the things that have a name."""

    name: str | None = None


class DomainNamedQuery(NamedQuery, kw_only=True):
    """Which of the things that are in a domain."""

    domain_id: str | None = None


def split(kind: type[S], attributes: Attributes) -> tuple[S, dict[str, object]]:
    """Return the fields of ours, checked, and the rest as it came."""
    ours = {field.encode_name for field in msgspec.structs.fields(kind)}
    known = {name: value for name, value in attributes.items() if name in ours}
    rest = {name: value for name, value in attributes.items() if name not in ours}
    return convert(known, kind, NONE), rest


def given(patch: msgspec.Struct, extra: dict[str, object]) -> dict[str, object]:
    """Return only what a client wants changed; an empty wish is refused."""
    changes = {
        name: value for name, value in msgspec.structs.asdict(patch).items() if value is not UNSET
    }
    if isinstance(changes.get("options"), msgspec.Struct):
        changes["options"] = options_of(changes["options"])
    if extra:
        changes["extra"] = extra
    if not changes:
        raise Invalid("The request must change at least one attribute.")
    return changes


def options_of(options: object) -> dict[str, object]:
    """Return the options that were given; None takes one back."""
    if not isinstance(options, msgspec.Struct):
        return {}
    values = msgspec.structs.asdict(options)
    return {name: value for name, value in values.items() if value is not UNSET}


def options_set(options: object) -> dict[str, object]:
    """Return the options of something new."""
    return {name: value for name, value in options_of(options).items() if value is not None}


def listing(call: Call, query: PageQuery, **equals: object) -> Listing:
    """Return what a query asks to see; `equals` are filters that are not plain strings."""
    values = {k: v for k, v in msgspec.structs.asdict(query).items() if k in _text_filters(query)}
    exact = {k: v for k, v in {**values, **equals}.items() if v is not None}
    matches = []
    for key, found in call.filters.items():
        inexact = _COMPARATORS.fullmatch(key)
        if inexact and inexact[1] in values:
            matches += [Match(inexact[1], inexact[3], one, bool(inexact[2])) for one in found]
    compared = [
        _compared(name, text)
        for name, text in msgspec.structs.asdict(query).items()
        if name in _TIMES and text is not None
    ]
    limit = None if query.limit is None else min(query.limit, _MOST_AT_ONCE)
    return Listing(exact, matches, compared, query.marker, limit)


def _text_filters(query: PageQuery) -> set[str]:
    return {field.name for field in msgspec.structs.fields(type(query))} - _NO_TEXT


def _compared(field: str, text: str) -> Compared:
    """Read a time with a comparator before it; without one, that very time is meant."""
    comparator, colon, rest = text.partition(":")
    if not colon or not comparator.isalpha():
        comparator, rest = "eq", text
    wanted = moment(rest, field)
    try:
        return msgspec.convert(
            {"field": field, "comparator": comparator, "value": wanted}, Compared
        )
    except msgspec.ValidationError as error:
        raise Invalid(
            f"Invalid input for query parameters {field}. Value: {text[:120]}. It must begin with "
            "lt:, lte:, gt:, gte:, eq: or neq:.",
            field=field,
        ) from error


def moment(text: str | None, field: str) -> datetime | None:
    """Read a time; one without a zone is in UTC."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"Invalid input for field '{field}': it must be a time such as 2030-01-31T23:59:59Z.",
            field=field,
        ) from error


def flag(text: str | None, field: str) -> bool | None:
    """Read a filter that is true unless it says otherwise."""
    if text is None:
        return None
    if text.lower() in _FALSE:
        return False
    if text.lower() in _TRUE:
        return True
    raise Invalid(
        f"Invalid input for query parameters {field}. Value: {text[:120]}. It must be a boolean.",
        field=field,
    )


def asked(call: Call, name: str) -> bool:
    """Say whether a query parameter is there, with any value but 0."""
    values = call.filters.get(name)
    return values is not None and values[-1] != "0"


def link(call: Call, *parts: str) -> dict[str, object]:
    """Return the links of one resource."""
    return {"self": "/".join((call.url, "v3", *parts))}


def collection(
    call: Call, name: str, page: Page[T], show: Callable[[T], Mapping[str, object]]
) -> dict[str, object]:
    """Return a list as clients page through it."""
    here = f"{call.url}{call.path}"
    query = urlencode([(k, v) for k, found in call.filters.items() for v in found])
    links: dict[str, str | None] = {
        "next": None,
        "self": f"{here}?{query}" if query else here,
        "previous": None,
    }
    members = [show(member) for member in page.members]
    body: dict[str, object] = {name: members, "links": links}
    if page.is_truncated:
        body["truncated"] = True
        if members:
            kept = {k: found[-1] for k, found in call.filters.items()}
            links["next"] = f"{here}?{urlencode({**kept, 'marker': members[-1]['id']})}"
    return body
