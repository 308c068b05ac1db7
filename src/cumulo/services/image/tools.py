"""What operations, workflows and reconcilers of images are given by the process they run in."""

from dataclasses import dataclass, field
from functools import cached_property

from cumulo.db import Database
from cumulo.kit.outbound import Destinations, Outbound
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.stores import Backend, Stores


@dataclass(frozen=True)
class ImageTools:
    """The database, the store, the limits, and the way to what URLs of users name."""

    db: Database
    images: ImageStore
    image_limits: ImageLimits
    outbound: Outbound = field(default_factory=lambda: Outbound(Destinations()))
    more_stores: tuple[Backend, ...] = ()

    @cached_property
    def stores(self) -> Stores:
        """Return all stores; `images` is the first of them."""
        limits = self.image_limits
        first = Backend(self.images, limits.first_store_weight)
        default = limits.default_backend if self.more_stores else None
        backends = [first, *self.more_stores]
        return Stores(backends, default, virtual_size_cap=limits.virtual_size_cap)
