"""What compute's operations, workflows and reconcilers are given to work with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cumulo.db import Database, Tx
from cumulo.kit.errors import Invalid
from cumulo.node.api import Nodes
from cumulo.services.compute import networking
from cumulo.services.compute.services import Health
from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.image.public import ImageTools
from cumulo.services.volume.public import VolumeTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Compute's surroundings."""

    db: Database
    nodes: Nodes
    settings: ComputeSettings
    host: str  # of this process, which schedules and runs workflows
    project_exists: Callable[[Tx, str], bool]  # identity's answer
    network: networking.Tools
    image_port: int = 9292  # of the image service, for links
    images: Path  # where the file store keeps images
    consoles: str = "127.0.0.1:6080"  # where the edge shows them, for clients
    image: ImageTools  # to hand over what servers' disks were copied to
    volume: VolumeTools

    @property
    def health(self) -> Health:
        """Return what decides whether services live."""
        return Health(
            down_after_s=self.settings.service_down_time,
            default_zone=self.settings.default_availability_zone,
        )

    def check_project(self, tx: Tx, project_id: str) -> None:
        """Refuse the id of a project that does not exist."""
        if not self.project_exists(tx, project_id):
            raise Invalid(f"Project ID {project_id} is not a valid project.", field="project_id")
