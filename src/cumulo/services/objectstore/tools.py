"""What operations and reconcilers of object storage are given by the process they run in."""

from dataclasses import dataclass

from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.settings import ObjectStoreSettings


@dataclass(frozen=True)
class Tools:
    """The devices, and how they are used."""

    cluster: Cluster
    settings: ObjectStoreSettings
