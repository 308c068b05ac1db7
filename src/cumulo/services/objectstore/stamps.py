"""Times as object storage spells them: each write has one, and the newest write wins."""

import functools
import threading
from datetime import UTC, datetime
from email.utils import formatdate

from cumulo.kit import clock


class Stamps:
    """A source of times, no two alike, none earlier than the one before.

    Several processes of a machine have their times differ by what remains of each, in units of ten
    microseconds, when it is divided by how many they are: `number`, of `count`.
    """

    def __init__(self, number: int = 0, count: int = 1) -> None:
        self._number, self._count = number, count
        self._last, self._lock = 0, threading.Lock()

    def next(self) -> str:
        """Return the time now, to ten microseconds, in sixteen characters that sort."""
        with self._lock:
            now = int(clock.timestamp() * 100_000)
            now += (self._number - now) % self._count
            self._last = max(self._last + self._count, now)
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
