"""What a place for backups must offer: pieces by name, and an index that makes them a backup.

The index is written last: what has none is no backup yet, or was being deleted.
"""

from typing import Protocol


class BackupStore(Protocol):
    """A place for the pieces of backups."""

    name: str

    def put(self, backup_id: str, piece: str, content: bytes) -> None:
        """Keep a piece of a backup, or keep it again."""

    def get(self, backup_id: str, piece: str) -> bytes:
        """Return a piece; `BackendError` when there is none."""

    def delete(self, backup_id: str) -> None:
        """Remove all pieces of a backup, or find them gone."""

    def present(self) -> list[tuple[str, float]]:
        """List the backups of which there is something, with when it was last written to."""
