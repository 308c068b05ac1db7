"""What the service works with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cumulo.db import Database, Tx
from cumulo.services.network.drivers.base import NetworkDriver
from cumulo.services.network.settings import NetworkSettings


def _all(_tx: Tx, project_ids: set[str]) -> set[str]:
    return project_ids


@dataclass(frozen=True)
class Tools:
    """The database, the backend, the operator's settings."""

    db: Database
    driver: NetworkDriver
    settings: NetworkSettings = field(default_factory=NetworkSettings)
    # Which of some projects there are.
    projects_among: Callable[[Tx, set[str]], set[str]] = _all
