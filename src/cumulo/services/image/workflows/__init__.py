"""What takes longer than a request."""

from typing import Any

from cumulo.services.image.workflows.add_location import ADD_LOCATION
from cumulo.services.image.workflows.cache_image import CACHE_IMAGE
from cumulo.services.image.workflows.copy_image import COPY_IMAGE, REMOVE_COPY
from cumulo.services.image.workflows.delete_image import DELETE_IMAGE
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.work import Workflow

WORKFLOWS: list[Workflow[Any, Any]] = [
    DELETE_IMAGE,
    IMPORT_IMAGE,
    ADD_LOCATION,
    COPY_IMAGE,
    REMOVE_COPY,
    CACHE_IMAGE,
]
