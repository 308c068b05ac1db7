"""Backups in this cloud's object storage: one object a piece, named `<backup>/<piece>`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from cumulo.kit.errors import CloudError, Invalid, Unavailable
from cumulo.services.volume.drivers.base import BackendError


class ListedObject(Protocol):
    """An object as a listing tells of it."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def modified_at(self) -> str: ...  # noqa: D102


class OpenedObject(Protocol):
    """An object that is being read."""

    def pieces(self) -> Iterator[bytes]:
        """Yield bytes, piece by piece."""

    def close(self) -> None:
        """Let go of it."""


class Container(Protocol):
    """What is needed of a container of object storage."""

    def ensure(self) -> None:
        """Make the container, or find it made."""

    def put(self, name: str, pieces: Iterable[bytes]) -> object:
        """Store an object, whole or not at all."""

    def open(self, name: str) -> OpenedObject:
        """Open an object."""

    def delete(self, name: str) -> None:
        """Delete an object, or find it gone."""

    def listed(self, prefix: str = "") -> Iterable[ListedObject]:
        """Yield what the container holds; nothing when there is none."""


class BackupObjects:
    """A container of backups; made when the first is."""

    name = "swift"

    def __init__(self, container: Callable[[], Container]) -> None:
        self._container = container  # asked late: object storage is put together after us

    def put(self, backup_id: str, piece: str, content: bytes) -> None:
        """Keep a piece, whole or not at all."""
        name, container = _name(backup_id, piece), self._container()
        with _told(backup_id):
            container.ensure()
            container.put(name, [content])

    def get(self, backup_id: str, piece: str) -> bytes:
        """Return a piece."""
        name = _name(backup_id, piece)
        with _told(backup_id), closing(self._container().open(name)) as found:
            return b"".join(found.pieces())

    def delete(self, backup_id: str) -> None:
        """Remove all pieces; the index first, so that nobody takes the rest for a backup."""
        container = self._container()
        with _told(backup_id):
            container.delete(_name(backup_id, "index"))
            for one in list(container.listed(f"{backup_id}/")):
                container.delete(one.name)

    def present(self) -> list[tuple[str, float]]:
        """List the backups of which there is something."""
        found: dict[str, float] = {}
        for one in self._container().listed():
            backup_id = one.name.partition("/")[0]
            if _is_id(backup_id):
                moment = datetime.fromisoformat(one.modified_at).replace(tzinfo=UTC).timestamp()
                found[backup_id] = max(moment, found.get(backup_id, 0.0))
        return list(found.items())


@contextmanager
def _told(backup_id: str) -> Iterator[None]:
    """Tell apart what may pass from what will not."""
    try:
        yield
    except Unavailable:
        raise
    except CloudError as error:
        raise BackendError(f"Backup {backup_id}: {error.message}") from error


def _name(backup_id: str, piece: str) -> str:
    if not _is_id(backup_id) or not piece.isalnum():
        raise Invalid(f"'{backup_id[:64]}' is not the id of a backup.")
    return f"{backup_id}/{piece}"


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
