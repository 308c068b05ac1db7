"""A host on the bench of the contract tests, with what they need to know of its kind."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from cumulo.kit.ids import new_id
from cumulo.node.api import GuestSpec, ImageSource, MetadataPort, Node
from tests.waiting import eventually

READY = b"GUEST-READY"


@dataclass
class Bench:
    """A host and the image that its guests start from."""

    node: Node
    image: ImageSource
    patience_s: float = 1.0  # for a guest to start
    leftovers: Callable[[str], list[str]] = field(default=lambda guest_id: [])
    made: list[str] = field(default_factory=list)

    def spec(self, **changes: object) -> GuestSpec:
        """Describe a guest that no other test has."""
        spec = GuestSpec(
            id=new_id(),
            name=f"instance-{len(self.made):08x}",
            display_name="web-1",
            vcpus=1,
            memory_mib=128,
            root_gib=1,
            image=self.image,
        )
        self.made.append(spec.id)
        return msgspec.structs.replace(spec, **changes)

    def guest(self, **changes: object) -> str:
        """Make a guest and return its id."""
        spec = self.spec(**changes)
        self.node.ensure_guest(spec)
        return spec.id

    def booted(self, **changes: object) -> str:
        """Make a guest, wait until it is up, and return its id."""
        guest_id = self.guest(**changes)
        self.await_boot(guest_id)
        return guest_id

    def await_boot(self, guest_id: str, times: int = 1) -> None:
        """Wait until the guest has told that often that it is ready."""

        def has_booted() -> bool:
            whole_lines = self.node.console_log(guest_id).split(b"\n")[:-1]
            return sum(READY in line for line in whole_lines) >= times

        eventually(has_booted, self.patience_s)

    def power(self, guest_id: str) -> str:
        """Return the power state of a guest."""
        return self.node.guests()[guest_id].power


def metadata_port(network_id: str) -> MetadataPort:
    """Describe a place to answer metadata requests."""
    return MetadataPort(
        network_id=network_id,
        port_id=new_id(),
        mac="fa:16:3e:00:00:02",
        cidrs=["10.0.0.2/24"],
    )
