"""An image store in memory."""

from collections.abc import Iterator
from pathlib import Path

from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.image.drivers.base import Incoming, Present

_PIECE = 1 << 16


class FakeStore:
    """A dictionary of images."""

    kind = "fake"

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.images: dict[str, bytes] = {}
        self.uploads: dict[tuple[str, str], bytearray] = {}
        self.touched: dict[tuple[str, str | None], float] = {}

    def begin(self, image_id: str, upload_id: str) -> Incoming:
        """Open a place for an upload's bytes."""
        self.uploads[image_id, upload_id] = bytearray()
        self.touched[image_id, upload_id] = clock.timestamp()
        return _IncomingBytes(self, image_id, upload_id)

    def adopt(self, image_id: str, upload_id: str) -> None:
        """Make parked bytes the image's in one stroke, or find that done."""
        parked = self.uploads.pop((image_id, upload_id), None)
        if parked is not None:
            self.images[image_id] = bytes(parked)
            self.touched[image_id, None] = clock.timestamp()
        elif image_id not in self.images:
            raise NotFound(f"Image {image_id} has no staged data.", image_id=image_id)

    def parked_path(self, image_id: str, upload_id: str) -> Path:
        """Refuse: there are no files."""
        raise Conflict(f"The bytes of image {image_id} are in no file.", upload_id=upload_id)

    def read(self, image_id: str, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes piece by piece; raises `NotFound` at once when there are none."""
        if image_id not in self.images:
            raise NotFound(f"Image {image_id} has no data.", image_id=image_id)
        wanted = self.images[image_id][start : start + length]
        return (wanted[at : at + _PIECE] for at in range(0, len(wanted), _PIECE))

    def delete(self, image_id: str) -> None:
        """Remove an image's bytes, or find them gone; who reads them may read on."""
        self.images.pop(image_id, None)

    def delete_upload(self, image_id: str, upload_id: str) -> None:
        """Remove what an upload has left, or find it gone."""
        self.uploads.pop((image_id, upload_id), None)

    def location(self, image_id: str) -> str:
        """Return a URL that nobody reads from."""
        return f"fake://{self.name}/{image_id}"

    def present(self) -> list[Present]:
        """List all that lies in the store."""
        whole = [
            Present(
                image_id=image_id,
                upload_id=None,
                size=len(found),
                touched_at=self.touched[image_id, None],
            )
            for image_id, found in self.images.items()
        ]
        coming = [
            Present(
                image_id=image_id,
                upload_id=upload_id,
                size=len(found),
                touched_at=self.touched[image_id, upload_id],
            )
            for (image_id, upload_id), found in self.uploads.items()
        ]
        return [*whole, *coming]


class _IncomingBytes:
    def __init__(self, store: FakeStore, image_id: str, upload_id: str) -> None:
        self._store, self._image_id, self._upload_id = store, image_id, upload_id
        self._kept = False

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""
        self._store.uploads[self._image_id, self._upload_id] += piece
        self._store.touched[self._image_id, self._upload_id] = clock.timestamp()

    def keep(self) -> None:
        """Make the bytes the image's in one stroke."""
        if self._image_id in self._store.images:
            raise Conflict(f"Image {self._image_id} has data already.")
        whole = self._store.uploads.pop((self._image_id, self._upload_id))
        self._store.images[self._image_id] = bytes(whole)
        self._store.touched[self._image_id, None] = clock.timestamp()
        self._kept = True

    def park(self) -> None:
        """Make the bytes safe, to be made the image's later by `adopt`."""

    def discard(self) -> None:
        """Remove what was written, kept or not, or find it gone."""
        self._store.delete_upload(self._image_id, self._upload_id)
        if self._kept:
            self._store.delete(self._image_id)
