"""Guests by libvirt and QEMU.

libvirt keeps the definitions and the power states, the guest's directory keeps the disks and what
else must be remembered.  One command at a time works on a guest; any may have been cut short
before and finds what is left of it.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import libvirt
import msgspec

from cumulo.kit.errors import CloudError, NotFound
from cumulo.node import consoles, disks, kept_disks, machine
from cumulo.node.api import (
    ConsoleKind,
    Diagnostics,
    GuestSpec,
    GuestState,
    HostError,
    HostFacts,
    ImageSource,
    Nic,
    Power,
    Snapshot,
    Volume,
)
from cumulo.node.drivers import (
    libvirt_consoles,
    libvirt_disks,
    libvirt_domain,
    libvirt_exchanges,
    libvirt_figures,
    libvirt_nics,
    libvirt_power,
    libvirt_secrets,
    libvirt_snapshots,
    libvirt_volumes,
)
from cumulo.node.drivers.libvirt_connection import Connection
from cumulo.node.guest_files import GuestFiles, Record, known_guests
from cumulo.node.guest_locks import GuestLocks
from cumulo.node.libvirtd import Libvirtd, guest_user
from cumulo.node.shapes import shape_of

_SOFT_REBOOT_S = 60.0
_UNUSED_IMAGE_S = 86400.0
_GONE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


class HypervisorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a hypervisor of this kind must know."""

    name: str  # of the host
    directory: Path  # guests' disks and the images they stand on
    tap_offloads: bool = False  # True where Open vSwitch's kernel datapath moves the packets
    address: str = "127.0.0.1"
    port: int = 0  # where other hosts reach it


