"""What operations, workflows and reconcilers of block storage are given to work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cumulo.db import Database, Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.image.public import ImageTools
from cumulo.services.volume.drivers.backup_store import BackupStore
from cumulo.services.volume.drivers.base import VolumeDriver
from cumulo.services.volume.keys import Safe
from cumulo.services.volume.settings import BackendSettings, VolumeSettings
from cumulo.work import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How a host reaches a volume in some place, and what opens it there."""

    target: Mapping[str, Any]  # as `drivers.base.Connection` has it
    header: int  # bytes before an encrypted disk's own
    secrets: Mapping[str, str]


class Servers(Protocol):
    """What compute does for volumes that its servers have."""

    def holds(self, tx: Tx, server_id: str, attachment_id: str) -> bool:
        """Say whether a server has a volume by this attachment."""

    def resize_volume(self, caller: Caller, server_id: str, volume_id: str, size_gib: int) -> None:
        """Let the server's guest see that its volume is larger."""

    def copy_volume(self, server_id: str, volume_id: str, path: str) -> bool:
        """Let the server's host copy a volume at one moment; False: nobody writes to it."""

    def copies_volumes(self, server_id: str) -> bool:
        """Say whether the server's host copies volumes; an emulated one does not."""

    def exchange_volume(self, server_id: str, volume_id: str, there: Reached) -> None:
        """Let the server, which runs, have its volume there, with all it holds."""

    def is_volume_at(self, server_id: str, volume_id: str, there: Reached) -> bool:
        """Say whether the server's guest has its volume there."""


class NoServers:
    """A cloud without compute."""

    def holds(self, tx: Tx, server_id: str, attachment_id: str) -> bool:
        """Say that none has."""
        return False

    def resize_volume(self, caller: Caller, server_id: str, volume_id: str, size_gib: int) -> None:
        """Tell nobody."""

    def copy_volume(self, server_id: str, volume_id: str, path: str) -> bool:
        """Say that nobody writes to it."""
        return False

    def copies_volumes(self, server_id: str) -> bool:
        """Say that none does."""
        return False

    def exchange_volume(self, server_id: str, volume_id: str, there: Reached) -> None:
        """Find no such server."""
        raise NotFound(f"Server {server_id} could not be found.", server_id=server_id)

    def is_volume_at(self, server_id: str, volume_id: str, there: Reached) -> bool:
        """Say that none has."""
        return False


@dataclass(frozen=True, slots=True)
class Place:
    """A back end of this process: its driver, and what is told of it."""

    driver: VolumeDriver
    settings: BackendSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeTools:
    """Block storage's surroundings."""

    db: Database
    settings: VolumeSettings
    host: str  # of this process
    places: Mapping[str, Place]  # by host@backend
    project_exists: Callable[[Tx, str], bool]  # identity's answer
    image: ImageTools
    servers: Servers
    backups: BackupStore
    safe: Safe  # of the keys of encrypted volumes

    def driver(self, pool: str | None) -> VolumeDriver:
        """Return the driver of the back end that a pool, host@backend#pool, is of."""
        backend = (pool or "").partition("#")[0]
        if backend not in self.places:
            raise NotFound(f"Back end {backend or pool} is not part of this cloud.")
        return self.places[backend].driver

    def check_project(self, tx: Tx, project_id: str) -> None:
        """Refuse the id of a project that does not exist."""
        if not self.project_exists(tx, project_id):
            raise Invalid(f"Project ID {project_id} is not a valid project.", field="project_id")
