"""How objects lie on devices: whole on each, or in fragments, as their container's policy says."""

from collections.abc import Iterator
from typing import Protocol

from cumulo.services.objectstore import fragments, replicas
from cumulo.services.objectstore.cluster import Cluster, Place
from cumulo.services.objectstore.drivers.base import Stored


class Writing(Protocol):
    """An object on its way to its devices; nobody sees any of it before `keep`."""

    def write(self, piece: bytes) -> None:
        """Add bytes."""

    def keep(self, stored: Stored) -> Stored:
        """Make it the object on enough devices, safely on disk; return what is known of it."""

    def discard(self) -> None:
        """Leave nothing of what was not kept; may be called at any time."""


class Reading(Protocol):
    """An object's bytes and what is known of them."""

    stored: Stored

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes of a range, each checked before it goes out."""

    def close(self) -> None:
        """Let go of the bytes."""


def writing(cluster: Cluster, place: Place) -> Writing:
    """Begin to write an object."""
    return (fragments.Writing if place.scheme else replicas.Writing)(cluster, place)


def opened(cluster: Cluster, place: Place) -> Reading | None:
    """Open an object's newest version, or return None when there is none."""
    return (fragments.opened if place.scheme else replicas.opened)(cluster, place)


def post(cluster: Cluster, place: Place, stamp: str, headers: dict[str, str]) -> None:
    """Replace an object's headers on enough of the devices that have it."""
    (fragments.post if place.scheme else replicas.post)(cluster, place, stamp, headers)
