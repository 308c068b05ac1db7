"""Volumes as images in a pool of Ceph.

Copies share their blocks with what they were copied from, as long as they do not change; a
volume that is deleted while copies need it goes into Ceph's trash, and from there with the last of
them.  Only images that carry this back end's mark are ours: others may use the pool.
"""

import configparser
import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cumulo.kit.errors import Invalid, Unavailable
from cumulo.kit.ids import new_id
from cumulo.kit.units import GIB, MIB
from cumulo.kit.zeros import is_zero
from cumulo.services.volume.drivers.base import (
    BackendError,
    Capacity,
    Connection,
    Content,
    Present,
    Source,
    Stranger,
    is_id,
)
from cumulo.services.volume.drivers.conversion import convert, data_in
from cumulo.services.volume.drivers.librbd import Image, Missing, Pool, SnapshotEntry, Trouble

_PIECE = 4 * MIB
_MARK = "cumulo.owner"
_IMAGE, _SNAPSHOT, _DRAFT, _PASSING = "volume-", "snapshot-", ".new", "passing-"
_GONE = "cumulo-gone-"  # images of this name are nobody's any more
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NEVER = (errno.ENOENT, errno.EINVAL, errno.EROFS, *_NO_ROOM)
_IN_USE = (errno.EBUSY, errno.ENOTEMPTY)


class RbdSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which pool, and as whom."""

    pool: str
    user: str
    conf: str  # path of ceph.conf
    owner: str  # marks what is ours


class RbdDriver:
    """A pool of a Ceph cluster."""

    protocol = "ceph"

    def __init__(self, name: str, settings: RbdSettings, scratch: Path) -> None:
        self.name, self._settings, self._scratch = name, settings, scratch
        self._pool = Pool(settings.conf, settings.user, settings.pool)

    def capacity(self) -> Capacity:
        """Report the room that the pool has, as many copies as it keeps of everything."""
        with self._told():
            found = self._pool.ask(prefix="df")
        for one in found["pools"]:
            if one["name"] == self._settings.pool:
                free, used = one["stats"]["max_avail"] / GIB, one["stats"]["stored"] / GIB
                return Capacity(total_gib=free + used, free_gib=free)
        raise Unavailable(f"{self.name} has no pool {self._settings.pool}.")

    def create(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume, or find it made."""
        with self._told(volume_id):
            self._create(_image(volume_id), size_gib * GIB)

    def create_from(self, volume_id: str, size_gib: int, source: Source) -> None:
        """Make a volume that shares the source's bytes, or find it made."""
        name = _image(volume_id)
        with self._told(volume_id):
            if not self._is_there(name):
                with self._told(source.snapshot_id or source.volume_id):
                    self._clone(source, name)
            with self._pool.opened(name) as image:
                image.resize(max(image.size(), size_gib * GIB))
                image.note(_MARK, self._settings.owner)

    def write(self, volume_id: str, size_gib: int, content: Content) -> None:
        """Make a volume with an image's bytes."""
        name = _image(volume_id)
        draft = name + _DRAFT
        with self._told(volume_id):
            self._remove(draft)
            try:
                self._create(draft, size_gib * GIB)
                with self._pool.opened(draft) as image:
                    _write(image, self._pieces(content, size_gib))
                self._remove(name)
                self._pool.rename(draft, name)
            except BaseException:
                with contextlib.suppress(Trouble):
                    self._remove(draft)
                raise

    def read(self, source: Source, offset: int, length: int) -> Iterator[bytes]:
        """Yield bytes of the disk."""
        snapshot = _snapshot(source.snapshot_id) if source.snapshot_id else None
        with (
            self._told(source.snapshot_id or source.volume_id),
            self._pool.opened(_image(source.volume_id), snapshot, reads=True) as image,
        ):
            end = min(offset + length, image.size())
            while offset < end and (piece := image.read(offset, min(_PIECE, end - offset))):
                yield piece
                offset += len(piece)

    def overwrite(self, volume_id: str, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Put pieces into a volume that is there."""
        with self._told(volume_id), self._pool.opened(_image(volume_id)) as image:
            _write(image, pieces)

    def extend(self, volume_id: str, size_gib: int) -> None:
        """Let a volume be as large."""
        with self._told(volume_id), self._pool.opened(_image(volume_id)) as image:
            if image.size() < size_gib * GIB:
                image.resize(size_gib * GIB)

    def delete(self, volume_id: str) -> None:
        """Remove a volume, or find it gone; what copies need of it goes with them."""
        name = _image(volume_id)
        with self._told(volume_id):
            for one in (name, name + _DRAFT):
                self._remove(one)

    def replace(self, volume_id: str, other_id: str) -> None:
        """Let a volume be what another one is; in between there is none of its name."""
        with self._told(volume_id):
            if self._is_there(_image(other_id)):
                self._remove(_image(volume_id))
                self._pool.rename(_image(other_id), _image(volume_id))

    def create_snapshot(self, source: Source) -> None:
        """Keep the volume's bytes as they are now."""
        with (
            self._told(source.volume_id),
            self._pool.opened(_image(source.volume_id)) as image,
            _done_already(errno.EEXIST),
        ):
            image.create_snapshot(_snapshot(source.snapshot_id))

    def delete_snapshot(self, source: Source) -> None:
        """Forget what was kept, or find it forgotten."""
        with (
            self._told(source.volume_id),
            _done_already(errno.ENOENT),
            self._pool.opened(_image(source.volume_id)) as image,
        ):
            image.remove_snapshot(_snapshot(source.snapshot_id))

    def revert(self, source: Source) -> None:
        """Let the volume hold what was kept."""
        with self._told(source.volume_id), self._pool.opened(_image(source.volume_id)) as image:
            image.roll_back(_snapshot(source.snapshot_id))

    def connect(self, volume_id: str) -> Connection:
        """Say where the image is, and as whom it is opened."""
        name = _image(volume_id)
        with self._told(volume_id):
            if not self._is_there(name):
                raise BackendError(f"{self.name} has no volume {volume_id}.")
            monitors = self._monitors()
            is_secret = self._pool.option("auth_client_required") != "none"
        path = f"{self._settings.pool}/{name}"
        hosts = [monitor.rpartition(":")[0].strip("[]") for monitor in monitors]
        return Connection(
            driver_volume_type="rbd",
            data={
                "name": path,
                "hosts": hosts,
                "ports": [monitor.rpartition(":")[2] for monitor in monitors],
                "cluster_name": "ceph",
                "auth_enabled": is_secret,
                "auth_username": self._settings.user,
                "secret_type": "ceph",
                "secret_uuid": None,
                "volume_id": volume_id,
                "discard": True,
            },
            target={
                "protocol": "rbd",
                "path": path,
                "monitors": monitors,
                "user": self._settings.user if is_secret else "",
            },
        )

    def key(self) -> str:
        """Return what proves to the cluster that a host may open volumes."""
        with self._told():
            if self._pool.option("auth_client_required") == "none":
                return ""
            paths = self._pool.option("keyring").split(",")
        section = f"client.{self._settings.user}"
        for path in paths:
            keyring = configparser.ConfigParser(interpolation=None)
            with contextlib.suppress(OSError, configparser.Error):
                keyring.read_string(Path(path.strip()).read_text().replace("\t", ""))
                if keyring.has_option(section, "key"):
                    return keyring.get(section, "key")
        raise Unavailable(f"None of {', '.join(paths)} has a key of {section} that can be read.")

    def scratch(self) -> Path:
        """Return where there is room for an image that is being encrypted."""
        return self._scratch

    def present(self) -> list[Present]:
        """List all volumes and snapshots that carry our mark."""
        found: list[Present] = []
        with self._told():
            for name in self._pool.names():
                volume_id = name.removeprefix(_IMAGE).removesuffix(_DRAFT)
                if name.startswith(_IMAGE) and is_id(volume_id):
                    with _done_already(errno.ENOENT), self._pool.opened(name, reads=True) as image:
                        if image.noted(_MARK) == self._settings.owner:
                            found += _present(volume_id, image)
        return found

    def strangers(self) -> list[Stranger]:
        """List the images that nobody marked, and what others kept of ours."""
        found: list[Stranger] = []
        with self._told():
            for name in self._pool.names():
                with _done_already(errno.ENOENT), self._pool.opened(name, reads=True) as image:
                    owner = image.noted(_MARK)
                    volume_id = name.removeprefix(_IMAGE)
                    if owner is None:
                        size = -(-image.size() // GIB)
                        found.append(Stranger(name=name, size_gib=size))
                    elif owner == self._settings.owner and is_id(volume_id):
                        found += _strange_snapshots(volume_id, image)
        return found

    def adopt(self, target: Source, name: str) -> int:
        """Give an image, or a snapshot of one of ours, the name that it has with us."""
        own = _image(target.volume_id)
        wanted = target.volume_id if target.snapshot_id is not None else None
        with self._told(name):
            if not self._has(target):
                if name not in [one.name for one in self.strangers() if one.volume_id == wanted]:
                    raise BackendError(f"{self.name} has no {name[:255]} that is not ours.")
                if target.snapshot_id is None:
                    if name != own:
                        self._pool.rename(name, own)
                else:
                    with self._pool.opened(own) as image:
                        image.rename_snapshot(name, _snapshot(target.snapshot_id))
            snapshot = _snapshot(target.snapshot_id) if target.snapshot_id else None
            if snapshot is None:
                with self._pool.opened(own) as image:
                    size = -(-image.size() // GIB)
                    image.resize(size * GIB)
                    image.note(_MARK, self._settings.owner)
                    return size
            with self._pool.opened(own, snapshot) as kept:
                return -(-kept.size() // GIB)

    def release(self, source: Source, name: str | None = None) -> None:
        """Take our mark from an image; let a snapshot have a name that is not ours."""
        with (
            self._told(source.volume_id),
            _done_already(errno.ENOENT),
            self._pool.opened(_image(source.volume_id)) as image,
        ):
            if source.snapshot_id is None:
                image.forget_note(_MARK)
            else:
                wanted = name or f"unmanaged-{source.snapshot_id}"
                image.rename_snapshot(_snapshot(source.snapshot_id), wanted)
        if name is not None and source.snapshot_id is None:
            with self._told(source.volume_id), _done_already(errno.ENOENT):
                self._pool.rename(_image(source.volume_id), name)

    def _has(self, target: Source) -> bool:
        """Say whether a volume or a snapshot is ours already."""
        ours = [(one.volume_id, one.snapshot_id) for one in self.present()]
        return (target.volume_id, target.snapshot_id) in ours

    def tidy(self) -> None:
        """Remove what is nobody's and was kept because copies needed it."""
        with self._told():
            for name in self._pool.names():
                if name.startswith(_GONE):  # on its way into the trash
                    with _done_already(errno.ENOENT):
                        self._pool.throw_away(name)
            self._empty_trash()

    def _create(self, name: str, size: int) -> None:
        with _done_already(errno.EEXIST):
            self._pool.create(name, size)
        with self._pool.opened(name) as image:
            image.note(_MARK, self._settings.owner)

    def _clone(self, source: Source, name: str) -> None:
        parent = _image(source.volume_id)
        if source.snapshot_id is not None:
            self._pool.clone(parent, _snapshot(source.snapshot_id), name)
            return
        passing = _PASSING + name
        with self._pool.opened(parent) as image:
            with _done_already(errno.EEXIST):
                image.create_snapshot(passing)
            try:
                self._pool.clone(parent, passing, name)
            finally:
                image.remove_snapshot(passing)  # the clone keeps what it needs

    def _remove(self, name: str) -> None:
        """Remove an image with its snapshots, and what it was the last to need."""
        with _done_already(errno.ENOENT):
            with self._pool.opened(name) as image:
                for snapshot in image.snapshots():
                    with contextlib.suppress(Trouble):  # one that is kept for clones only
                        image.remove_snapshot(snapshot.name)
                is_needed = bool(image.snapshots())
            if is_needed:
                gone = _GONE + new_id()
                self._pool.rename(name, gone)
                self._pool.throw_away(gone)
            else:
                self._pool.remove(name)
                self._empty_trash()

    def _empty_trash(self) -> None:
        """Remove what no copy needs, and then what was needed for that only."""
        while True:
            gone = [number for number, name in self._pool.trash() if name.startswith(_GONE)]
            if not sum(self._removed(number) for number in gone):
                return

    def _removed(self, number: str) -> bool:
        try:
            self._pool.remove_trashed(number)
        except Trouble as trouble:
            if trouble.number not in (*_IN_USE, errno.ENOENT):
                raise
            return False
        return True

    def _pieces(self, content: Content, size_gib: int) -> Iterator[tuple[int, bytes]]:
        if content.disk_format != "raw":
            yield from self._converted(content, size_gib)
            return
        offset = 0
        for piece in content.pieces:
            if offset + len(piece) > size_gib * GIB:
                raise BackendError(f"The image is a disk of more than {size_gib} GiB.")
            yield offset, piece
            offset += len(piece)

    def _converted(self, content: Content, size_gib: int) -> Iterator[tuple[int, bytes]]:
        self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            os.ftruncate(file.fileno(), size_gib * GIB)
            convert(content, file.fileno(), size_gib, self._scratch)
            yield from data_in(file.fileno(), _PIECE)

    def _monitors(self) -> list[str]:
        addresses = [
            one["public_addrs"]["addrvec"] for one in self._pool.ask(prefix="mon dump")["mons"]
        ]
        return [str(found[0]["addr"]) for found in addresses]

    def _is_there(self, name: str) -> bool:
        with _done_already(errno.ENOENT), self._pool.opened(name, reads=True):
            return True
        return False

    @contextmanager
    def _told(self, what: str = "") -> Iterator[None]:
        """Tell apart what may pass from what will not."""
        try:
            yield
        except Missing as error:
            raise BackendError(f"{self.name} cannot be used: {error}") from error
        except Trouble as trouble:
            if trouble.number in _NO_ROOM:
                raise BackendError(f"There is no room left in {self.name}.") from trouble
            if what and trouble.number == errno.ENOENT:
                raise BackendError(f"{self.name} has no {what}.") from trouble
            if what and trouble.number in _NEVER:
                raise BackendError(f"{self.name} refused {what}: {trouble}.") from trouble
            raise Unavailable(f"{self.name} cannot be used: {trouble}.") from trouble


def _present(volume_id: str, image: Image) -> list[Present]:
    def of(kept: SnapshotEntry) -> Present:
        return Present(
            volume_id=volume_id,
            snapshot_id=kept.name.removeprefix(_SNAPSHOT),
            size_gib=-(-kept.size // GIB),
            touched_at=image.snapshot_made_at(kept.number),
        )

    snapshots = [of(one) for one in image.snapshots() if one.name.startswith(_SNAPSHOT)]
    size_gib = -(-image.size() // GIB)
    itself = Present(
        volume_id=volume_id,
        snapshot_id=None,
        size_gib=size_gib,
        touched_at=image.modified_at(),
    )
    return [itself, *snapshots]


def _strange_snapshots(volume_id: str, image: Image) -> list[Stranger]:
    return [
        Stranger(name=one.name, size_gib=-(-one.size // GIB), volume_id=volume_id)
        for one in image.snapshots()
        if not one.name.startswith((_SNAPSHOT, _PASSING)) and not is_id(one.name)
    ]


def _write(image: Image, pieces: Iterable[tuple[int, bytes]]) -> None:
    for offset, piece in pieces:
        if is_zero(piece):
            image.write_zeros(offset, len(piece))
        else:
            image.write(offset, piece)
    image.flush()


@contextmanager
def _done_already(number: int) -> Iterator[None]:
    """Take an error for a sign that the block's work was done before."""
    try:
        yield
    except Trouble as trouble:
        if trouble.number != number:
            raise


def _image(volume_id: str) -> str:
    return _IMAGE + _checked(volume_id)


def _snapshot(snapshot_id: str | None) -> str:
    return _SNAPSHOT + _checked(snapshot_id or "")


def _checked(name: str) -> str:
    """Let only ids become names of images."""
    if not is_id(name):
        raise Invalid(f"'{name[:64]}' is not an id.")
    return name
