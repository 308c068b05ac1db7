"""What operations, workflows and reconcilers of images are given by the process they run in."""

from dataclasses import dataclass

from cumulo.db import Database
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.limits import ImageLimits


@dataclass(frozen=True)
class ImageTools:
    """The database, the store and the limits."""

    db: Database
    images: ImageStore
    image_limits: ImageLimits
