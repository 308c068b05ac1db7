"""A network service whose process is killed after a given one of the things that others can see.

Those are commits and what the backend is told.  Between two of them a death leaves the same.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from cumulo.db import Database

_TELLS = ("sync_network", "sync_port", "sync_router", "sync_security_group", "remove")


class Death:
    """Comes after a number of effects; 0 is inside of the first transaction, before its commit."""

    def __init__(self) -> None:
        self._left: int | None = None

    def await_effects(self, number: int) -> None:
        self._left = number

    def stay_away(self) -> None:
        self._left = None

    @property
    def is_at_once(self) -> bool:
        return self._left == 0

    def effect(self) -> None:
        """Count one more, which may be the last."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.come()

    def come(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class MortalDatabase(Database):
    def __init__(self, url: str, death: Death) -> None:
        super().__init__(url)
        self._death = death
        sa.event.listen(self.engine, "connect", _carelessly)

    def write(self, work: Callable[..., Any], /, *args: Any, **kw: Any) -> Any:
        def working(tx: sa.Connection) -> Any:
            result = work(tx, *args, **kw)
            if self._death.is_at_once:
                self._death.come()
            return result

        result = super().write(working)
        self._death.effect()
        return result


def _carelessly(connection: Any, _record: object) -> None:
    """Wait for no disk: a process is killed here, not a machine."""
    connection.execute("pragma synchronous = off")


class MortalDriver:
    """Tells a real backend, and may die when it was told."""

    def __init__(self, driver: Any, death: Death) -> None:
        self._driver, self._death = driver, death

    def become(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._driver, name)
        if name not in _TELLS:
            return act

        def telling(*what: Any) -> None:
            act(*what)
            self._death.effect()

        return telling
