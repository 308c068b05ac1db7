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
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


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
    """Words that lead to a page; `href` is a path.  Words of ours are said in its language."""

    kind: ClassVar[str] = "link"
    text: str
    href: str
    is_said: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """A moment."""

    kind: ClassVar[str] = "when"
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """A word that has a colour, and in brackets what is being done.

    What is idle, as a port that nothing is plugged into, is down without anything being wrong.
    """

    kind: ClassVar[str] = "state"
    text: str
    task: str = ""
    is_idle: bool = False

    @property
    def tone(self) -> str:
        """Return good, bad, still or busy."""
        word = self.text.lower()
        if self.task:
            return "busy"
        tones = {"good": _GOOD, "bad": _BAD, "still": _STILL}
        tone = next((tone for tone, words in tones.items() if word in words), "busy")
        return "still" if self.is_idle and tone == "bad" else tone


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
class Amount:
    """So much of something, in units that the language of the page has names for."""

    kind: ClassVar[str] = "amount"
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A word of ours, which is said in the language of the page."""

    kind: ClassVar[str] = "words"
    text: str


Cell = Text | Code | Link | When | State | Many | Gauge | Amount | Words


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


def size(count: float | None) -> Cell:
    """Return a number of bytes as people read it."""
    if count is None:
        return Text("")
    value = float(count)
    for unit in _UNITS[:-1]:
        if abs(value) < 1024:
            return Amount(value, unit)
        value /= 1024
    return Amount(value, _UNITS[-1])


def gauge(used: float, most: float, unit: str = "") -> Gauge:
    """Return how much is used of something; memory, which APIs count in MiB, in GiB."""
    if unit != "MiB":
        return Gauge(used, most, unit)
    return Gauge(used / 1024, most / 1024 if most > 0 else most, "GiB")


def memory(mebibytes: float) -> Cell:
    """Return an amount of memory as people read it."""
    if mebibytes < 1024:
        return Amount(mebibytes, "MiB")
    return Amount(mebibytes / 1024, "GiB")


def gib(count: float) -> Cell:
    """Return an amount of storage in the unit that clouds sell it by."""
    return Amount(count, "GiB")


def number(value: float, language: str = "en") -> str:
    """Return a number without a needless point, its signs those of a language."""
    digits = 0 if abs(value) >= 100 or round(value, 1) == round(value) else 1
    said = f"{value:,.{digits}f}"
    return said.replace(",", "\u202f").replace(".", ",") if language == "fr" else said
