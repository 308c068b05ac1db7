"""What clients may write into fields that several operations share."""

import re
from typing import Annotated, TypeAlias

from msgspec import Meta

from cumulo.kit.errors import Invalid
from cumulo.web import LooseInt

MAX_INT = 0x7FFFFFFF

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
Name: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=255, pattern=rf"^(?!\s)[^{_CONTROLS}]+(?<!\s)$(?!\n)"),
]
ZoneName: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=255, pattern=rf"^(?!\s)[^:{_CONTROLS}]+(?<!\s)$(?!\n)"),
]
HostName: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9._-]*$(?!\n)")
]
Text: TypeAlias = Annotated[str, Meta(pattern=rf"^[^{_CONTROLS}]*$(?!\n)")]
Positive: TypeAlias = Annotated[LooseInt, Meta(ge=1, le=MAX_INT)]
NotNegative: TypeAlias = Annotated[LooseInt, Meta(ge=0, le=MAX_INT)]
MetadataKey: TypeAlias = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9\-_:. ]{1,255}$(?!\n)")]
MetadataValue: TypeAlias = Annotated[str, Meta(max_length=255)]


def number_of(text: str, refusal: Exception) -> int:
    """Read a number that stands in a path; anything else raises `refusal`."""
    if re.fullmatch(r"[+-]?[0-9]{1,300}", text) is None:
        raise refusal
    # Of numbers as large there is nothing; a database would not even look.
    return max(-1, min(int(text), MAX_INT))


def row_number(text: str) -> int:
    """Read the number of an aggregate or an old service."""
    refusal = Invalid("Invalid input received: id must be an integer", field="id")
    return number_of(text, refusal)
