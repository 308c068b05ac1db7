"""Backups in a directory, each in one of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from cumulo.kit.errors import Invalid, Unavailable
from cumulo.services.volume.drivers.base import BackendError


class BackupDirectory:
    """A directory of backups; made when the first is."""

    name = "directory"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, backup_id: str, piece: str, content: bytes) -> None:
        """Keep a piece, whole or not at all."""
        path = self._path(backup_id, piece)
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(path.name + ".new")
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)

    def get(self, backup_id: str, piece: str) -> bytes:
        """Return a piece."""
        with self._told():
            return self._path(backup_id, piece).read_bytes()

    def delete(self, backup_id: str) -> None:
        """Remove all pieces; the index first, so that nobody takes the rest for a backup."""
        place = self._path(backup_id, "index")
        with self._told():
            place.unlink(missing_ok=True)
            if place.parent.exists():
                shutil.rmtree(place.parent)

    def present(self) -> list[tuple[str, float]]:
        """List the backups of which there is something."""
        with self._told():
            if not self._directory.exists():
                return []
            return [
                (path.name, path.stat().st_mtime)
                for path in self._directory.iterdir()
                if _is_id(path.name)
            ]

    def _path(self, backup_id: str, piece: str) -> Path:
        if not _is_id(backup_id) or not piece.isalnum():
            raise Invalid(f"'{backup_id[:64]}' is not the id of a backup.")
        return self._directory / backup_id / piece

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise BackendError(f"The backup lacks {Path(error.filename).name}.") from error
        except OSError as error:
            raise Unavailable(f"{self._directory} cannot be used: {error.strerror}.") from error


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
