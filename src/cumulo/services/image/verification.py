"""Bytes that lie where others can change them are an image's only while they are the same."""

import hashlib
from collections.abc import Iterator

from cumulo.services.image.errors import InvalidImageData
from cumulo.services.image.inspection import inspection_of
from cumulo.services.image.store.images import Image


def verified(image: Image, pieces: Iterator[bytes], virtual_size_cap: int) -> Iterator[bytes]:
    """Yield all of an image's bytes, the last of them only if they are what they were.

    They are inspected again: a client may have named a hash that others can forge.
    """
    digest = hashlib.new(image.os_hash_algo or "sha512", usedforsecurity=False)
    inspection, held = inspection_of(image, virtual_size_cap), b""
    for piece in pieces:
        digest.update(piece)
        if inspection:
            inspection.feed(piece)
        if held:
            yield held
        held = piece
    if inspection:
        inspection.finish()
    if digest.hexdigest() != image.os_hash_value:
        raise InvalidImageData(
            f"The data of image {image.id} is not what it was when its location was added."
        )
    if held:
        yield held
