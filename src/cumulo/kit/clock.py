"""Time, from one source that a test can hold and move."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec


class Clock:
    """What time it is; `held` stops it, `move` pushes it on."""

    def __init__(self) -> None:
        self._held: datetime | None = None

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return self._held or datetime.now(UTC)

    def timestamp(self) -> float:
        """Return the time of day in seconds, for leases that processes share."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """Return seconds that never go back, for waiting inside one process."""
        return self._held.timestamp() if self._held else time.monotonic()

    @contextmanager
    def held(self, at: datetime | None = None) -> Iterator["Clock"]:
        """Stop the clock, at `at` or now, until the end of the block."""
        self._held = at or datetime.now(UTC)
        try:
            yield self
        finally:
            self._held = None

    def move(self, seconds: float) -> None:
        """Push a held clock on."""
        if self._held is None:
            raise ValueError("only a held clock can be moved")
        self._held += timedelta(seconds=seconds)


CLOCK = Clock()


def now() -> datetime:
    """Return the time of day, aware, in UTC."""
    return CLOCK.now()


def timestamp() -> float:
    """Return the time of day in seconds since 1970."""
    return CLOCK.timestamp()


def monotonic() -> float:
    """Return seconds that never go back."""
    return CLOCK.monotonic()


def iso_z(moment: datetime) -> str:
    """Spell a time as compute, image and network do: whole seconds and a Z."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{_SPELL(utc)[1:20].decode()}Z"  # not by another call: lists hold thousands


def _spelled(moment: datetime) -> bytes:
    """Return a time in quotes; lists hold thousands, and isoformat takes ten times as long."""
    return _SPELL(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


_SPELL = msgspec.json.Encoder().encode


def iso_micro_z(moment: datetime) -> str:
    """Spell a time as identity does: microseconds and a Z."""
    return f"{iso_bare(moment)}Z"


def iso_bare(moment: datetime) -> str:
    """Spell a time as block storage does: microseconds and no zone."""
    text = _spelled(moment)
    return text[1:27].decode() if moment.microsecond else f"{text[1:20].decode()}.000000"
