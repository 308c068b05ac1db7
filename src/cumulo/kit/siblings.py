"""Processes that serve one port together, each with an interpreter, and so a processor, of its own.

They are forked while there is one thread, and share the memory of all that was made by then.  The
first is the one that was started: who stops it stops all, and none of them outlives it.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_MOST = 4
_PR_SET_PDEATHSIG = 1  # of prctl.h


def sensible() -> int:
    """Return how many processes serve best here: one for each processor, up to a few."""
    if not sys.platform.startswith("linux"):
        return 1  # nothing there ends the others with the first
    return min(len(os.sched_getaffinity(0)), _MOST)


@dataclass(frozen=True)
class Siblings:
    """What a process is among several: its number, and the others if it is the first."""

    number: int
    count: int
    others: Sequence[int] = ()

    @property
    def is_first(self) -> bool:
        """Say whether this process does what only one of them may do."""
        return self.number == 0

    def missing(self) -> int | None:
        """Return the number of another one that has ended, as none does by itself."""
        for number, pid in enumerate(self.others, 1):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            return number
        return None

    def stop(self) -> None:
        """Have the others end their requests, and wait until they did."""
        for pid in self.others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for pid in self.others:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def forked(count: int) -> Siblings:
    """Return, in each of so many processes, which of them it is; call it before any thread runs."""
    if count == 1:
        return Siblings(0, 1)
    gc.collect()
    gc.freeze()  # the collector writes to all that it looks through, and so to shared memory
    first, others = os.getpid(), list[int]()
    for number in range(1, count):
        pid = os.fork()
        if pid == 0:
            _end_with(first)
            return Siblings(number, count)
        others.append(pid)
    return Siblings(0, count, others)


def _end_with(first: int) -> None:
    """Have the system end this process when the first one ends, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != first:  # it ended before it was asked for
        os._exit(1)
