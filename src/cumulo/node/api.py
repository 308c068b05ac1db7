"""The commands a host understands.

Every command states what should be and may be given again: `ensure_guest` of a running guest
and `remove_guest` of an unknown one are successes.  Two errors are for the caller to tell
apart: `Unavailable` (ask again later) and `HostError` (asking again will not help).  Values are
plain structs; fields are only ever added, with defaults.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from cumulo.kit.errors import CloudError, NotFound

Power: TypeAlias = Literal["running", "paused", "suspended", "stopped", "crashed"]
ConsoleKind: TypeAlias = Literal["vnc", "serial"]


class HostError(CloudError):
    """The host refused, and asking again will not help."""


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is and has; asked every minute, so it must be cheap."""

    name: str
    hypervisor_type: str  # QEMU, fake
    hypervisor_version: int  # as nova shows it: major * 1_000_000 + minor * 1_000 + micro
    architecture: str = "x86_64"
    accelerator: str = "tcg"  # kvm, tcg
    cpu_model: str = ""
    cpu_vendor: str = ""
    cpu_features: list[str] = []
    vcpus: int
    memory_mib: int
    memory_used_mib: int = 0
    disk_gib: int
    disk_free_gib: int = 0
    memory_nodes: int = 1
    address: str = "127.0.0.1"
    port: int = 0  # where other hosts reach it for moves of guests; 0: they do not
    boot_id: str = ""  # changes when the machine restarts
    uptime: str = ""
    # `ensure_guest` of a guest that another such host has, or had, brings its disks and memory.
    shares_guests: bool = False


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """An image to start from; `path` is readable on the host."""

    image_id: str
    path: str
    disk_format: Literal["raw", "qcow2"]
    size: int  # bytes in the file
    virtual_size: int  # bytes of the disk in it
    sha256: str = ""


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface; the port's id is the key by which the network finds it."""

    port_id: str
    mac: str
    mtu: int = 1500
    bridge: str = "br-int"


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that the guest has as a disk; its id is the disk's serial number."""

    volume_id: str
    device: str = ""  # vdb: a wish; the guest may see it under another name
    protocol: Literal["fake", "file", "rbd"] = "file"
    path: str = ""  # of a file, readable on the host; of rbd pool/image
    monitors: list[str] = []  # of rbd: host:port
    user: str = ""  # of rbd; empty: the cluster lets everyone in
    header: int = 0  # bytes before the disk's own, if it is encrypted as LUKS says; 0: it is not
    # Not kept by the host in the open: ceph, the user's key, and luks, the passphrase.
    secrets: dict[str, str] = {}
    size_gib: int = 0  # 0: as large as it is
    is_readonly: bool = False
    is_shared: bool = False  # other guests may have it too
    is_boot_disk: bool = False
    limits: dict[str, int] = {}  # read_iops_sec, total_bytes_sec ... as libvirt calls them


def place_of(volume: Volume) -> list[str]:
    """Return what tells the place of a volume from every other place."""
    return [volume.protocol, volume.path, *sorted(volume.monitors)]


class MemoryNode(msgspec.Struct, frozen=True, kw_only=True):
    """A memory node that a guest sees, with the processors near it."""

    cpus: list[int]
    memory_mib: int


class EphemeralDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A disk beside the root disk, with a file system and nothing in it."""

    size_gib: int
    format: Literal["ext2", "ext3", "ext4"] = "ext4"


class GuestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to know to make a guest."""

    id: str  # the server's UUID, also the guest's SMBIOS UUID
    name: str  # instance-0000002a
    display_name: str = ""
    project_id: str = ""
    vcpus: int
    memory_mib: int
    root_gib: int  # 0: as large as the image
    ephemeral_disks: list[EphemeralDisk] = []
    swap_mib: int = 0
    image: ImageSource | None = None  # None: it boots from a volume and has no disk of its own
    nics: list[Nic] = []
    volumes: list[Volume] = []
    memory_nodes: list[MemoryNode] = []  # none: the guest sees no such thing
    config_drive: dict[str, str] | None = None  # path on the drive -> text; None: no drive
    config_drive_bytes: dict[str, bytes] = {}  # more of it that is not text, as user data may be
    properties: dict[str, str] = {}  # image properties and flavor extra specs that matter to a host
    rescue: ImageSource | None = None  # to boot from instead, with the root disk behind it


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's root disk as it was at one moment, in one file that needs no other."""

    disk_format: Literal["raw", "qcow2"]
    size: int  # bytes in the file


class DiskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What went to and from a disk since the guest was started."""

    name: str
    read_bytes: int = 0
    read_requests: int = 0
    write_bytes: int = 0
    write_requests: int = 0
    errors: int = 0


class NicFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What went through an interface, as the guest sees it."""

    mac: str
    rx_octets: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_drop: int = 0
    tx_octets: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_drop: int = 0


