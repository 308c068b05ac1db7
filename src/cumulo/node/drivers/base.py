"""The two halves of a host: what runs guests, and what answers their metadata requests.

`cumulo.node.local.LocalNode` puts one of each together.  What `Node` says of a command holds
here too.  Errors: `Unavailable` (ask again later), `HostError` (do not), `NotFound` (no such
guest; only where a guest must exist).
"""

import socket
from collections.abc import Sequence
from typing import Protocol

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


class Hypervisor(Protocol):
    """What runs guests on a host."""

    def facts(self) -> HostFacts:
        """Describe the host; called every minute, so it must be cheap."""

    def ensure_guest(self, spec: GuestSpec) -> None:
        """Make the guest's disks, define it and start it; one that was made before is left alone.

        What is found half-made is finished.  When this fails, `remove_guest` removes the rest.
        """

    def ensure_power(self, guest_id: str, wanted: Power, timeout_s: float = 60.0) -> None:
        """Bring the guest to `wanted`: running, paused, suspended or stopped.

        stopped asks the guest to power off and pulls the plug after `timeout_s` seconds (at once
        for 0); running starts, unpauses or resumes it, whichever it takes.  Only a running or
        paused guest can be suspended.
        """

    def reboot_guest(self, guest_id: str, token: str, *, hard: bool) -> None:
        """Restart the guest, once for each `token`; softly when the guest obeys within a minute."""

    def remove_guest(self, guest_id: str) -> None:
        """Stop the guest and remove all that was made for it, or find it gone."""

    def ensure_nics(self, guest_id: str, nics: Sequence[Nic], timeout_s: float = 60.0) -> None:
        """Let the guest have exactly these interfaces, also while it runs.

        HostError when a running guest has not let go of one after `timeout_s` seconds.
        """

    def ensure_volumes(
        self, guest_id: str, volumes: Sequence[Volume], timeout_s: float = 60.0
    ) -> None:
        """Let the guest have exactly these volumes, as large as they are, also while it runs."""

    def copy_volume(self, guest_id: str, volume_id: str, path: str) -> bool:
        """Copy a volume as it is at one moment into a raw file; False when the guest is off."""

    def exchange_volume(self, guest_id: str, volume: Volume) -> None:
        """Let a running guest have a volume, with all it holds, in another place."""

    def volume_place(self, guest_id: str, volume_id: str) -> list[str]:
        """Return the `place_of` a guest's volume as the guest has it; empty: it has none such."""

    def ensure_shape(self, spec: GuestSpec, timeout_s: float = 60.0) -> None:
        """Let the guest be of the size, and boot from what, `spec` says, with the disks it has.

        Disks only grow.  A guest that must change for it is stopped, by pulling the plug after
        `timeout_s` seconds, and left stopped; one that is so already is left alone.
        """

    def keep_disks(self, guest_id: str) -> None:
        """Keep a copy of a stopped guest's disks and of what it is, or find one kept."""

    def restore_disks(self, spec: GuestSpec) -> None:
        """Stop the guest and let it be what was kept, whose `spec` this is; it is left stopped.

        With nothing kept the guest is left alone.
        """

    def drop_disks(self, guest_id: str) -> None:
        """Remove the copy that was kept, or find none."""

    def ensure_snapshot(self, guest_id: str, snapshot_id: str) -> Snapshot:
        """Copy the root disk as it is at one moment, or find it copied; the guest goes on."""

    def read_snapshot(self, guest_id: str, snapshot_id: str, offset: int, length: int) -> bytes:
        """Return a piece of the copy; nothing behind its end."""

    def remove_snapshot(self, guest_id: str, snapshot_id: str) -> None:
        """Remove the copy, or find it gone."""

    def diagnostics(self, guest_id: str) -> Diagnostics:
        """Tell how the guest does."""

    def set_password(self, guest_id: str, user: str, password: str) -> None:
        """Have the agent inside the running guest give a user a password, else Conflict."""

    def interrupt_guest(self, guest_id: str) -> None:
        """Send the running guest an interrupt that it cannot ignore; Conflict when it is off."""

    def ensure_image(self, image: ImageSource) -> None:
        """Have the image here before a guest needs it."""

    def guests(self) -> dict[str, GuestState]:
        """Return every guest made here, half-made ones too; called often, so it must be cheap."""

    def console_log(self, guest_id: str, lines: int | None = None) -> bytes:
        """Return the last `lines` lines that the guest wrote to its serial console, or all kept."""

    def open_console(self, guest_id: str, kind: ConsoleKind) -> socket.socket:
        """Return a connection to a running guest's screen or serial console, else Conflict."""


class MetadataListeners(Protocol):
    """What answers 169.254.169.254 on a host, one listener for each network."""

    def ensure_metadata(self, port: MetadataPort) -> None:
        """Answer metadata requests from the network's guests."""

    def remove_metadata(self, network_id: str) -> None:
        """Stop answering them and remove what that took."""

    def metadata_networks(self) -> set[str]:
        """Return the networks whose metadata requests are answered here."""
