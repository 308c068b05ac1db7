"""What operations, workflows and reconcilers of images are given by the process they run in."""

from dataclasses import dataclass, field

from cumulo.db import Database
from cumulo.kit.outbound import Destinations, Outbound
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.limits import ImageLimits


@dataclass(frozen=True)
class ImageTools:
    """The database, the store, the limits, and the way to what URLs of users name."""

    db: Database
    images: ImageStore
    image_limits: ImageLimits
    outbound: Outbound = field(default_factory=lambda: Outbound(Destinations()))
