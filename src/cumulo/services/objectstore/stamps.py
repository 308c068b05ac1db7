"""Times as object storage spells them: each write has one, and the newest write wins."""

import functools
import threading
from datetime import UTC, datetime
from email.utils import formatdate

from cumulo.kit import clock


class Stamps:
    """A source of times, no two alike, none earlier than the one before."""

    def __init__(self) -> None:
        self._last, self._lock = 0, threading.Lock()

    def next(self) -> str:
        """Return the time now, to ten microseconds, in sixteen characters that sort."""
        with self._lock:
            self._last = max(self._last + 1, int(clock.timestamp() * 100_000))
            return spelled(self._last / 100_000)


def spelled(seconds: float) -> str:
    """Return a time in seconds as a stamp."""
    return f"{seconds:016.5f}"


def iso(stamp: str) -> str:
    """Spell a stamp as listings do."""
    moment = datetime.fromtimestamp(float(stamp), UTC)
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{moment.microsecond:06d}"


def http_date(stamp: str) -> str:
    """Spell a stamp as Last-Modified: the first whole second that is not before it."""
    return _http_date(int(-(-float(stamp) // 1)))


@functools.lru_cache(maxsize=1024)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
