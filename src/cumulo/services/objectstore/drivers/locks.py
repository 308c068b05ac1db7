"""Locks that all processes of a machine know: each is a file, held by who has it locked."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def held(path: str) -> Iterator[None]:
    """Hold a lock, which a process that ends gives back; its file is made and then stays.

    Each thread opens the file anew, since what is open is what holds the lock.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


class Locks:
    """A number of them in a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = str(directory)

    def held(self, number: int) -> contextlib.AbstractContextManager[None]:
        """Hold one."""
        return held(f"{self._directory}/{number:02x}")
