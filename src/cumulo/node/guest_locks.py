"""A lock for each guest that is being worked on."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class GuestLocks:
    """A lock for each guest that is being worked on."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._users: Counter[str] = Counter()

    @contextmanager
    def held(self, guest_id: str) -> Iterator[None]:
        """Keep everyone else from the guest during the block."""
        with self._guard:
            self._users[guest_id] += 1
            lock = self._locks.setdefault(guest_id, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._users[guest_id] -= 1
                if not self._users[guest_id]:
                    del self._users[guest_id], self._locks[guest_id]
