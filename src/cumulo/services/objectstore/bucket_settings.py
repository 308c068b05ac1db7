"""What S3 lets a bucket have besides its objects: tags, rules for browsers, rules of age."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.objectstore import containers
from cumulo.services.objectstore.containers import HIDDEN, Container
from cumulo.services.objectstore.visits import Visit

T = TypeVar("T")
TAGS = "X-Object-Sysmeta-S3-Tags"  # among an object's headers, shown to nobody
_MOST_TAGS = {"object": 10, "bucket": 50}


class CorsRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which pages may do what."""

    id: str = ""
    origins: list[str]
    methods: list[str]
    headers: list[str] = []
    exposed: list[str] = []
    max_age_s: int | None = None

    def allows(self, origin: str, method: str, headers: Sequence[str] = ()) -> bool:
        """Say whether a page of an origin may ask."""
        return (
            method in self.methods
            and any(_fits(one, origin) for one in self.origins)
            and all(any(_fits(a.lower(), h.lower()) for a in self.headers) for h in headers)
        )


class AgeRule(msgspec.Struct, frozen=True, kw_only=True):
    """What goes when it is old."""

    id: str = ""
    is_enabled: bool = True
    prefix: str = ""
    tags: dict[str, str] = {}
    larger_than: int | None = None
    smaller_than: int | None = None
    days: int | None = None
    date: datetime | None = None
    noncurrent_days: int | None = None
    abort_days: int | None = None

    def is_due(self, modified: datetime, now: datetime) -> bool:
        """Say whether an object of that time is old enough to go."""
        if self.days is not None:
            return now >= due(modified, self.days)
        return self.date is not None and now >= self.date

    def covers(self, name: str, size: int) -> bool:
        """Say whether the rule is about an object; its tags are another matter."""
        return (
            name.startswith(self.prefix)
            and (self.larger_than is None or size > self.larger_than)
            and (self.smaller_than is None or size < self.smaller_than)
        )


def _fits(pattern: str, text: str) -> bool:
    """Compare with a pattern in which one star stands for anything."""
    start, star, end = pattern.partition("*")
    if not star:
        return text == pattern
    long_enough = len(text) >= len(start) + len(end)
    return long_enough and text.startswith(start) and text.endswith(end)


def due(since: datetime, days: int) -> datetime:
    """Return the midnight at which so many days are over, as S3 counts them."""
    exact = since + timedelta(days=days)
    midnight = exact.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == exact else midnight + timedelta(days=1)


def moment(modified: str) -> datetime:
    """Read the time of a row."""
    return datetime.fromisoformat(modified).replace(tzinfo=UTC)


def get(container: Container, name: str, kind: type[T]) -> T | None:
    """Return a setting of a bucket."""
    held = container.header(f"{HIDDEN}S3-{name}")
    return msgspec.json.decode(held, type=kind) if held else None


def put(visit: Visit, container: Container, name: str, value: object) -> None:
    """Set a setting of a bucket; None removes it."""
    text = "" if value is None else msgspec.json.encode(value).decode()
    containers.note(visit, container, {f"{HIDDEN}S3-{name}": text})


def tags_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return an object's tags."""
    return dict(parse_qsl(headers.get(TAGS, ""), keep_blank_values=True))


def tags_header(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as an object keeps them."""
    return {TAGS: urlencode(tags)} if tags else {}


def read_tags(text: str) -> dict[str, str]:
    """Read tags as a header has them."""
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    return checked_tags(pairs, "object")


def checked_tags(pairs: Sequence[tuple[str, str]], kind: str) -> dict[str, str]:
    """Refuse tags that are too many, too long or there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("Cannot provide multiple Tags with the same key", code="InvalidTag")
    if len(found) > _MOST_TAGS[kind]:
        most = _MOST_TAGS[kind]
        raise Invalid(f"There can be no more than {most} tags.", code="BadRequest")
    for key, value in found.items():
        if not 0 < len(key) <= 128 or len(value) > 256:
            raise Invalid("The TagKey or TagValue you have provided is invalid", code="InvalidTag")
    return found