class LibvirtHypervisor:
    """Runs guests through libvirtd, which may go away and come back."""

    def __init__(
        self,
        settings: HypervisorSettings,
        libvirtd: Libvirtd,
        unplug: Callable[[str], None] = lambda device: None,
        pieces: disks.Pieces | None = None,
    ) -> None:
        self.settings = settings
        self._unplug = unplug  # takes a link out of the switch, should libvirt have left it there
        self._libvirtd = libvirtd
        self._connection = Connection(libvirtd.uri)
        self.root = settings.directory / "guests"
        self.owner = guest_user()
        self.images = disks.ImageCache(settings.directory / "cache", self.owner, pieces)
        self._locks = GuestLocks()
        self._tokens: dict[str, str] = {}
        self._serials = libvirt_consoles.Serials()
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)

    def facts(self) -> HostFacts:
        """Describe the host; libvirtd need not run for it."""
        processor, memory = machine.processor(), machine.memory()
        space = machine.space(self.root)
        return HostFacts(
            name=self.settings.name,
            hypervisor_type="QEMU",
            hypervisor_version=disks.qemu_version(),
            architecture=processor.architecture,
            accelerator="kvm" if self._libvirtd.virt_type == "kvm" else "tcg",
            cpu_model=processor.model,
            cpu_vendor=processor.vendor,
            cpu_features=processor.features,
            vcpus=machine.processors(),
            memory_mib=memory.total_mib,
            memory_nodes=machine.memory_nodes(),
            memory_used_mib=memory.used_mib,
            disk_gib=space.total_gib,
            disk_free_gib=space.free_gib,
            address=self.settings.address,
            port=self.settings.port,
            boot_id=machine.boot_id(),
            uptime=machine.uptime(),
        )

    def warm_up(self) -> None:
        """Let libvirt find out, while others go on, what QEMU can do.

        That takes seconds when this QEMU is new to it; the first guest had to wait for it.
        """
        threading.Thread(target=self._warm_up, name="libvirt-warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        with contextlib.suppress(CloudError), self._connection.use() as connection:
            connection.getDomainCapabilities(virttype=self._libvirtd.virt_type)

    def close(self) -> None:
        """Part from libvirtd; the guests go on."""
        self._connection.close()

    def held(self, guest_id: str) -> AbstractContextManager[None]:
        """Keep everyone else from a guest during a block."""
        return self._locks.held(guest_id)

    def connected(self) -> AbstractContextManager["libvirt.virConnect"]:
        """Give a block the connection to libvirtd."""
        return self._connection.use()

    def ensure_guest(self, spec: GuestSpec) -> None:
        """Make, define and start a guest, or leave it alone."""
        with self._locks.held(spec.id), self._connection.use() as connection:
            files = GuestFiles(self.root, spec.id)
            record = files.record()
            domain = self._find(connection, spec.id)
            if record is not None and record.is_made and domain is not None:
                return
            files.make(self.owner)
            # Disks that are there stand on the image they were made from.
            image = record.spec.image if record is not None else spec.image
            spec = msgspec.structs.replace(spec, image=image)
            record = _record_of(spec)
            files.remember(record)
            libvirt_secrets.ensure(connection, spec.id, spec.volumes)
            if domain is None or not domain.isActive():
                domain = self._define(connection, files, spec)
            libvirt_power.start(domain)
            files.remember(msgspec.structs.replace(record, is_made=True))

    def ensure_power(self, guest_id: str, wanted: Power, timeout_s: float = 60.0) -> None:
        """Bring the guest to the wanted power state."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            libvirt_power.bring(self._domain(connection, guest_id), wanted, timeout_s)

    def reboot_guest(self, guest_id: str, token: str, *, hard: bool) -> None:
        """Restart the guest once for each token.

        Before the guest is stopped it is written down which run of it is to end; should we be
        cut short, the next call knows by that whether a newer run is there already.
        """
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            files, record = self.remembered(guest_id)
            if record.boot_token == token:
                return
            if record.rebooting != token:
                record = msgspec.structs.replace(
                    record, rebooting=token, rebooting_run=libvirt_power.run_of(domain)
                )
                files.remember(record)
            if libvirt_power.run_of(domain) in (record.rebooting_run, libvirt_power.NO_RUN):
                libvirt_power.bring(domain, "stopped", 0.0 if hard else _SOFT_REBOOT_S)
                libvirt_power.start(domain)
            done = msgspec.structs.replace(
                record, boot_token=token, rebooting="", rebooting_run=libvirt_power.NO_RUN
            )
            files.remember(done)
            self._tokens[guest_id] = token

    def remove_guest(self, guest_id: str) -> None:
        """Remove the guest and all that was made for it."""
        with self._locks.held(guest_id):
            files = GuestFiles(self.root, guest_id)
            with self._connection.use() as connection:
                domain = self._find(connection, guest_id)
                if domain is not None:
                    libvirt_power.pull_the_plug(domain)
                    domain.undefineFlags(_GONE)
                record = files.record()
                volumes = record.spec.volumes if record is not None else ()
                libvirt_secrets.forget(connection, guest_id, volumes)
            for nic in record.spec.nics if record is not None else ():
                self._unplug(libvirt_domain.tap_name(nic.port_id))
            files.remove()
            self._tokens.pop(guest_id, None)

    def ensure_nics(self, guest_id: str, nics: Sequence[Nic], timeout_s: float = 60.0) -> None:
        """Let the guest have exactly these interfaces, also while it runs."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            files, record = self.remembered(guest_id)
            every = {nic.port_id: nic for nic in [*record.spec.nics, *nics]}
            # Until it is done, all of them are to go when the guest goes.
            files.remember(_with(record, nics=list(every.values())))
            wanted = libvirt_domain.interfaces_xml(
                record.spec, nics, tap_offloads=self.settings.tap_offloads
            )
            libvirt_nics.ensure(domain, wanted, timeout_s)
            for port_id in every.keys() - wanted.keys():
                self._unplug(libvirt_domain.tap_name(port_id))
            files.remember(_with(record, nics=list(nics)))

    def mend_nics(self, guest_id: str, timeout_s: float = 20.0) -> None:
        """Plug a running guest in anew by those interfaces whose links somebody removed."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._find(connection, guest_id)
            if domain is not None:
                libvirt_nics.mend(domain, timeout_s)

    def ensure_volumes(
        self, guest_id: str, volumes: Sequence[Volume], timeout_s: float = 60.0
    ) -> None:
        """Let the guest have exactly these volumes, also while it runs."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            files, record = self.remembered(guest_id)
            every = {one.volume_id: one for one in [*record.spec.volumes, *volumes]}
            # Until it is done, what opens any of them is to be forgotten with the guest.
            files.remember(_with(record, volumes=list(every.values())))
            libvirt_volumes.open_up(volumes, self.owner)
            libvirt_secrets.ensure(connection, guest_id, volumes)
            libvirt_volumes.ensure(domain, record.spec, volumes, timeout_s)
            left = every.keys() - {one.volume_id for one in volumes}
            libvirt_secrets.forget(connection, guest_id, [every[one] for one in left])
            files.remember(_with(record, volumes=list(volumes)))

    def copy_volume(self, guest_id: str, volume_id: str, path: str) -> bool:
        """Copy a volume as it is at one moment into a raw file; False when the guest is off."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            volumes = self.remembered(guest_id)[1].spec.volumes
            source = next((one.path for one in volumes if one.volume_id == volume_id), None)
            if source is None:
                raise HostError(f"Guest {guest_id} does not have volume {volume_id}.")
            return libvirt_snapshots.copy_volume(domain, source, Path(path), self.owner)

    def exchange_volume(self, guest_id: str, volume: Volume) -> None:
        """Let a running guest have a volume, with all it holds, in another place."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            files, record = self.remembered(guest_id)
            libvirt_volumes.open_up([volume], self.owner)
            libvirt_secrets.ensure(connection, guest_id, [volume])
            libvirt_exchanges.exchange(domain, record.spec, volume)
            others = [one for one in record.spec.volumes if one.volume_id != volume.volume_id]
            files.remember(_with(record, volumes=[*others, volume]))

    def volume_place(self, guest_id: str, volume_id: str) -> list[str]:
        """Return the place of a guest's volume as the guest has it."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            return libvirt_exchanges.place(self._domain(connection, guest_id), volume_id)

    def ensure_shape(self, spec: GuestSpec, timeout_s: float = 60.0) -> None:
        """Let the guest be of the size, and boot from what, `spec` says."""
        with self._locks.held(spec.id), self._connection.use() as connection:
            domain = self._domain(connection, spec.id)
            files, record = self.remembered(spec.id)
            if shape_of(record.spec) == shape_of(spec):
                return
            libvirt_power.bring(domain, "stopped", timeout_s)
            shaped = _with(record, **shape_of(spec))
            disks.grow(files, shaped.spec, self.owner)
            files.rescue_disk.unlink(missing_ok=True)
            self._define(connection, files, _with_drive(shaped.spec, spec))
            files.remember(shaped)

    def keep_disks(self, guest_id: str) -> None:
        """Keep a copy of a stopped guest's disks and of what it is."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            if domain.isActive():
                raise HostError(f"Guest {guest_id} runs: stop it before its disks are kept.")
            kept_disks.keep(GuestFiles(self.root, guest_id))

    def restore_disks(self, spec: GuestSpec) -> None:
        """Let the guest be what was kept."""
        with self._locks.held(spec.id), self._connection.use() as connection:
            domain = self._domain(connection, spec.id)
            files = GuestFiles(self.root, spec.id)
            if not kept_disks.are_kept(files):
                return
            libvirt_power.bring(domain, "stopped", 0.0)
            kept = _with(self.remembered(spec.id)[1], **shape_of(spec))
            self._define(connection, files, _with_drive(kept.spec, spec))
            kept_disks.restore(files)
            self._tokens.pop(spec.id, None)

    def drop_disks(self, guest_id: str) -> None:
        """Remove the copy that was kept."""
        with self._locks.held(guest_id):
            kept_disks.drop(GuestFiles(self.root, guest_id))

    def ensure_snapshot(self, guest_id: str, snapshot_id: str) -> Snapshot:
        """Copy the root disk as it is at one moment."""
        with self._locks.held(guest_id), self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            files = GuestFiles(self.root, guest_id)
            path = files.snapshot(snapshot_id)
            libvirt_snapshots.ensure(domain, files, path, self.owner)
            return Snapshot(disk_format="qcow2", size=path.stat().st_size)

    def read_snapshot(self, guest_id: str, snapshot_id: str, offset: int, length: int) -> bytes:
        """Return a piece of the copy."""
        try:
            with GuestFiles(self.root, guest_id).snapshot(snapshot_id).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError as error:
            raise NotFound(f"Guest {guest_id} has no snapshot {snapshot_id}.") from error

    def remove_snapshot(self, guest_id: str, snapshot_id: str) -> None:
        """Remove the copy."""
        with self._locks.held(guest_id):
            path = GuestFiles(self.root, guest_id).snapshot(snapshot_id)
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".new").unlink(missing_ok=True)

    def diagnostics(self, guest_id: str) -> Diagnostics:
        """Tell how the guest does."""
        with self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            record = self.remembered(guest_id)[1]
            return libvirt_figures.of(domain, record, self._libvirtd.virt_type)

    def set_password(self, guest_id: str, user: str, password: str) -> None:
        """Have the agent inside the guest give a user a password."""
        with self._connection.use() as connection:
            libvirt_power.set_password(self._domain(connection, guest_id), user, password)

    def interrupt_guest(self, guest_id: str) -> None:
        """Send the guest an interrupt that it cannot ignore."""
        with self._connection.use() as connection:
            libvirt_power.interrupt(self._domain(connection, guest_id))

    def ensure_image(self, image: ImageSource) -> None:
        """Have the image here before a guest needs it."""
        if not self.images.has(image):
            self._make_room()
        self.images.ensure(image)

    def guests(self) -> dict[str, GuestState]:
        """Return every guest made here; keep their console logs short while at it."""
        with self._connection.use() as connection:
            powers = libvirt_power.powers(connection)
        for guest_id in known_guests(self.root):
            powers.setdefault(guest_id, "stopped")  # its making or its removal was cut short
            consoles.trim(GuestFiles(self.root, guest_id).console_log)
        return {
            guest_id: GuestState(id=guest_id, power=power, boot_token=self._token(guest_id))
            for guest_id, power in powers.items()
        }

    def console_log(self, guest_id: str, lines: int | None = None) -> bytes:
        """Return what the guest wrote to its serial console."""
        files = GuestFiles(self.root, guest_id)
        if not files.directory.exists():
            raise _no_guest(guest_id)
        consoles.trim(files.console_log)
        return consoles.last_lines(consoles.read(files.console_log), lines)

    def open_console(self, guest_id: str, kind: ConsoleKind) -> socket.socket:
        """Return a connection to the guest's screen or serial console."""
        with self._connection.use() as connection:
            domain = self._domain(connection, guest_id)
            if kind == "vnc":
                return libvirt_consoles.screen(domain)
            return self._serials.take(domain, GuestFiles(self.root, guest_id).console_socket)

    def _make_room(self) -> None:
        """Remove images that no guest here stands on and that were not asked for in a while."""
        used: set[str] = set()
        for guest_id in known_guests(self.root):
            record = GuestFiles(self.root, guest_id).record()
            if record is not None:
                stood_on = filter(None, [record.spec.image, record.spec.rescue])
                used |= {key for one in stood_on for key in (one.sha256, one.image_id)}
        self.images.remove_unused(used, _UNUSED_IMAGE_S)

    def _define(
        self, connection: "libvirt.virConnect", files: GuestFiles, spec: GuestSpec
    ) -> "libvirt.virDomain":
        return connection.defineXML(self.xml(files, spec))

    def xml(self, files: GuestFiles, spec: GuestSpec) -> str:
        """Make what disks the guest lacks, and return its definition."""
        if spec.image is not None and not self.images.has(spec.image):
            self._make_room()
        base = self.images.ensure(spec.image) if spec.image is not None else None
        made = libvirt_disks.of_guest(spec, files, base, self.owner)
        libvirt_volumes.open_up(spec.volumes, self.owner)
        volumes = spec.volumes
        if spec.rescue is not None:
            volumes = [msgspec.structs.replace(one, is_boot_disk=False) for one in volumes]
            base = self.images.ensure(spec.rescue)
            path = disks.rescue_disk(files, base, self.owner)
            made = libvirt_disks.behind(libvirt_disks.over(path, base), made)
        layout = libvirt_domain.Layout(
            virt_type=self._libvirtd.virt_type,
            disks=made,
            volumes=volumes,
            console_log=files.console_log,
            console_socket=files.console_socket,
            vnc_socket=files.vnc_socket,
            tap_offloads=self.settings.tap_offloads,
        )
        consoles.start(files.console_log, self.owner)
        return libvirt_domain.domain_xml(spec, layout)

    def remembered(self, guest_id: str) -> tuple[GuestFiles, Record]:
        """Return what is remembered of a guest that was made to its end, and where."""
        files = GuestFiles(self.root, guest_id)
        record = files.record()
        if record is None:
            raise HostError(f"Guest {guest_id} was never made to its end: remove it.")
        return files, record

    def _domain(self, connection: "libvirt.virConnect", guest_id: str) -> "libvirt.virDomain":
        domain = self._find(connection, guest_id)
        if domain is None:
            raise _no_guest(guest_id)
        return domain

    def _find(self, connection: "libvirt.virConnect", guest_id: str) -> "libvirt.virDomain | None":
        """Return the guest's domain; when it is off then nothing of it runs."""
        try:
            domain = connection.lookupByUUIDString(guest_id)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise
        if not domain.isActive():
            self._libvirtd.end_guest(domain.name())
        return domain

    def _token(self, guest_id: str) -> str:
        if guest_id not in self._tokens:
            record = GuestFiles(self.root, guest_id).record()
            self._tokens[guest_id] = record.boot_token if record is not None else ""
        return self._tokens[guest_id]


def _record_of(spec: GuestSpec) -> Record:
    return Record(spec=msgspec.structs.replace(spec, config_drive=None, config_drive_bytes={}))


def _with(record: Record, **changes: Any) -> Record:
    return msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, **changes))


def _with_drive(spec: GuestSpec, told: GuestSpec) -> GuestSpec:
    """Return what is remembered of a guest with the config drive that only its caller knows."""
    drive = {"config_drive": told.config_drive, "config_drive_bytes": told.config_drive_bytes}
    return msgspec.structs.replace(spec, **drive)


def _no_guest(guest_id: str) -> NotFound:
    return NotFound(f"This host has no guest {guest_id}.", guest_id=guest_id)
