"""Turns that who comes often has to wait for, shared by the threads of a process."""

import threading
import time
from collections.abc import Callable

from cumulo.kit import clock, log
from cumulo.services.objectstore.refusals import SlowDown
from cumulo.services.objectstore.settings import RateLimits

LOG = log.get("objectstore")
_MOST_KNOWN = 10000
_LEAST_S = 0.01  # nearer than this to the longest wait is too long


class Turns:
    """When whoever comes next may go on, by what is limited; for all threads of a process."""

    def __init__(self, wait: Callable[[float], None] = time.sleep) -> None:
        self.wait = wait
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, name: str, rate: float, limits: RateLimits) -> None:
        """Wait for a turn where `rate` have one each second; refuse when that takes too long."""
        with self._lock:
            wait_s = self._taken(name, 1 / rate, limits)
        if wait_s is None:
            LOG.info("slowed down", what=name, rate=rate)
            raise SlowDown("Slow down")
        if wait_s > 0:
            self.wait(wait_s)

    def _taken(self, name: str, each_s: float, limits: RateLimits) -> float | None:
        now = clock.monotonic()
        if len(self._next) > _MOST_KNOWN:
            since = now - limits.rate_buffer_seconds
            self._next = {key: at for key, at in self._next.items() if at > since}
        at = self._next.get(name, 0.0)
        # Who was late a little may catch up; who did not come for long begins anew.
        if now - at - each_s > limits.rate_buffer_seconds:
            at = now
        wait_s = max(0.0, at - now)
        if wait_s >= limits.max_sleep_time_seconds - _LEAST_S:
            return None
        self._next[name] = at + each_s
        return wait_s
