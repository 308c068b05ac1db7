"""A host without a machine: a whole cloud runs on it, without root, and its troubles are scripted.

With a directory it keeps its guests over a restart of the process, as a real host does.
"""

import re
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.node import consoles
from cumulo.node.api import (
    ConsoleKind,
    Diagnostics,
    DiskFigures,
    GuestSpec,
    GuestState,
    HostError,
    HostFacts,
    ImageSource,
    MetadataPort,
    Nic,
    NicFigures,
    Power,
    Snapshot,
    Volume,
    place_of,
)
from cumulo.node.drivers import fake_screen
from cumulo.node.drivers.script import Script
from cumulo.node.properties import has_agent
from cumulo.node.shapes import shape_of, without_secrets

_LOG_LIMIT = 256 * 1024
_TEXT_OF = {
    "stopped": "[  OK  ] Reached target poweroff.target - System Power Off.\n"
    "[   42.000000] reboot: Power down\n",
    "suspended": "[   42.000000] PM: suspend entry\n",
}


class _Guest(msgspec.Struct, kw_only=True):
    """A guest of ours, as it is kept in memory and in its file."""

    spec: GuestSpec
    power: Power = "running"
    boot_token: str = ""
    console: str = ""
    kept: GuestSpec | None = None
    snapshots: list[str] = []
    passwords: dict[str, str] = {}


class _Terminal:
    """What a guest writes and is typed, for its consoles."""

    def __init__(self, node: "FakeNode", guest_id: str) -> None:
        self._node, self._guest_id = node, guest_id

    def text(self) -> str | None:
        """Return all that it wrote; None once it does not run."""
        return self._node.console_text(self._guest_id)

    def type(self, keys: str) -> None:
        """Take what was typed."""
        self._node.type_keys(self._guest_id, keys)


class _Listeners(msgspec.Struct):
    ports: dict[str, MetadataPort] = {}


