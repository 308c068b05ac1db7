"""What hosts ask of the cloud they belong to, and what a machine asks that wants to join it."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import msgspec

from cumulo.kit.units import MIB
from cumulo.node.api import HostError, ImageSource
from cumulo.node.client import Dialer, remote
from cumulo.node.wire import Vocabulary

_PIECE = 4 * MIB


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine is given that joins."""

    name: str
    certificate: str
    controller: str  # the name in the controller's certificate
    port: int  # where the controller answers its hosts
    southbound_port: int  # where OVN's southbound database answers them


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How to tell that an image arrived whole."""

    size: int
    algorithm: str  # by hashlib's name
    digest: str


class MetadataQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest asked of 169.254.169.254, and from where."""

    network_id: str
    address: str
    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes = b""


class MetadataAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What it is told."""

    status: int
    headers: list[tuple[str, str]] = []
    body: bytes = b""


class Door(Protocol):
    """What the cloud answers to machines that are not part of it."""

    def authority(self) -> str:
        """Return the certificate of the cloud's authority; a token tells whether it is that."""

    def join(self, token: str, name: str, address: str, port: int, request: str) -> Membership:
        """Let the machine in, as a host of that name that answers at that address.

        Forbidden, told as Conflict, when the token is spent, expired or unknown.
        """


class Controller(Protocol):
    """What the cloud answers to its hosts, to each only what is its own affair."""

    def renew(self, request: str) -> str:
        """Return another certificate for the key of this host."""

    def image_facts(self, image_id: str) -> ImageFacts:
        """Return what an image must be; NotFound when this host has no use for it."""

    def read_image(self, image_id: str, offset: int, length: int) -> bytes:
        """Return a piece of an image; nothing behind its end."""

    def answer_metadata(self, question: MetadataQuestion) -> MetadataAnswer:
        """Answer a guest of this host."""


DOOR, CONTROLLER = Vocabulary(Door), Vocabulary(Controller)


def door(dialer: Dialer) -> Door:
    """Return the door behind a dialer."""
    return cast(Door, remote(DOOR, dialer, timeout_s=60.0))


def controller(dialer: Dialer) -> Controller:
    """Return the controller behind a dialer."""
    return cast(Controller, remote(CONTROLLER, dialer, timeout_s=60.0))


def pieces_from(there: Controller) -> Callable[[ImageSource], Iterator[bytes]]:
    """Return where a host that joined gets images: from the controller, checked by their hash."""

    def pieces(image: ImageSource) -> Iterator[bytes]:
        facts = there.image_facts(image.image_id)
        digest = hashlib.new(facts.algorithm) if facts.algorithm else None
        for offset in range(0, facts.size, _PIECE):
            piece = there.read_image(image.image_id, offset, _PIECE)
            if digest is not None:
                digest.update(piece)
            yield piece
        if digest is not None and digest.hexdigest() != facts.digest:
            message = f"Image {image.image_id} came damaged: its {facts.algorithm} is another."
            raise HostError(message)

    return pieces
