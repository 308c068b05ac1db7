"""What the values of extra specs and image properties may be."""

import re
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a form."""

    pattern: str = ".*"

    def refuses(self, value: str) -> str | None:
        """Say why a value is none of it; None when it is."""
        return None if re.fullmatch(self.pattern, value) else f"must match {self.pattern!r}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    def refuses(self, value: str) -> str | None:
        """Say why a value is none of it; None when it is."""
        return None if value in self.words else f"must be one of: {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two others."""

    least: int | None = None
    most: int | None = None

    def refuses(self, value: str) -> str | None:
        """Say why a value is none of it; None when it is."""
        if not re.fullmatch(r"-?\d{1,30}", value.strip()):
            return "must be an integer"
        if self.least is not None and int(value) < self.least:
            return f"must be {self.least} or more"
        too_large = self.most is not None and int(value) > self.most
        return f"must be {self.most} or less" if too_large else None


@dataclass(frozen=True, slots=True)
class YesNo:
    """Yes or no, in any of the words for it."""

    words: tuple[str, ...] = (
        "1",
        "t",
        "true",
        "on",
        "y",
        "yes",
        "0",
        "f",
        "false",
        "off",
        "n",
        "no",
    )

    def refuses(self, value: str) -> str | None:
        """Say why a value is none of it; None when it is."""
        return None if value.strip().lower() in self.words else "must be a boolean"


Kind: TypeAlias = Text | OneOf | Number | YesNo
