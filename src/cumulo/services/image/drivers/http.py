"""An image store that holds nothing: it reads each image from the URL that its location names.

What lies there may change or go at any time; who reads an image has its bytes verified.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

from cumulo.kit.errors import NotFound
from cumulo.kit.outbound import CannotFetch
from cumulo.services.image.drivers.base import Incoming, Present
from cumulo.services.image.errors import StoreReadOnly


class HttpStore:
    """URLs of images, which `get` fetches and `url_of` remembers."""

    kind = "http"

    def __init__(
        self,
        get: Callable[[str], Generator[bytes, None, None]],
        url_of: Callable[[str], str | None],
        name: str,
    ) -> None:
        self.name, self._get, self._url_of = name, get, url_of

    def begin(self, image_id: str, upload_id: str) -> Incoming:
        """Refuse: bytes are not written here."""
        del image_id, upload_id
        raise self._refusal()

    def adopt(self, image_id: str, upload_id: str) -> None:
        """Refuse: nothing is parked here."""
        del image_id, upload_id
        raise self._refusal()

    def parked_path(self, image_id: str, upload_id: str) -> Path:
        """Refuse: there are no files."""
        del image_id, upload_id
        raise self._refusal()

    def read(self, image_id: str, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes piece by piece; what keeps them from being had at all is told at once."""
        url = self._url_of(image_id)
        if url is None:
            raise NotFound(f"Image {image_id} has no data.", image_id=image_id)
        pieces = self._get(url)
        first = next(pieces, b"")  # only now is anything asked
        return _part(first, pieces, start, length)

    def delete(self, image_id: str) -> None:
        """Leave what lies elsewhere to whoever owns it."""

    def delete_upload(self, image_id: str, upload_id: str) -> None:
        """Find it gone: nothing was written."""

    def location(self, image_id: str) -> str:
        """Return the URL of an image."""
        return self._url_of(image_id) or ""

    def present(self) -> list[Present]:
        """List nothing."""
        return []

    def _refusal(self) -> StoreReadOnly:
        return StoreReadOnly(
            "Error in store configuration. Adding images to store is disabled: "
            f"{self.name} only reads what URLs name."
        )


def _part(
    first: bytes, rest: Generator[bytes, None, None], start: int, length: int
) -> Iterator[bytes]:
    """Yield `length` bytes from `start` on; where there are fewer, fail."""
    with closing(rest):
        piece: bytes | None = first
        while piece and length > 0:
            wanted = piece[start : start + length]
            start = max(0, start - len(piece))
            length -= len(wanted)
            if wanted:
                yield wanted
            piece = next(rest, None) if length > 0 else None
    if length > 0:
        raise CannotFetch(f"{length} bytes less are there than the image has.")