class FakeNode:
    """A host that only remembers what it was told."""

    def __init__(
        self,
        name: str,
        *,
        directory: Path | None = None,
        facts: HostFacts | None = None,
        script: Script | None = None,
    ) -> None:
        self.script = script or Script()
        self._facts = facts or generous(name)
        self._directory = directory
        self._lock = threading.RLock()
        self._guests: dict[str, _Guest] = {}
        self._listeners = _Listeners()
        self.images: set[str] = set()  # those that were wanted before a guest needed them
        if directory is not None:
            self._load(directory)

    def facts(self) -> HostFacts:
        """Describe the host."""
        with self.script.around("facts"), self._lock:
            specs = [guest.spec for guest in self._guests.values()]
            taken_gib = sum(_disk_gib(spec) for spec in specs)
            return msgspec.structs.replace(
                self._facts,
                memory_used_mib=512 + sum(spec.memory_mib for spec in specs),
                disk_free_gib=self._facts.disk_gib - taken_gib,
                shares_guests=True,
                uptime=f" {clock.now():%H:%M:%S} up 1 day, 0 users, load average: 0.00, 0.00, 0.00",
            )

    def ensure_guest(self, spec: GuestSpec) -> None:
        """Make and start a guest, or leave it alone."""
        with self.script.around("ensure_guest", spec.id), self._lock:
            if spec.id not in self._guests:
                self._save(_booted(_Guest(spec=spec)))

    def ensure_power(self, guest_id: str, wanted: Power, timeout_s: float = 60.0) -> None:
        """Bring the guest to `wanted`; it obeys at once."""
        with self.script.around("ensure_power", guest_id), self._lock:
            guest = self._find(guest_id)
            if guest.power != wanted:
                self._save(_moved(guest, wanted))

    def reboot_guest(self, guest_id: str, token: str, *, hard: bool) -> None:
        """Restart the guest once for each token."""
        with self.script.around("reboot_guest", guest_id), self._lock:
            guest = self._find(guest_id)
            if guest.boot_token != token:
                if not hard:
                    guest.console += _TEXT_OF["stopped"]
                guest.boot_token = token
                self._save(_booted(guest))

    def remove_guest(self, guest_id: str) -> None:
        """Forget the guest."""
        with self.script.around("remove_guest", guest_id), self._lock:
            self._guests.pop(guest_id, None)
            if self._directory is not None:
                _file(self._directory, guest_id).unlink(missing_ok=True)

    def ensure_nics(self, guest_id: str, nics: Sequence[Nic], timeout_s: float = 60.0) -> None:
        """Let the guest have exactly these interfaces."""
        with self.script.around("ensure_nics", guest_id), self._lock:
            guest = self._find(guest_id)
            guest.spec = msgspec.structs.replace(guest.spec, nics=list(nics))
            self._save(guest)

    def ensure_volumes(
        self, guest_id: str, volumes: Sequence[Volume], timeout_s: float = 60.0
    ) -> None:
        """Let the guest have exactly these volumes."""
        with self.script.around("ensure_volumes", guest_id), self._lock:
            guest = self._find(guest_id)
            guest.spec = msgspec.structs.replace(guest.spec, volumes=list(volumes))
            self._save(guest)

    def copy_volume(self, guest_id: str, volume_id: str, path: str) -> bool:
        """Leave it to the back end: nothing is ever written here."""
        with self.script.around("copy_volume", guest_id), self._lock:
            self._find(guest_id)
            return False

    def exchange_volume(self, guest_id: str, volume: Volume) -> None:
        """Let the guest have the volume elsewhere; nothing is ever written here."""
        with self.script.around("exchange_volume", guest_id), self._lock:
            guest = self._find(guest_id)
            if self._place(guest_id, volume.volume_id) == place_of(volume):
                return
            if guest.power not in ("running", "paused"):
                raise HostError(f"Guest {guest_id} is {guest.power}: only one that runs can copy.")
            if not self._place(guest_id, volume.volume_id):
                raise HostError(f"Guest {guest_id} does not have volume {volume.volume_id}.")
            kept = [one for one in guest.spec.volumes if one.volume_id != volume.volume_id]
            guest.spec = msgspec.structs.replace(guest.spec, volumes=[*kept, volume])
            self._save(guest)

    def volume_place(self, guest_id: str, volume_id: str) -> list[str]:
        """Return the place of a guest's volume."""
        with self.script.around("volume_place", guest_id), self._lock:
            return self._place(guest_id, volume_id)

    def _place(self, guest_id: str, volume_id: str) -> list[str]:
        volumes = self._find(guest_id).spec.volumes
        return next((place_of(one) for one in volumes if one.volume_id == volume_id), [])

    def ensure_shape(self, spec: GuestSpec, timeout_s: float = 60.0) -> None:
        """Let the guest be of the size, and boot from what, `spec` says."""
        with self.script.around("ensure_shape", spec.id), self._lock:
            guest = self._find(spec.id)
            if shape_of(guest.spec) != shape_of(spec):
                guest.spec = msgspec.structs.replace(guest.spec, **shape_of(spec))
                self._stopped(guest)

    def keep_disks(self, guest_id: str) -> None:
        """Remember what a stopped guest is."""
        with self.script.around("keep_disks", guest_id), self._lock:
            guest = self._find(guest_id)
            if guest.kept is None:
                guest.kept = guest.spec
                self._save(guest)

    def restore_disks(self, spec: GuestSpec) -> None:
        """Let the guest be what was kept."""
        with self.script.around("restore_disks", spec.id), self._lock:
            guest = self._find(spec.id)
            if guest.kept is not None:
                kept = shape_of(guest.kept)
                guest.spec = msgspec.structs.replace(guest.spec, **kept)
                guest.kept = None
                self._stopped(guest)

    def drop_disks(self, guest_id: str) -> None:
        """Forget what was kept."""
        with self.script.around("drop_disks", guest_id), self._lock:
            guest = self._find(guest_id)
            guest.kept = None
            self._save(guest)

    def ensure_snapshot(self, guest_id: str, snapshot_id: str) -> Snapshot:
        """Pretend to copy the disk."""
        with self.script.around("ensure_snapshot", guest_id), self._lock:
            guest = self._find(guest_id)
            if snapshot_id not in guest.snapshots:
                guest.snapshots.append(snapshot_id)
                self._save(guest)
            return Snapshot(disk_format="qcow2", size=len(_qcow2(guest.spec)))

    def read_snapshot(self, guest_id: str, snapshot_id: str, offset: int, length: int) -> bytes:
        """Return a piece of a disk without contents."""
        with self.script.around("read_snapshot", guest_id), self._lock:
            guest = self._find(guest_id)
            if snapshot_id not in guest.snapshots:
                raise NotFound(f"Guest {guest_id} has no snapshot {snapshot_id}.")
            return _qcow2(guest.spec)[offset : offset + length]

    def remove_snapshot(self, guest_id: str, snapshot_id: str) -> None:
        """Forget the copy."""
        with self.script.around("remove_snapshot", guest_id), self._lock:
            guest = self._guests.get(guest_id)
            if guest is not None and snapshot_id in guest.snapshots:
                guest.snapshots.remove(snapshot_id)
                self._save(guest)

    def diagnostics(self, guest_id: str) -> Diagnostics:
        """Tell of a guest that does nothing."""
        with self.script.around("diagnostics", guest_id), self._lock:
            spec = self._find(guest_id).spec
            return Diagnostics(
                driver="libvirt",  # clients know no other with such figures
                hypervisor="fake",
                cpu_ns=[17300000000] * spec.vcpus,
                memory_mib=spec.memory_mib,
                memory_used_mib=spec.memory_mib // 2,
                disks=[DiskFigures(name="vda", read_bytes=262144, read_requests=112)],
                nics=[NicFigures(mac=nic.mac) for nic in spec.nics],
            )

    def set_password(self, guest_id: str, user: str, password: str) -> None:
        """Remember the password of a guest that was made with an agent."""
        with self.script.around("set_password", guest_id), self._lock:
            guest = self._running(guest_id)
            if not has_agent(guest.spec):
                raise Conflict(f"No agent answers in guest {guest_id}.", guest_id=guest_id)
            guest.passwords[user] = password
            self._save(guest)

    def interrupt_guest(self, guest_id: str) -> None:
        """Have the guest write that it was interrupted."""
        with self.script.around("interrupt_guest", guest_id), self._lock:
            guest = self._running(guest_id)
            guest.console += "[   42.000000] Uhhuh. NMI received for unknown reason 30 on CPU 0.\n"
            self._save(guest)

    def ensure_image(self, image: ImageSource) -> None:
        """Remember that the image was wanted here."""
        with self.script.around("ensure_image"), self._lock:
            self.images.add(image.image_id)

    def guests(self) -> dict[str, GuestState]:
        """Return every guest made here."""
        with self.script.around("guests"), self._lock:
            return {
                guest_id: GuestState(id=guest_id, power=guest.power, boot_token=guest.boot_token)
                for guest_id, guest in self._guests.items()
            }

    def console_log(self, guest_id: str, lines: int | None = None) -> bytes:
        """Return what a guest would have written."""
        with self.script.around("console_log", guest_id), self._lock:
            return consoles.last_lines(self._find(guest_id).console.encode(), lines)

    def open_console(self, guest_id: str, kind: ConsoleKind) -> socket.socket:
        """Return a connection to a screen or terminal that shows what the guest writes."""
        with self.script.around("open_console", guest_id), self._lock:
            guest = self._running(guest_id)
            terminal = _Terminal(self, guest_id)
            return fake_screen.open_console(terminal, guest.spec.name, kind)

    def console_text(self, guest_id: str) -> str | None:
        """Return what a guest wrote while it runs."""
        with self._lock:
            guest = self._guests.get(guest_id)
            shows = guest is not None and guest.power in ("running", "paused")
            return guest.console if guest is not None and shows else None

    def type_keys(self, guest_id: str, keys: str) -> None:
        """Let somebody type at a guest, which lets nobody in."""
        with self._lock:
            guest = self._guests.get(guest_id)
            if guest is not None and guest.power == "running":
                guest.console = (guest.console + _echo(guest.spec, keys))[-_LOG_LIMIT:]

    def ensure_metadata(self, port: MetadataPort) -> None:
        """Remember that the network is served."""
        with self.script.around("ensure_metadata"), self._lock:
            if self._listeners.ports.get(port.network_id) != port:
                self._listeners.ports[port.network_id] = port
                self._save_listeners()

    def remove_metadata(self, network_id: str) -> None:
        """Forget it."""
        with self.script.around("remove_metadata"), self._lock:
            self._listeners.ports.pop(network_id, None)
            self._save_listeners()

    def metadata_networks(self) -> set[str]:
        """Return the networks that are served."""
        with self.script.around("metadata_networks"), self._lock:
            return set(self._listeners.ports)

    def spec(self, guest_id: str) -> GuestSpec:
        """Return what the guest was made from, for tests to look at."""
        with self._lock:
            return self._find(guest_id).spec

    def crash(self, guest_id: str) -> None:
        """Let the guest die on its own."""
        self._happens(guest_id, "crashed")

    def power_off(self, guest_id: str) -> None:
        """Let someone inside the guest switch it off."""
        self._happens(guest_id, "stopped")

    def snapshots(self, guest_id: str) -> list[str]:
        """Return the copies that lie about, for tests to look at."""
        with self._lock:
            return list(self._find(guest_id).snapshots)

    def passwords_of(self, guest_id: str) -> dict[str, str]:
        """Return the passwords that the guest's agent set, for tests to look at."""
        with self._lock:
            return dict(self._find(guest_id).passwords)

    def is_kept(self, guest_id: str) -> bool:
        """Say whether the guest's disks are kept, for tests to look at."""
        with self._lock:
            return self._find(guest_id).kept is not None

    def _stopped(self, guest: _Guest) -> None:
        if guest.power != "stopped":
            guest = _moved(guest, "stopped")
        self._save(guest)

    def _happens(self, guest_id: str, power: Power) -> None:
        with self._lock:
            guest = self._find(guest_id)
            guest.power = power
            self._save(guest)

    def _find(self, guest_id: str) -> _Guest:
        guest = self._guests.get(guest_id)
        if guest is None:
            raise NotFound(f"Host {self._facts.name} has no guest {guest_id}.", guest_id=guest_id)
        return guest

    def _running(self, guest_id: str) -> _Guest:
        guest = self._find(guest_id)
        if guest.power not in ("running", "paused"):
            raise Conflict(f"Guest {guest_id} does not run: start it.", guest_id=guest_id)
        return guest

    def _save(self, guest: _Guest) -> None:
        self._guests[guest.spec.id] = guest
        if self._directory is not None:
            kept = msgspec.structs.replace(guest, spec=without_secrets(guest.spec))
            _write(_file(self._directory, guest.spec.id), kept)

    def _save_listeners(self) -> None:
        if self._directory is not None:
            _write(self._directory / "listeners.json", self._listeners)

    def _load(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.glob("guest-*.json"):
            guest = msgspec.json.decode(path.read_bytes(), type=_Guest)
            self._guests[guest.spec.id] = guest
        path = directory / "listeners.json"
        if path.exists():
            self._listeners = msgspec.json.decode(path.read_bytes(), type=_Listeners)


def generous(name: str) -> HostFacts:
    """Describe a host on which nobody runs short by accident."""
    return HostFacts(
        name=name,
        hypervisor_type="fake",
        hypervisor_version=1_000_000,
        accelerator="tcg",
        cpu_model="fake",
        cpu_vendor="Cumulo",
        vcpus=64,
        memory_mib=256 * 1024,
        memory_nodes=2,
        memory_used_mib=512,
        disk_gib=10 * 1024,
        disk_free_gib=10 * 1024,
        boot_id="fake",
    )


def _moved(guest: _Guest, wanted: Power) -> _Guest:
    if wanted == "crashed":
        raise HostError("A guest cannot be made to crash.")
    if wanted == "suspended" and guest.power not in ("running", "paused"):
        raise HostError(f"Guest {guest.spec.id} is {guest.power}: it cannot be suspended.")
    if wanted in ("running", "paused") and guest.power in ("stopped", "crashed"):
        guest = _booted(guest)
    guest.power = wanted
    guest.console += _TEXT_OF.get(wanted, "")
    return guest


def _booted(guest: _Guest) -> _Guest:
    """Let the guest write what one writes that starts."""
    guest.power = "running"
    name = _hostname(guest.spec)
    nics = "".join(
        f"[    1.204{number:03d}] virtio_net virtio{number}: eth{number}: {nic.mac}\n"
        for number, nic in enumerate(guest.spec.nics)
    )
    text = (
        "[    0.000000] Linux version 6.1.0-fake-amd64\n"
        "[    0.000000] Command line: root=/dev/vda1 console=ttyS0\n"
        f"[    0.021000] smpboot: Total of {guest.spec.vcpus} processors activated\n"
        f"[    0.042000] Memory: {guest.spec.memory_mib * 1024}K available\n"
        f"{nics}"
        f"[    2.100000] cloud-init: instance-id {guest.spec.id}\n"
        f"GUEST-READY hostname={name}\n\n"
        f"{name} login: "
    )
    guest.console = (guest.console + text)[-_LOG_LIMIT:]
    return guest


def _echo(spec: GuestSpec, keys: str) -> str:
    refused = f"\n\nLogin incorrect\n{_hostname(spec)} login: "
    shown = "".join(char for char in keys if char.isprintable() or char in "\r\n")
    return shown.replace("\r\n", "\n").replace("\r", "\n").replace("\n", refused)


def _qcow2(spec: GuestSpec) -> bytes:
    """Return the head of a disk as large as the guest's, with nothing on it."""
    size = spec.root_gib * 2**30 or (spec.image.virtual_size if spec.image else 0)
    return (b"QFI\xfb" + (3).to_bytes(4) + bytes(16) + size.to_bytes(8)).ljust(1 << 16, b"\0")


def _hostname(spec: GuestSpec) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", (spec.display_name or spec.name).lower()).strip("-")


def _disk_gib(spec: GuestSpec) -> int:
    root = (spec.root_gib or -(-spec.image.virtual_size // 2**30)) if spec.image else 0
    return root + sum(one.size_gib for one in spec.ephemeral_disks) + -(-spec.swap_mib // 1024)


def _file(directory: Path, guest_id: str) -> Path:
    return directory / f"guest-{quote(guest_id, safe='')}.json"


def _write(path: Path, value: msgspec.Struct) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(value))
    draft.replace(path)
