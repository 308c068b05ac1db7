"""What pages are given by the process that serves them."""

from dataclasses import dataclass

from cumulo.services.dashboard.journal import Watchers
from cumulo.services.dashboard.settings import DashboardSettings
from cumulo.services.dashboard.transport import Transport


@dataclass(frozen=True)
class Tools:
    """The way to the APIs, and how pages look to who has not chosen."""

    transport: Transport
    auth_url: str
    settings: DashboardSettings
    watchers: Watchers
