"""The network backends that the contract is held against."""

from collections.abc import Callable
from dataclasses import dataclass

from cumulo.services.network.drivers.base import NetworkDriver, PortPlan


@dataclass
class Backend:
    """A driver with the host it works on; `plug` is what a hypervisor would do for a port."""

    driver: NetworkDriver
    host: str
    plug: Callable[[PortPlan], None]
