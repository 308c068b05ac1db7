"""Threads that do the same processor's work together: those that only ever wait for each other.

Of this program's threads one runs at a time, the one that has the interpreter's lock, which they
hand on at every statement sent to a database in this process.  A system that sees idle processors
spreads them out, and then all that each needs next lies in the wrong processor's cache: a cloud in
one process takes half as long again for everything.  So those threads keep to one processor, and
leave it when others want it.  Whatever computes outside of the interpreter goes `apart`.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cumulo.kit.ids import random_bytes

_LOOK_S = 1.0
_CROWDED = 0.25  # of a processor's time, that others take there more than elsewhere


class Used(NamedTuple):
    """Seconds of work since some moment: of all programs by processor, and of this one."""

    by_processor: Mapping[int, float]
    own: float


class Together:
    """Where the threads that hold the interpreter's lock run; everywhere until `look` chose."""

    def __init__(
        self,
        used: Callable[[], Used],
        put: Callable[[Collection[int]], None],
        processors: Collection[int],
    ) -> None:
        self._used, self._put, self._processors = used, put, frozenset(processors)
        self._before = used()
        self._chosen: int | None = None
        self._local = threading.local()

    def look(self, elapsed_s: float) -> None:
        """Choose where others did least since the last look, if it is worth to go there."""
        now, before = self._used(), self._before
        self._before = now
        others = {
            one: now.by_processor.get(one, 0.0) - before.by_processor.get(one, 0.0)
            for one in self._processors
        }
        if self._chosen is not None:
            others[self._chosen] -= now.own - before.own
        quietest = min(others, key=lambda one: (others[one], one))
        at = quietest if self._chosen is None else self._chosen
        crowded = others[at] - others[quietest] > _CROWDED * elapsed_s
        self._chosen = quietest if crowded and _tails() else at

    def join(self) -> None:
        """Have this thread run where the others do from now on."""
        chosen = self._chosen
        if chosen is not None and getattr(self._local, "at", None) != chosen:
            self._put({chosen})
            self._local.at = chosen

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let this thread run on any processor, until the end of the block."""
        joined = getattr(self._local, "at", None) is not None
        if joined:
            self._put(self._processors)
            self._local.at = None
        try:
            yield
        finally:
            if joined:
                self.join()


_together: Together | None = None


def keep_together() -> None:
    """Keep threads that `join` on one processor, for the rest of this process's life."""
    global _together  # noqa: PLW0603 - a process runs somewhere, once
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) == 1:
        return
    _together = Together(_used, lambda some: os.sched_setaffinity(0, some), os.sched_getaffinity(0))
    threading.Thread(target=_watch, args=[_together], name="processors", daemon=True).start()


def join() -> None:
    """Have this thread run where others do that hold the interpreter's lock, if they are kept."""
    if _together is not None:
        _together.join()


@contextmanager
def apart() -> Iterator[None]:
    """Let this thread run on any processor: for what computes without the interpreter."""
    if _together is None:
        yield
        return
    with _together.apart():
        yield


def _watch(together: Together) -> None:
    looked = time.monotonic()
    while True:
        time.sleep(_LOOK_S)
        now = time.monotonic()
        together.look(now - looked)
        looked = now


def _tails() -> bool:
    """Toss a coin, lest two that were on one processor leave it for the same other one."""
    return bool(random_bytes(1)[0] & 1)


def _used() -> Used:
    by_processor = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, _idle, _waiting, *rest = map(int, ticks)
            by_processor[int(name[3:])] = (user + nice + system + sum(rest[:3])) / _TICKS
    return Used(by_processor, time.process_time())


_TICKS = os.sysconf("SC_CLK_TCK")
