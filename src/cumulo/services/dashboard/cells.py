"""What stands in a place of a table: a kind of thing, which the templates know how to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

_GOOD = {
    "active", "up", "available", "in-use", "enabled", "accepted", "success", "alive", "queued-ok",
    "create_complete", "update_complete", "online", "running", "ok", "done",
}  # fmt: skip
_BAD = {
    "error", "down", "disabled", "killed", "failed", "error_deleting", "create_failed",
    "error_restoring", "error_extending", "offline", "undone", "deleted", "unreachable",
}  # fmt: skip
_STILL = {
    "shutoff", "paused", "suspended", "shelved", "shelved_offloaded", "soft_deleted",
    "deactivated", "queued", "verify_resize", "rescue", "reserved", "n/a", "pending",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to be copied: an id, an address, a key."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to a page of ours; `href` is a path."""

    kind: ClassVar[str] = "link"
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class When:
    """A moment."""

    kind: ClassVar[str] = "when"
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """A word that has a colour, and in brackets what is being done."""

    kind: ClassVar[str] = "state"
    text: str
    task: str = ""

    @property
    def tone(self) -> str:
        """Return good, bad, still or busy."""
        word = self.text.lower()
        if self.task:
            return "busy"
        tones = {"good": _GOOD, "bad": _BAD, "still": _STILL}
        return next((tone for tone, words in tones.items() if word in words), "busy")


@dataclass(frozen=True, slots=True)
class Many:
    """Several things, one below the other; wide ones take a row of their own among facts."""

    kind: ClassVar[str] = "many"
    cells: Sequence["Cell"]
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much of something is used; a `most` below zero is no bound."""

    kind: ClassVar[str] = "gauge"
    used: float
    most: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A word of ours, which is said in the language of the page."""

    kind: ClassVar[str] = "words"
    text: str


Cell = Text | Code | Link | When | State | Many | Gauge | Words


def text(value: object) -> Cell:
    """Return any value as a cell."""
    if value is None or value == "":
        return Text("")
    if isinstance(value, bool):
        return Words("Yes" if value else "No")
    if isinstance(value, list | tuple):
        return Many([text(each) for each in value])
    if isinstance(value, dict):
        return Many([Text(f"{key}: {each}") for key, each in value.items()])
    return Text(str(value))


def when(moment: str | None) -> str:
    """Return a moment as people read it; APIs tell UTC."""
    if not moment:
        return ""
    return f"{moment[:10]} {moment[11:19]}".strip()


def size(count: float | None) -> str:
    """Return a number of bytes as people read it."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def number(value: float) -> str:
    """Return a number without a needless point."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
