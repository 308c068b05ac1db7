"""What a fake host shall do slowly or wrong: data that a test or a client can set."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import NotFound, Unavailable
from cumulo.node.api import HostError

Failure: TypeAlias = Literal["unavailable", "host_error", "not_found"]
Moment: TypeAlias = Literal["before", "after"]

_ERRORS = {"unavailable": Unavailable, "host_error": HostError, "not_found": NotFound}


class Trouble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delay, a failure or both, for the next calls of a command."""

    command: str  # a command's name, or * for all
    guest_id: str = ""  # only for this guest
    times: Annotated[int, Meta(ge=1)] | None = 1  # None: until the script is cleared
    delay_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    error: Failure | None = None
    message: str = "The script of the fake host says so."
    moment: Moment = "before"  # after: the work is done, and only then the call fails


class Script:
    """The troubles to come, and a count of the calls there were."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self.calls: Counter[str] = Counter()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._left: list[tuple[Trouble, int | None]] = []

    def set(self, troubles: Sequence[Trouble]) -> None:
        """Replace the whole script."""
        with self._lock:
            self._left = [(trouble, trouble.times) for trouble in troubles]

    def troubles(self) -> list[Trouble]:
        """Return what is still to come."""
        with self._lock:
            return [msgspec.structs.replace(trouble, times=left) for trouble, left in self._left]

    def clear(self) -> None:
        """Let everything go well and at once."""
        self.set([])

    def fail(
        self,
        command: str,
        *,
        times: int | None = 1,
        error: Failure = "unavailable",
        moment: Moment = "before",
        guest_id: str = "",
    ) -> None:
        """Let the next calls of a command fail."""
        trouble = Trouble(
            command=command, times=times, error=error, moment=moment, guest_id=guest_id
        )
        self._add(trouble)

    def delay(self, command: str, seconds: float, *, times: int | None = None) -> None:
        """Let a command take that long."""
        self._add(Trouble(command=command, delay_s=seconds, times=times))

    @contextmanager
    def around(self, command: str, guest_id: str = "") -> Iterator[None]:
        """Do to the block what the script says of the command."""
        due = self._take(command, guest_id)
        if delay := sum(trouble.delay_s for trouble in due):
            self._sleep(delay)
        _raise_first(due, "before")
        yield
        _raise_first(due, "after")

    def _add(self, trouble: Trouble) -> None:
        with self._lock:
            self._left.append((trouble, trouble.times))

    def _take(self, command: str, guest_id: str) -> list[Trouble]:
        """Return what concerns this call and count it off."""
        due: list[Trouble] = []
        with self._lock:
            self.calls[command] += 1
            if not self._left:
                return due
            kept: list[tuple[Trouble, int | None]] = []
            for trouble, left in self._left:
                concerns = trouble.command in (command, "*") and trouble.guest_id in ("", guest_id)
                if concerns:
                    due.append(trouble)
                if not concerns or left is None:
                    kept.append((trouble, left))
                elif left > 1:
                    kept.append((trouble, left - 1))
            self._left = kept
        return due


def _raise_first(troubles: Sequence[Trouble], moment: Moment) -> None:
    for trouble in troubles:
        if trouble.error is not None and trouble.moment == moment:
            raise _ERRORS[trouble.error](trouble.message)
