"""The stores there are, by name, and how bytes get from one to another."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cumulo.kit.errors import CloudError, Conflict, Forbidden, Invalid, NotFound
from cumulo.kit.outbound import CannotFetch
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.errors import NoLongerThere, StoreReadOnly
from cumulo.services.image.store.images import Image
from cumulo.services.image.verification import verified

_PIECE = 1 << 20


@dataclass(frozen=True)
class Backend:
    """A store with what operators say of it."""

    store: ImageStore
    weight: int = 0
    description: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_read_only(self) -> bool:
        """Say whether bytes are only read there, from where URLs lead."""
        return self.store.kind == "http"


class Stores:
    """All stores; in the first, imports are staged, and servers start from it."""

    def __init__(
        self, backends: Sequence[Backend], default: str | None = None, *, virtual_size_cap: int
    ) -> None:
        self._virtual_size_cap = virtual_size_cap
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

    @property
    def writable(self) -> list[str]:
        """Return the names of the stores that take bytes."""
        return [name for name, one in self.backends.items() if not one.is_read_only]

    @property
    def of_urls(self) -> str | None:
        """Return the name of the store that reads what URLs name, if there is one."""
        return next((name for name, one in self.backends.items() if one.is_read_only), None)

    def chosen(self, name: str | None) -> ImageStore:
        """Return the store that a client wants bytes to go to, or the default."""
        store = self.get(name) if name else self.default
        if store.name not in self.writable:
            raise StoreReadOnly(
                "Error in store configuration. Adding images to store is disabled: "
                f"{store.name} only reads what URLs name; add a location instead."
            )
        return store

    def holding(self, image: Image) -> list[ImageStore]:
        """Return the stores that have an image's bytes, the one of the largest weight first."""
        found = [self.backends[name] for name in stores_of(image) if name in self.backends]
        return [one.store for one in sorted(found, key=lambda one: -one.weight)]

    def read(self, image: Image, start: int, length: int) -> Iterator[bytes]:
        """Yield an image's bytes from the first store that has them."""
        problem: CloudError = NotFound(f"Image {image.id} has no data.", image_id=image.id)
        for store in self.holding(image):
            try:
                pieces = store.read(image.id, start, length)
            except (NotFound, CannotFetch, Forbidden) as error:
                problem = error
                continue
            is_whole = (start, length) == (0, image.size)
            if is_whole and self.backends[store.name].is_read_only:
                return verified(image, pieces, self._virtual_size_cap)
            return pieces
        raise problem


def stores_of(image: Image) -> list[str]:
    """Return the names of the stores that have an image's bytes."""
    return [one.store for one in image.locations if one.status == "active"]


def wanted(pieces: Iterator[bytes], cancelled: Callable[[], bool]) -> Generator[bytes, None, None]:
    """Yield pieces for as long as they are wanted."""
    for piece in pieces:
        if cancelled():
            raise NoLongerThere("The image is no longer wanted.")
        yield piece


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
        for piece in wanted(pieces, cancelled):
            incoming.write(piece)
        try:
            incoming.keep()
        except Conflict:  # an image's bytes never change: it is there already
            return
        undo.pop_all()
