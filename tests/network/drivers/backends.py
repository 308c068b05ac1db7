"""The network backends that the contract is held against."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cumulo.services.network.drivers.base import NetworkDriver, PortPlan
from tests.guests import Guest

Boot: TypeAlias = Callable[[PortPlan], Guest]


@dataclass
class Backend:
    """A driver with the host it works on; `plug` is what a hypervisor would do for a port."""

    driver: NetworkDriver
    host: str
    plug: Callable[[PortPlan], None]
