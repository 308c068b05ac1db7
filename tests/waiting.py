"""Waiting for what another process does: for the state, never for a time, and not for ever."""

import time
from collections.abc import Callable


def eventually(
    condition: Callable[[], object],
    within_s: float = 20.0,
    tell: Callable[[], object] | None = None,
    every_s: float = 0.01,
) -> None:
    """Return once `condition` holds; fail, with what `tell` says, when it does not in that time."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            told = tell() if tell else condition
            raise AssertionError(f"did not come true within {within_s} s: {told}")
        time.sleep(every_s)
