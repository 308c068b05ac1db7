"""Microversions as data.

A service lists its versions once.  An operation or a field names the version it appeared
in; the view of a struct at a version is derived, never written by hand.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.web.errors import NotAcceptable


class Version(NamedTuple):
    """A microversion; compares as a pair."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read 'X.Y'."""
        major, dot, minor = text.partition(".")
        numbers = major.isascii() and minor.isascii() and major.isdigit() and minor.isdigit()
        if not (dot and numbers and len(text) < 12):
            raise Invalid(
                f"API Version String {text} is of invalid format. "
                "Must be of format MajorNum.MinorNum."
            )
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


NONE = Version(0, 0)


class History:
    """The microversions of one service, oldest first, each with the sentence clients read.

    `legacy` is a header that carries the bare version, as compute had before there was a
    common one.
    """

    def __init__(
        self, service_type: str, *entries: tuple[str, str], legacy: str | None = None
    ) -> None:
        self.service_type, self.legacy = service_type, legacy
        self.entries = [(Version.parse(version), summary) for version, summary in entries]
        self.earliest, self.latest = self.entries[0][0], self.entries[-1][0]

    def choose(self, header: str | None, legacy: str | None = None) -> Version:
        """Return the version a request asked for, the earliest when it asked for none."""
        for part in (header or "").split(","):
            service, _, wanted = part.strip().partition(" ")
            if service.lower() == self.service_type:
                return self._known(wanted.strip())
        return self._known(legacy.strip()) if legacy else self.earliest

    def _known(self, text: str) -> Version:
        if text == "latest":
            return self.latest
        version = Version.parse(text)
        if self.earliest <= version <= self.latest:
            return version
        raise NotAcceptable(
            f"Version {version} is not supported by the API. "
            f"Minimum is {self.earliest} and maximum is {self.latest}.",
            max_version=str(self.latest),
            min_version=str(self.earliest),
        )


def since(version: str) -> msgspec.Meta:
    """Mark a field as new in `version`."""
    return msgspec.Meta(extra={"since": Version.parse(version)})


def until(version: str) -> msgspec.Meta:
    """Mark a field as gone after `version`, the last one that has it."""
    return msgspec.Meta(extra={"until": Version.parse(version)})


def without(first: str, last: str) -> msgspec.Meta:
    """Mark a field as missing from `first` to `last`, between versions that have it."""
    return msgspec.Meta(extra={"without": (Version.parse(first), Version.parse(last))})


def within(metadata: Sequence[Any], version: Version) -> bool:
    """Say whether a field with these marks exists at `version`."""
    for meta in metadata:
        bounds = getattr(meta, "extra", None) or {}
        if version < bounds.get("since", version) or version > bounds.get("until", version):
            return False
        first, last = bounds.get("without", (None, None))
        if first is not None and first <= version <= last:
            return False
    return True
