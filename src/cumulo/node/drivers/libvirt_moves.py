"""Guests of libvirt on their way to another host and from one.

A stopped guest's files are fetched.  A running one is migrated by libvirt with its disks, which
QEMU mirrors above the image that the other host has too.  The three connections that this takes
go through sockets at either end, which the hosts join to each other: no port is opened, and
nothing travels but what the hosts' certificates protect.
"""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast, get_args
from xml.etree import ElementTree

import libvirt
import msgspec

from cumulo.kit.errors import NotFound, Unavailable
from cumulo.kit.units import MIB
from cumulo.kit.zeros import is_zero
from cumulo.node import consoles, disks, streams
from cumulo.node.api import GuestSpec, HostError, ImageSource
from cumulo.node.drivers import libvirt_power, libvirt_secrets, libvirt_volumes
from cumulo.node.drivers.libvirt import LibvirtHypervisor
from cumulo.node.guest_files import GuestFiles, Record, is_disk
from cumulo.node.libvirtd import MOVES
from cumulo.node.moving import Arrival, Channel, Offered, Peers, Place

_PIECE = 4 * MIB
_ALWAYS = ("config.iso", "console.log", "base")  # may be read while the guest runs
_LIVE = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    | libvirt.VIR_MIGRATE_AUTO_CONVERGE
)

_BEGINS_WITHIN_S = 30.0  # from when a guest is to be sent until the first of it is
_POLL_S = 0.05
_OVER = (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN)

Reach = Callable[[Place], Peers]


