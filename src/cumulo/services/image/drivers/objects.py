"""An image store in this cloud's object storage: one object an image, named by its id.

What is being uploaded is nobody's to see before it is whole, and goes by itself when it never is.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cumulo.kit.errors import Conflict
from cumulo.services.image.drivers.base import Incoming, Present


class ListedObject(Protocol):
    """An object as a listing tells of it."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def size(self) -> int: ...  # noqa: D102

    @property
    def modified_at(self) -> str: ...  # noqa: D102


class OpenedObject(Protocol):
    """An object that is being read."""

    def pieces(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield bytes, piece by piece."""

    def close(self) -> None:
        """Let go of it."""


class IncomingObject(Protocol):
    """An object on its way in."""

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""

    def keep(self, *, replace: bool = True) -> object:
        """Make the bytes the object's; raises `Conflict` rather than replace any."""

    def discard(self) -> None:
        """Leave nothing of what was not kept."""


class Container(Protocol):
    """What is needed of a container of object storage."""

    def ensure(self) -> None:
        """Make the container, or find it made."""

    def begin(self, name: str) -> IncomingObject:
        """Open a place for an object's bytes."""

    def open(self, name: str) -> OpenedObject:
        """Open an object; raises `NotFound` when there is none."""

    def delete(self, name: str) -> None:
        """Delete an object, or find it gone."""

    def listed(self) -> Iterator[ListedObject]:
        """Yield what the container holds."""


class ObjectImageStore:
    """A container of images; `container` is asked for it when it is first needed."""

    kind = "swift"

    def __init__(self, container: Callable[[], Container], name: str) -> None:
        self.name, self._container = name, container

    def begin(self, image_id: str, upload_id: str) -> Incoming:
        """Open a place for an upload's bytes."""
        del upload_id  # nobody else can see or hinder it
        container = self._container()
        container.ensure()
        return _Incoming(container, container.begin(image_id), image_id)

    def adopt(self, image_id: str, upload_id: str) -> None:
        """Refuse: nothing is parked here."""
        raise Conflict(f"Image {image_id} is not staged here.", upload_id=upload_id)

    def parked_path(self, image_id: str, upload_id: str) -> Path:
        """Refuse: there are no files."""
        raise Conflict(f"The bytes of image {image_id} are in no file.", upload_id=upload_id)

    def read(self, image_id: str, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes piece by piece; raises `NotFound` at once when there are none."""
        opened = self._container().open(image_id)

        def pieces() -> Iterator[bytes]:
            with closing(opened):
                yield from opened.pieces(start, length)

        return pieces()

    def delete(self, image_id: str) -> None:
        """Remove an image's bytes, or find them gone; who reads them may read on."""
        self._container().delete(image_id)

    def delete_upload(self, image_id: str, upload_id: str) -> None:
        """Find it gone: what was not kept is not there."""

    def location(self, image_id: str) -> str:
        """Return the URL of an image's object, as Glance spells those of its settings."""
        return f"swift+config://{self.name}/{image_id}"

    def present(self) -> list[Present]:
        """List all that lies in the store; names that are no ids are not ours."""
        return [
            Present(
                image_id=one.name,
                upload_id=None,
                size=one.size,
                touched_at=datetime.fromisoformat(one.modified_at).replace(tzinfo=UTC).timestamp(),
            )
            for one in self._container().listed()
            if _is_id(one.name)
        ]


class _Incoming:
    def __init__(self, container: Container, incoming: IncomingObject, image_id: str) -> None:
        self._container, self._incoming, self._image_id = container, incoming, image_id
        self._kept = False

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""
        self._incoming.write(piece)

    def keep(self) -> None:
        """Make the bytes the image's in one stroke."""
        try:
            self._incoming.keep(replace=False)
        except Conflict as error:
            raise Conflict(f"Image {self._image_id} has data already.") from error
        self._kept = True

    def park(self) -> None:
        """Refuse: nothing waits here."""
        raise Conflict(f"Image {self._image_id} cannot be staged here.")

    def discard(self) -> None:
        """Remove what was written, kept or not, or find it gone."""
        self._incoming.discard()
        if self._kept:
            self._container.delete(self._image_id)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
