"""A host that is this very process's: a hypervisor and metadata listeners, put together."""

from cumulo.node.api import GuestSpec, GuestState, HostFacts, MetadataPort, Power
from cumulo.node.drivers.base import Hypervisor, MetadataListeners


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

    def guests(self) -> dict[str, GuestState]:
        """Return every guest made here."""
        return self._hypervisor.guests()

    def console_log(self, guest_id: str, lines: int | None = None) -> bytes:
        """Return what the guest wrote to its serial console."""
        return self._hypervisor.console_log(guest_id, lines)

    def ensure_metadata(self, port: MetadataPort) -> None:
        """Answer metadata requests from the network's guests."""
        self._listeners.ensure_metadata(port)

    def remove_metadata(self, network_id: str) -> None:
        """Stop answering them."""
        self._listeners.remove_metadata(network_id)

    def metadata_networks(self) -> set[str]:
        """Return the networks whose metadata requests are answered here."""
        return self._listeners.metadata_networks()
