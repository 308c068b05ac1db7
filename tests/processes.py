"""Other processes for tests, which start fast because their imports are done beforehand.

Not plain forks: this process has threads, whose locks a fork would inherit held.
"""

import multiprocessing
from collections.abc import Callable
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["cumulo.work", "pytest"])


def side_by_side(number: int, work: Callable[..., None], *args: Any) -> list[int | None]:
    """Run `work` in `number` processes at once; return how each ended, as `exitcode` does."""
    others = [CONTEXT.Process(target=work, args=args) for _ in range(number)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    return [other.exitcode for other in others]
