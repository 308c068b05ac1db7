"""Doorbells inside one process.

A ring says that something changed, not what: whoever hears it looks at the database.  A ring
while nobody waits is kept for the next wait of each ear that listens for its topic.
"""

import threading
from types import TracebackType
from typing import Protocol, Self


class Ear:
    """Hears some topics, from its making until it is closed."""

    def __init__(self, bell: "LocalDoorbell", topics: frozenset[str]) -> None:
        self._bell, self.topics = bell, topics
        self._heard: set[str] = set()
        self._changed = threading.Condition()

    def hear(self, topic: str) -> None:
        """Note a ring; also how the owner of the ear wakes itself."""
        with self._changed:
            self._heard.add(topic)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> set[str]:
        """Return the topics rung since the last wait, at once or as soon as there is one."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._heard), timeout_s)
            heard, self._heard = self._heard, set()
            return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bell.forget(self)


class Doorbell(Protocol):
    """Wakes whoever listens, in this process or in others."""

    def ring(self, topic: str) -> None:
        """Wake every ear for `topic`; never blocks, never fails."""

    def listen(self, *topics: str) -> Ear:
        """Return an ear that hears every ring of `topics` from now on."""


class LocalDoorbell:
    """A doorbell for the threads of one process."""

    def __init__(self) -> None:
        self._ears: frozenset[Ear] = frozenset()
        self._changing = threading.Lock()

    def ring(self, topic: str) -> None:
        """Wake every ear for `topic`."""
        for ear in self._ears:
            if topic in ear.topics:
                ear.hear(topic)

    def listen(self, *topics: str) -> Ear:
        """Return an ear that hears every ring of `topics` from now on."""
        ear = Ear(self, frozenset(topics))
        with self._changing:
            self._ears |= {ear}
        return ear

    def forget(self, ear: Ear) -> None:
        """Ring no more for `ear`."""
        with self._changing:
            self._ears -= {ear}