class Diagnostics(msgspec.Struct, frozen=True, kw_only=True):
    """How a running guest does."""

    driver: str  # by the name that clients know: libvirt
    hypervisor: str  # qemu, kvm, fake
    cpu_ns: list[int] = []  # by processor
    memory_mib: int = 0
    memory_used_mib: int = 0
    disks: list[DiskFigures] = []
    nics: list[NicFigures] = []


class GuestState(msgspec.Struct, frozen=True, kw_only=True):
    """What a host says about one of its guests."""

    id: str
    power: Power
    boot_token: str = ""  # the token of the last `reboot_guest` that was carried out


class MetadataPort(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host answers 169.254.169.254 for one network."""

    network_id: str
    port_id: str
    mac: str
    cidrs: list[str]  # 10.0.0.2/24, fd00::2/64


class Node(Protocol):
    """One host."""

    def facts(self) -> HostFacts:
        """Describe the host."""

    def ensure_guest(self, spec: GuestSpec) -> None:
        """Make the guest's disks, define it and start it; a guest that exists is left alone.

        What is found half-made is finished.  When this fails, `remove_guest` removes the rest.
        """

    def ensure_power(self, guest_id: str, wanted: Power, timeout_s: float = 60.0) -> None:
        """Bring the guest to `wanted`: running, paused, suspended or stopped.

        stopped asks the guest to power off and pulls the plug after `timeout_s` seconds (at once
        for 0); running starts, unpauses or resumes it, whichever it takes.
        """

    def reboot_guest(self, guest_id: str, token: str, *, hard: bool) -> None:
        """Restart the guest, once for each `token`; softly when the guest obeys within a minute."""

    def remove_guest(self, guest_id: str) -> None:
        """Stop the guest and remove all that was made for it."""

    def ensure_nics(self, guest_id: str, nics: Sequence[Nic], timeout_s: float = 60.0) -> None:
        """Let the guest have exactly these interfaces, also while it runs.

        HostError when a running guest has not let go of one after `timeout_s` seconds.
        """

    def ensure_volumes(
        self, guest_id: str, volumes: Sequence[Volume], timeout_s: float = 60.0
    ) -> None:
        """Let the guest have exactly these volumes, as large as they are, also while it runs.

        HostError when a running guest has not let go of one after `timeout_s` seconds.
        """

    def copy_volume(self, guest_id: str, volume_id: str, path: str) -> bool:
        """Copy a volume as it is at one moment into a raw file, or find it copied there.

        False, and nothing is done, when the guest is off: then nobody writes to the volume.
        """

    def exchange_volume(self, guest_id: str, volume: Volume) -> None:
        """Let the guest, which runs, have the volume of this id in another place from now on.

        What it holds is copied there, with what the guest writes meanwhile; the new place is as
        large as the old one.  HostError when the guest is off: it keeps it where it has it.
        """

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
        """Have the agent inside the running guest give a user a password.

        Conflict when no agent answers, or when it refuses.
        """

    def interrupt_guest(self, guest_id: str) -> None:
        """Send the running guest an interrupt that it cannot ignore; Conflict when it is off."""

    def ensure_image(self, image: ImageSource) -> None:
        """Have the image here before a guest needs it."""

    def guests(self) -> dict[str, GuestState]:
        """Return every guest this cloud made here, by id."""

    def console_log(self, guest_id: str, lines: int | None = None) -> bytes:
        """Return the last `lines` lines that the guest wrote to its serial console, or all."""

    def open_console(self, guest_id: str, kind: ConsoleKind) -> socket.socket:
        """Return a connection to a running guest's screen, which speaks RFB, or serial console.

        Conflict when the guest does not run or has no such console.  Of a serial console the last
        who opened it has it.
        """

    def ensure_metadata(self, port: MetadataPort) -> None:
        """Answer metadata requests from the network's guests."""

    def remove_metadata(self, network_id: str) -> None:
        """Stop answering them and remove what that took."""

    def metadata_networks(self) -> set[str]:
        """Return the networks whose metadata requests are answered here."""


class Nodes(Protocol):
    """The hosts of the cloud, as those see them who have work for them."""

    def on(self, host: str) -> Node:
        """Return the host of that name; NotFound when this cloud has none."""

    def names(self) -> list[str]:
        """Return the names of all hosts, sorted."""


class FixedNodes:
    """Hosts that were known when the program started."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = dict(nodes)

    def on(self, host: str) -> Node:
        """Return the host of that name; NotFound when there is none."""
        if host not in self._nodes:
            raise NotFound(f"Host {host} is not part of this cloud.", host=host)
        return self._nodes[host]

    def names(self) -> list[str]:
        """Return the names of all hosts, sorted."""
        return sorted(self._nodes)
