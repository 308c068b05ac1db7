"""What moves a guest from one host to another that has none of its files.

Its host is told by the controller to whom it may give the guest, and the other from whom it gets
it; only then do the two speak with each other, about this guest.  Stopped guests are fetched,
running ones are sent.
"""

import socket
from typing import Literal, Protocol, TypeAlias, cast

import msgspec

from cumulo.node.api import GuestSpec, Node
from cumulo.node.client import Dialer, remote
from cumulo.node.wire import Vocabulary

Channel: TypeAlias = Literal["libvirt", "memory", "disks"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host is for other hosts."""

    name: str
    address: str
    port: int


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host that expects a guest keeps such things."""

    guest: str  # the guest's directory
    cache: str  # that of images


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of a guest that is given away."""

    spec: GuestSpec
    files: dict[str, int]  # sizes


class Mover(Protocol):
    """A host whose guests can go to others, and come from them."""

    def offer_guest(self, guest_id: str, to: str) -> None:
        """Let the host `to`, and no other, have the guest; nobody for an empty name."""

    def fetch_guest(self, spec: GuestSpec, source: Place) -> None:
        """Have the guest here, stopped, with the disks of the stopped one there, or larger."""

    def expect_guest(self, spec: GuestSpec, source: Place) -> Arrival:
        """Make ready for a running guest that comes from there."""

    def send_guest(self, guest_id: str, dest: Place, arrival: Arrival) -> None:
        """Send the running guest to where it is expected, or find it sent."""

    def settle_guest(self, guest_id: str) -> None:
        """Take the guest that arrived for one of this host; HostError when it is not here."""

    def call_back_guest(self, guest_id: str) -> None:
        """Have the guest stay, so that sending it fails until it is offered again.

        Nothing is done to one that has been sent already.
        """

    def hurry_guest(self, guest_id: str) -> None:
        """Stop the guest that is being sent until it is there; do nothing when none is sent."""


class Peers(Protocol):
    """What a host answers to other hosts."""

    def guest_offered(self, guest_id: str) -> Offered:
        """Tell what there is; NotFound to whom the guest is not offered."""

    def read_file(self, guest_id: str, name: str, offset: int, length: int) -> bytes:
        """Return a piece of a file of an offered guest; nothing for one of zeros."""

    def open_arrival(self, guest_id: str, channel: Channel) -> socket.socket:
        """Return one of the ways in for a guest that is expected from who asks."""


class MovingNode(Node, Mover, Protocol):
    """A host that does all of it."""


HOST, PEERS = Vocabulary(Node, Mover), Vocabulary(Peers)


def peers(dialer: Dialer) -> Peers:
    """Return the other host behind a dialer."""
    return cast(Peers, remote(PEERS, dialer, timeout_s=60.0))


def moving_node(dialer: Dialer) -> MovingNode:
    """Return the host behind a dialer."""
    return cast(MovingNode, remote(HOST, dialer))
