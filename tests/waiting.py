"""Waiting for what another process does: for the state, never for a time, and not for ever."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Return once `condition` holds; fail when it does not within that time."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"did not come true within {within_s} s: {condition}"
        time.sleep(0.01)
