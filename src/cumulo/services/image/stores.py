"""The stores there are, by name, and how bytes get from one to another."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.store.images import Image

_PIECE = 1 << 20


@dataclass(frozen=True)
class Backend:
    """A store with what operators say of it."""

    store: ImageStore
    weight: int = 0
    description: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


class Stores:
    """All stores; in the first, imports are staged, and servers start from it."""

    def __init__(self, backends: Sequence[Backend], default: str | None = None) -> None:
        self.backends = {one.store.name: one for one in backends}
        self.first = backends[0].store
        self.default = self.get(default) if default else self.first
        self.names = list(self.backends)

    @property
    def are_several(self) -> bool:
        """Say whether clients have a choice."""
        return len(self.backends) > 1

    def get(self, name: str) -> ImageStore:
        """Return a store by its name."""
        if name not in self.backends:
            raise Invalid(f"There is no store '{name[:64]}' among stores.", field="stores")
        return self.backends[name].store

    def chosen(self, name: str | None) -> ImageStore:
        """Return the store that a client names, or the default."""
        return self.get(name) if name else self.default

    def holding(self, image: Image) -> list[ImageStore]:
        """Return the stores that have an image's bytes, the one of the largest weight first."""
        found = [self.backends[name] for name in stores_of(image) if name in self.backends]
        return [one.store for one in sorted(found, key=lambda one: -one.weight)]

    def read(self, image: Image, start: int, length: int) -> Iterator[bytes]:
        """Yield an image's bytes from the first store that has them."""
        for store in self.holding(image):
            with contextlib.suppress(NotFound):
                return store.read(image.id, start, length)
        raise NotFound(f"Image {image.id} has no data.", image_id=image.id)


def stores_of(image: Image) -> list[str]:
    """Return the names of the stores that have an image's bytes."""
    return [one.store for one in image.locations if one.status == "active"]


def copy(
    image: tuple[str, str],
    pieces: Iterator[bytes],
    target: ImageStore,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write an image's bytes to a store too, or find them there; whole, or not at all."""
    image_id, upload_id = image
    target.delete_upload(image_id, upload_id)
    incoming = target.begin(image_id, upload_id)
    with contextlib.ExitStack() as undo:
        undo.callback(incoming.discard)
        for piece in pieces:
            if cancelled():
                raise NoLongerThere(f"Image {image_id} is no longer wanted.")
            incoming.write(piece)
        try:
            incoming.keep()
        except Conflict:  # an image's bytes never change: it is there already
            return
        undo.pop_all()
