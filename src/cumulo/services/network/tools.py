"""What the service works with."""

from dataclasses import dataclass, field

from cumulo.db import Database
from cumulo.services.network.drivers.base import NetworkDriver
from cumulo.services.network.settings import NetworkSettings


@dataclass(frozen=True)
class Tools:
    """The database, the backend, the operator's settings."""

    db: Database
    driver: NetworkDriver
    settings: NetworkSettings = field(default_factory=NetworkSettings)
