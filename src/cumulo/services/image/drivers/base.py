"""What an image store must offer.

Bytes are written once, under the id of an upload, and become an image's bytes in one stroke
when the upload is complete; until then nobody can read them.  A store knows no database and no
request.  Errors: `Unavailable` (ask again later), `TooLarge` when there is no room.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lies in the store: an image's bytes, or an upload's when `upload_id` is set.

    `touched_at` is when it was last written to, in seconds since 1970.
    """

    image_id: str
    upload_id: str | None
    size: int
    touched_at: float


class Incoming(Protocol):
    """Bytes on their way in."""

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""

    def keep(self) -> None:
        """Make the bytes the image's, safely on disk, in one stroke.

        Raises `Conflict` when the image has bytes: another upload was faster.
        """

    def park(self) -> None:
        """Make the bytes safe on disk, to be made the image's later by `adopt`."""

    def discard(self) -> None:
        """Remove what was written, kept or not, or find it gone."""


class ImageStore(Protocol):
    """A place for the bytes of images."""

    name: str
    kind: str

    def begin(self, image_id: str, upload_id: str) -> Incoming:
        """Open a place for an upload's bytes."""

    def adopt(self, image_id: str, upload_id: str) -> None:
        """Make parked bytes the image's in one stroke, or find that done.

        Raises `NotFound` when there are none.
        """

    def parked_path(self, image_id: str, upload_id: str) -> Path:
        """Return the file of parked bytes, or one to be written, for programs that need files.

        Raises `Conflict` where bytes do not lie in files.
        """

    def read(self, image_id: str, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes piece by piece; raises `NotFound` at once when there are none."""

    def delete(self, image_id: str) -> None:
        """Remove an image's bytes, or find them gone; who reads them may read on."""

    def delete_upload(self, image_id: str, upload_id: str) -> None:
        """Remove what an upload has left, or find it gone."""

    def location(self, image_id: str) -> str:
        """Return the URL by which other services know an image's bytes."""

    def present(self) -> list[Present]:
        """List all that lies in the store."""
