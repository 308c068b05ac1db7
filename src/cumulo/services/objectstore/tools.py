"""What operations and reconcilers of object storage are given by the process they run in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from cumulo.auth import Context
from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.drivers.courier import Courier, HttpCourier
from cumulo.services.objectstore.local_users import LocalUsers
from cumulo.services.objectstore.settings import ObjectStoreSettings
from cumulo.services.objectstore.turns import Turns

# Finds who holds an access key, if the function it is given knows the key's secret.
Signer: TypeAlias = Callable[[str, Callable[[str], bool]], Context]


@dataclass(frozen=True)
class Tools:
    """The devices, and how they are used."""

    cluster: Cluster
    settings: ObjectStoreSettings
    signer: Signer | None = None  # without it there is no S3
    own_address: str = ""  # host and port of this store, as its users know them
    users: LocalUsers | None = None  # of a store that runs alone
    turns: Turns = field(default_factory=Turns)
    courier: Courier = field(default_factory=HttpCourier)