class LibvirtMoves:
    """The guests of one hypervisor, as they come and go."""

    def __init__(self, hypervisor: LibvirtHypervisor, reach: Reach, moves: Path) -> None:
        self._hypervisor, self._reach, self._moves = hypervisor, reach, moves
        self._root, self._owner = hypervisor.root, hypervisor.owner
        self._called_back: set[str] = set()

    def offer_guest(self, guest_id: str, to: str) -> None:
        """Let one other host have the guest."""
        with self._hypervisor.held(guest_id):
            files, record = self._hypervisor.remembered(guest_id)
            self._called_back.discard(guest_id)
            files.remember(msgspec.structs.replace(record, offered_to=to))

    def fetch_guest(self, spec: GuestSpec, source: Place) -> None:
        """Have a stopped guest here with the disks that it has there, as large as `spec` says."""
        with self._hypervisor.held(spec.id), self._hypervisor.connected() as connection:
            files = GuestFiles(self._root, spec.id)
            record = files.record()
            if record is not None and record.is_made:
                return
            there = self._reach(source)
            offered = there.guest_offered(spec.id)
            spec = _as_offered(spec, offered)
            self._begin(files, spec, source)
            base = self._base(there, spec)
            for name, size in offered.files.items():
                if is_disk(name) or name == "config.iso":
                    self._fetch(there, files, name, size)
            if base is not None:
                disks.stand_on(files, base, self._owner)
            disks.grow(files, spec, self._owner)
            libvirt_secrets.ensure(connection, spec.id, spec.volumes)
            connection.defineXML(self._hypervisor.xml(files, spec))
            self._take_log(there, files, offered)
            self._made(files)

    def expect_guest(self, spec: GuestSpec, source: Place) -> Arrival:
        """Make ready for a running guest: all that libvirt does not bring with it."""
        with self._hypervisor.held(spec.id), self._hypervisor.connected() as connection:
            files = GuestFiles(self._root, spec.id)
            record = files.record()
            libvirt_secrets.ensure(connection, spec.id, spec.volumes)
            if record is None or not record.is_made:
                there = self._reach(source)
                offered = there.guest_offered(spec.id)
                spec = _as_offered(spec, offered)
                self._begin(files, spec, source)
                self._base(there, spec)
                if "config.iso" in offered.files:
                    self._fetch(there, files, "config.iso", offered.files["config.iso"])
                self._hypervisor.xml(files, spec)  # makes the disks that will be filled
                self._take_log(there, files, offered)
            return Arrival(guest=str(files.directory), cache=str(self._hypervisor.images.directory))

    def send_guest(self, guest_id: str, dest: Place, arrival: Arrival) -> None:
        """Migrate the guest, or find it gone there."""
        with self._hypervisor.held(guest_id), self._hypervisor.connected() as connection:
            files, record = self._hypervisor.remembered(guest_id)
            if not self._runs(connection, guest_id):
                if record.is_leaving:
                    return
                raise HostError(f"Guest {guest_id} does not run here: it cannot be sent.")
            files.remember(msgspec.structs.replace(record, is_leaving=True))
            if guest_id in self._called_back:
                files.remember(msgspec.structs.replace(record, is_leaving=False))
                raise HostError(f"Guest {guest_id} was called back before it was sent.")
            try:
                with self._ways(guest_id, self._reach(dest)):
                    self._migrate(connection.lookupByUUIDString(guest_id), files, arrival)
            except libvirt.libvirtError:
                if self._runs(connection, guest_id):
                    files.remember(msgspec.structs.replace(record, is_leaving=False))
                    raise

    def settle_guest(self, guest_id: str) -> None:
        """Take the guest that arrived for one of this host."""
        with self._hypervisor.held(guest_id), self._hypervisor.connected() as connection:
            if not self._runs(connection, guest_id):
                raise HostError(f"Guest {guest_id} did not arrive.")
            self._made(GuestFiles(self._root, guest_id))

    def call_back_guest(self, guest_id: str) -> None:
        """Have the guest that is being sent stay, or not be sent until it is offered again.

        libvirt aborts what it has begun; until then there is nothing to abort.
        """
        self._called_back.add(guest_id)
        with self._hypervisor.connected() as connection, _unless_it_is_over():
            domain = connection.lookupByUUIDString(guest_id)
            self._await_begin(domain)
            domain.abortJob()

    def hurry_guest(self, guest_id: str) -> None:
        """Stop the guest that is being sent until it is there.

        libvirt lets it go on where it arrives, if it went on when libvirt looked: after the job has
        begun, and before there is anything to send.
        """
        with self._hypervisor.connected() as connection, _unless_it_is_over():
            domain = connection.lookupByUUIDString(guest_id)
            self._await_begin(domain)
            if domain.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_UNBOUNDED:
                domain.suspend()

    def _await_begin(self, domain: "libvirt.virDomain") -> None:
        until = time.monotonic() + _BEGINS_WITHIN_S
        while self._begins(domain):
            if time.monotonic() > until:
                raise Unavailable(f"Guest {domain.UUIDString()} is not on its way yet.")
            time.sleep(_POLL_S)

    def _begins(self, domain: "libvirt.virDomain") -> bool:
        """Say whether a guest is to be sent of which nothing is on its way."""
        job, _, _, total, *_ = domain.jobInfo()
        if job not in (libvirt.VIR_DOMAIN_JOB_NONE, libvirt.VIR_DOMAIN_JOB_UNBOUNDED) or total:
            return False
        return self._hypervisor.remembered(domain.UUIDString())[1].is_leaving

    def _migrate(self, domain: "libvirt.virDomain", files: GuestFiles, arrival: Arrival) -> None:
        guest_id = domain.UUIDString()
        moved = {
            str(files.directory): arrival.guest,
            str(self._hypervisor.images.directory): arrival.cache,
        }
        secure, migratable = libvirt.VIR_DOMAIN_XML_SECURE, libvirt.VIR_DOMAIN_XML_MIGRATABLE
        kept = libvirt.VIR_DOMAIN_XML_INACTIVE
        params: dict[str, str | list[str]] = {
            libvirt.VIR_MIGRATE_PARAM_URI: f"unix://{_socket(guest_id, 'memory')}",
            libvirt.VIR_MIGRATE_PARAM_DISKS_URI: f"unix://{_socket(guest_id, 'disks')}",
            libvirt.VIR_MIGRATE_PARAM_DEST_XML: _elsewhere(
                domain.XMLDesc(secure | migratable), moved
            ),
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: _elsewhere(
                domain.XMLDesc(secure | migratable | kept), moved
            ),
        }
        own = libvirt_volumes.own_disks(domain)
        if own:  # volumes are there already
            params[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = own
        there = f"qemu+unix:///system?socket={_socket(guest_id, 'libvirt')}"
        how = _LIVE | libvirt.VIR_MIGRATE_NON_SHARED_INC if own else _LIVE
        domain.migrateToURI3(there, params, how)

    @contextlib.contextmanager
    def _ways(self, guest_id: str, there: Peers) -> Iterator[None]:
        """Have sockets here that lead to the ways in there, while the block lasts."""
        with contextlib.ExitStack() as stack:
            for channel in cast("tuple[Channel, ...]", get_args(Channel)):
                path = self._moves / _socket(guest_id, channel).name
                path.unlink(missing_ok=True)
                listener = stack.enter_context(socket.socket(socket.AF_UNIX))
                listener.bind(str(path))
                stack.callback(path.unlink, missing_ok=True)
                os.chown(path, *self._owner, follow_symlinks=False)
                listener.listen(16)
                stack.callback(_wake, listener)
                way = (listener, there, guest_id, channel)
                threading.Thread(target=_lead, args=way, name="move", daemon=True).start()
            yield

    def _begin(self, files: GuestFiles, spec: GuestSpec, source: Place) -> None:
        files.make(self._owner)
        kept = msgspec.structs.replace(spec, config_drive=None, config_drive_bytes={})
        files.remember(Record(spec=kept, expected_from=source.name))

    def _made(self, files: GuestFiles) -> None:
        record = files.record()
        assert record is not None
        files.remember(msgspec.structs.replace(record, is_made=True, expected_from=""))

    def _base(self, there: Peers, spec: GuestSpec) -> disks.CachedImage | None:
        def pieces(image: ImageSource) -> Iterator[bytes]:
            return _pieces(there, spec.id, "base", image.size)

        if spec.image is None:  # it boots from a volume
            return None
        return self._hypervisor.images.ensure(spec.image, pieces)

    def _fetch(self, there: Peers, files: GuestFiles, name: str, size: int) -> None:
        path = files.directory / name
        if path.exists():
            return
        with disks.drafted(path, self._owner) as draft, draft.open("wb") as file:
            for piece in _pieces(there, files.directory.name, name, size):
                if is_zero(piece):
                    file.seek(len(piece), os.SEEK_CUR)
                else:
                    file.write(piece)
            file.truncate(size)

    def _take_log(self, there: Peers, files: GuestFiles, offered: Offered) -> None:
        """Have what the guest said so far."""
        size = offered.files.get("console.log", 0)
        text = b"".join(_pieces(there, files.directory.name, "console.log", size))
        consoles.begin_with(files.console_log, text)

    def _runs(self, connection: "libvirt.virConnect", guest_id: str) -> bool:
        try:
            return bool(connection.lookupByUUIDString(guest_id).isActive())
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return False
            raise


class PeerView:
    """What one other host may have of the guests here; its certificate tells which host it is."""

    def __init__(self, hypervisor: LibvirtHypervisor, moves: Path, who: str) -> None:
        self._hypervisor, self._moves, self._who = hypervisor, moves, who

    def guest_offered(self, guest_id: str) -> Offered:
        """Tell what there is of a guest that is offered."""
        files, record = self._offered(guest_id)
        own = [path.name for path in files.directory.iterdir() if is_disk(path.name)]
        found = {name: self._path(files, record, name) for name in (*own, *_ALWAYS)}
        sizes = {name: path.stat().st_size for name, path in found.items() if path.exists()}
        sizes["console.log"] = len(consoles.read(files.console_log))
        return Offered(spec=record.spec, files=sizes)

    def read_file(self, guest_id: str, name: str, offset: int, length: int) -> bytes:
        """Return a piece of a file of a guest that is offered."""
        files, record = self._offered(guest_id)
        if not (is_disk(name) or name in _ALWAYS) or offset < 0 or not 0 < length <= _PIECE:
            raise HostError(f"There is no such piece of a file {name!r}.")
        if name == "console.log":
            return consoles.read(files.console_log)[offset : offset + length]
        if is_disk(name) and self._runs(guest_id):
            raise HostError(f"Guest {guest_id} runs: its disks cannot be read.")
        descriptor = os.open(self._path(files, record, name), os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            file.seek(offset)
            piece = file.read(length)
            return b"" if is_zero(piece) else piece

    def open_arrival(self, guest_id: str, channel: Channel) -> socket.socket:
        """Return a way in for a guest that is expected from this host."""
        record = GuestFiles(self._hypervisor.root, guest_id).record()
        if record is None or record.expected_from != self._who:
            raise NotFound(f"No guest {guest_id} is expected from {self._who}.")
        if channel == "libvirt":
            return _connected(self._moves.parent / "libvirt-sock", 0)
        uid = self._hypervisor.owner[0]
        return _connected(self._moves / _socket(guest_id, channel).name, uid)

    def _offered(self, guest_id: str) -> tuple[GuestFiles, Record]:
        files = GuestFiles(self._hypervisor.root, guest_id)
        record = files.record()
        if record is None or record.offered_to != self._who:
            raise NotFound(f"No guest {guest_id} is offered to {self._who}.")
        return files, record

    def _path(self, files: GuestFiles, record: Record, name: str) -> Path:
        if name == "base" and record.spec.image is not None:
            return self._hypervisor.images.path_of(record.spec.image)
        return files.directory / name

    def _runs(self, guest_id: str) -> bool:
        with self._hypervisor.connected() as connection:
            domain = connection.lookupByUUIDString(guest_id)
            return libvirt_power.power_of(domain) in ("running", "paused")


@contextlib.contextmanager
def _unless_it_is_over() -> Iterator[None]:
    """Let the block find nothing that is under way."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in _OVER:
            raise


def _as_offered(spec: GuestSpec, offered: Offered) -> GuestSpec:
    """Return what the guest is to be, on the image that its disk there stands on."""
    return msgspec.structs.replace(spec, image=offered.spec.image)


def _pieces(there: Peers, guest_id: str, name: str, size: int) -> Iterator[bytes]:
    for offset in range(0, size, _PIECE):
        piece = there.read_file(guest_id, name, offset, _PIECE)
        yield piece or bytes(min(_PIECE, size - offset))


def _socket(guest_id: str, channel: Channel) -> Path:
    """Return where libvirtd and QEMU find a way, each on its host."""
    return MOVES / f"{guest_id}.{channel}"


def _connected(path: Path, uid: int) -> socket.socket:
    """Connect to a socket of that user's, wherever a link may have led."""
    found = socket.socket(socket.AF_UNIX)
    try:
        found.connect(str(path))
        raw = found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", raw)[1] != uid:
            raise HostError(f"{path} is somebody else's.")
    except OSError as error:
        found.close()
        raise Unavailable(f"{path.name} does not answer: {error}") from error
    except BaseException:
        found.close()
        raise
    return found


def _lead(listener: socket.socket, there: Peers, guest_id: str, channel: Channel) -> None:
    """Join whoever connects here to the way in there."""
    while True:
        try:
            came, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_join, args=(came, there, guest_id, channel), daemon=True).start()


def _join(came: socket.socket, there: Peers, guest_id: str, channel: Channel) -> None:
    with (
        came,
        contextlib.suppress(Unavailable, NotFound, HostError),
        there.open_arrival(guest_id, channel) as way,
    ):
        streams.join(came, way)


def _wake(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _elsewhere(definition: str, moved: dict[str, str]) -> str:
    """Return a definition with the paths that it has on another host."""
    tree = ElementTree.fromstring(definition)  # noqa: S314 - libvirt wrote it
    for element in tree.iter():
        for name, value in element.attrib.items():
            for here, there in moved.items():
                if value.startswith(f"{here}/"):
                    element.set(name, there + value[len(here) :])
                    break
    return ElementTree.tostring(tree, encoding="unicode")
