"""A host that is this very process's: a hypervisor and metadata listeners, put together."""

import socket
from collections.abc import Sequence

from cumulo.node.api import (
    ConsoleKind,
    Diagnostics,
    GuestSpec,
    GuestState,
    HostFacts,
    ImageSource,
    MetadataPort,
    Nic,
    Power,
    Snapshot,
    Volume,
)
from cumulo.node.drivers.base import Hypervisor, MetadataListeners
from cumulo.node.moving import Arrival, Mover, Place


class LocalNode:
    """The host this process runs on."""

    def __init__(self, hypervisor: Hypervisor, listeners: MetadataListeners) -> None:
        self._hypervisor = hypervisor
        self._listeners = listeners

    def facts(self) -> HostFacts:
        """Describe the host."""
        return self._hypervisor.facts()

    def ensure_guest(self, spec: GuestSpec) -> None:
        """Make, define and start a guest, or leave it alone."""
        self._hypervisor.ensure_guest(spec)

    def ensure_power(self, guest_id: str, wanted: Power, timeout_s: float = 60.0) -> None:
        """Bring the guest to the wanted power state."""
        self._hypervisor.ensure_power(guest_id, wanted, timeout_s)

    def reboot_guest(self, guest_id: str, token: str, *, hard: bool) -> None:
        """Restart the guest once for each token."""
        self._hypervisor.reboot_guest(guest_id, token, hard=hard)

    def remove_guest(self, guest_id: str) -> None:
        """Remove the guest and all that was made for it."""
        self._hypervisor.remove_guest(guest_id)

    def ensure_nics(self, guest_id: str, nics: Sequence[Nic], timeout_s: float = 60.0) -> None:
        """Let the guest have exactly these interfaces, also while it runs."""
        self._hypervisor.ensure_nics(guest_id, nics, timeout_s)

    def ensure_volumes(
        self, guest_id: str, volumes: Sequence[Volume], timeout_s: float = 60.0
    ) -> None:
        """Let the guest have exactly these volumes, also while it runs."""
        self._hypervisor.ensure_volumes(guest_id, volumes, timeout_s)

    def copy_volume(self, guest_id: str, volume_id: str, path: str) -> bool:
        """Copy a volume as it is at one moment into a raw file; False when the guest is off."""
        return self._hypervisor.copy_volume(guest_id, volume_id, path)

    def exchange_volume(self, guest_id: str, volume: Volume) -> None:
        """Let a running guest have a volume, with all it holds, in another place."""
        self._hypervisor.exchange_volume(guest_id, volume)

    def volume_place(self, guest_id: str, volume_id: str) -> list[str]:
        """Return the place of a guest's volume as the guest has it."""
        return self._hypervisor.volume_place(guest_id, volume_id)

    def ensure_shape(self, spec: GuestSpec, timeout_s: float = 60.0) -> None:
        """Let the guest be of the size, and boot from what, `spec` says."""
        self._hypervisor.ensure_shape(spec, timeout_s)

    def keep_disks(self, guest_id: str) -> None:
        """Keep a copy of a stopped guest's disks and of what it is."""
        self._hypervisor.keep_disks(guest_id)

    def restore_disks(self, spec: GuestSpec) -> None:
        """Let the guest be what was kept."""
        self._hypervisor.restore_disks(spec)

    def drop_disks(self, guest_id: str) -> None:
        """Remove the copy that was kept."""
        self._hypervisor.drop_disks(guest_id)

    def ensure_snapshot(self, guest_id: str, snapshot_id: str) -> Snapshot:
        """Copy the root disk as it is at one moment."""
        return self._hypervisor.ensure_snapshot(guest_id, snapshot_id)

    def read_snapshot(self, guest_id: str, snapshot_id: str, offset: int, length: int) -> bytes:
        """Return a piece of the copy."""
        return self._hypervisor.read_snapshot(guest_id, snapshot_id, offset, length)

    def remove_snapshot(self, guest_id: str, snapshot_id: str) -> None:
        """Remove the copy."""
        self._hypervisor.remove_snapshot(guest_id, snapshot_id)

    def diagnostics(self, guest_id: str) -> Diagnostics:
        """Tell how the guest does."""
        return self._hypervisor.diagnostics(guest_id)

    def set_password(self, guest_id: str, user: str, password: str) -> None:
        """Have the agent inside the guest give a user a password."""
        self._hypervisor.set_password(guest_id, user, password)

    def interrupt_guest(self, guest_id: str) -> None:
        """Send the guest an interrupt that it cannot ignore."""
        self._hypervisor.interrupt_guest(guest_id)

    def ensure_image(self, image: ImageSource) -> None:
        """Have the image here before a guest needs it."""
        self._hypervisor.ensure_image(image)

    def guests(self) -> dict[str, GuestState]:
        """Return every guest made here."""
        return self._hypervisor.guests()

    def console_log(self, guest_id: str, lines: int | None = None) -> bytes:
        """Return what the guest wrote to its serial console."""
        return self._hypervisor.console_log(guest_id, lines)

    def open_console(self, guest_id: str, kind: ConsoleKind) -> socket.socket:
        """Return a connection to the guest's screen or serial console."""
        return self._hypervisor.open_console(guest_id, kind)

    def ensure_metadata(self, port: MetadataPort) -> None:
        """Answer metadata requests from the network's guests."""
        self._listeners.ensure_metadata(port)

    def remove_metadata(self, network_id: str) -> None:
        """Stop answering them."""
        self._listeners.remove_metadata(network_id)

    def metadata_networks(self) -> set[str]:
        """Return the networks whose metadata requests are answered here."""
        return self._listeners.metadata_networks()


class LocalMovingNode(LocalNode):
    """The host this process runs on, with other hosts to which its guests can go."""

    def __init__(self, hypervisor: Hypervisor, listeners: MetadataListeners, mover: Mover) -> None:
        super().__init__(hypervisor, listeners)
        self._mover = mover

    def offer_guest(self, guest_id: str, to: str) -> None:
        """Let one other host have the guest."""
        self._mover.offer_guest(guest_id, to)

    def fetch_guest(self, spec: GuestSpec, source: Place) -> None:
        """Have a stopped guest here with the disks that it has there."""
        self._mover.fetch_guest(spec, source)

    def expect_guest(self, spec: GuestSpec, source: Place) -> Arrival:
        """Make ready for a running guest that comes from there."""
        return self._mover.expect_guest(spec, source)

    def send_guest(self, guest_id: str, dest: Place, arrival: Arrival) -> None:
        """Send the running guest to where it is expected."""
        self._mover.send_guest(guest_id, dest, arrival)

    def settle_guest(self, guest_id: str) -> None:
        """Take the guest that arrived for one of this host."""
        self._mover.settle_guest(guest_id)

    def call_back_guest(self, guest_id: str) -> None:
        """Have the guest that is being sent stay."""
        self._mover.call_back_guest(guest_id)

    def hurry_guest(self, guest_id: str) -> None:
        """Have the guest that is being sent arrive soon."""
        self._mover.hurry_guest(guest_id)
