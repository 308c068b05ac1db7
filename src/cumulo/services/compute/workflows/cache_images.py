"""Hosts fetch images before a guest needs them, each on its own."""

from typing import TypeAlias

from cumulo.kit.errors import CloudError, Unavailable
from cumulo.services.compute import guests
from cumulo.services.compute.image_caching import KIND, CacheImages
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import LOG, reached
from cumulo.services.image import public as image_service
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

Run: TypeAlias = _Run[CacheImages, Tools]


def fetch(run: Run) -> None:
    """Have the host fetch them; what fails is left to the guest that needs it."""
    for image_id, facts in run.params.images.items():
        source = guests.source_of(image_id, facts, run.tools.images)
        try:
            image_service.bring(run.tools.image, image_id)
            with reached(run, run.params.host) as node:
                node.ensure_image(source)
        except Unavailable:
            raise
        except CloudError as error:
            words = {"host": run.params.host, "image": image_id, "reason": error.message}
            LOG.warning("image not cached", **words)


CACHE_IMAGES = Workflow(KIND, CacheImages, [Step(fetch)])
