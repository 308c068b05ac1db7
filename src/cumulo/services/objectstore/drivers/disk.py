"""A device in a directory: files for objects, SQLite for listings.

    incoming/                                   what is being written
    objects/PART/KEY/STAMP.data                 bytes, then what is known of them, then a trailer
    objects/PART/KEY/STAMP.meta            headers that replaced those
    objects/PART/KEY/STAMP.gone            the mark of a deletion
    account/PART/KEY.db, container/...     indexes
    notes/ quarantined/

A file gets its name only when it is whole and on disk; the newest name counts.
"""

import contextlib
import os
import shutil
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cumulo.kit.ids import new_hex_id
from cumulo.services.objectstore.drivers.base import (
    BLOCK,
    DeviceFailed,
    NotWhole,
    State,
    Stored,
    checked_block,
)
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.index import SqliteIndex

_MAGIC = b"cumulo01"
_TRAILER = struct.Struct(">8sII")  # magic, length of what is known, its checksum
_TAIL = 4096
_HELD = 256 << 10
_FLUSH_EVERY = 64 << 20
_KINDS = ("account", "container")


class DiskDevice:
    """A directory of our own, made once by `prepare`; one that vanished is not made again."""

    def __init__(
        self, name: str, root: Path, connections: Connections, area: str = "objects"
    ) -> None:
        """Keep objects in `area`, of which a directory has one for each storage policy."""
        self.name, self.root, self._connections = name, str(root), connections
        self._objects = f"{root}/{area}"

    def prepare(self) -> None:
        """Make an empty device, or find it made."""
        for kind in ("incoming", "objects", *_KINDS, "notes", "quarantined"):
            Path(self.root, kind).mkdir(parents=True, exist_ok=True)

    def adopt(self) -> None:
        """Take an empty directory as a new device in the place of one that was lost."""
        if os.path.isdir(self.root) and not os.listdir(self.root):
            self.prepare()

    def is_there(self) -> bool:
        """Say whether the device can be used."""
        return os.path.isdir(f"{self.root}/incoming")

    def begin(self) -> "IncomingFile":
        """Open a place for a replica's bytes."""
        return IncomingFile(self)

    def state(self, part: int, key: str) -> State:
        """Return what is known of an object; a device that is away knows nothing for sure."""
        names = self._names(part, key)
        if not names and not self.is_there():
            raise DeviceFailed(f"{self.name} is not there")
        return _state(names)

    def open(self, part: int, key: str) -> "OpenedFile":
        """Open an object; what is not whole is put aside."""
        state = self.state(part, key)
        if not state.is_there:
            raise DeviceFailed(f"{self.name} has no object {key}")
        place = self.place(part, key)
        try:
            return OpenedFile(place, state)
        except NotWhole:
            self.quarantine(part, key)
            raise
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def post(self, part: int, key: str, stamp: str, headers: dict[str, str]) -> None:
        """Replace an object's headers."""
        self._write_small(part, key, f"{stamp}.meta", msgspec.msgpack.encode(headers))

    def bury(self, part: int, key: str, stamp: str) -> None:
        """Mark an object as deleted."""
        self._write_small(part, key, f"{stamp}.gone", b"")

    def quarantine(self, part: int, key: str) -> None:
        """Put an object's directory aside."""
        target = f"{self.root}/quarantined/{key}-{new_hex_id()}"
        with contextlib.suppress(OSError):
            os.rename(self.place(part, key), target)

    def drop(self, part: int, key: str) -> None:
        """Forget an object."""
        shutil.rmtree(self.place(part, key), ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(f"{self._objects}/{part}")

    def parts(self) -> list[int]:
        """Return the partitions of which anything is kept."""
        return [int(name) for name in _listed(self._objects)]

    def inventory(self, part: int) -> dict[str, State]:
        """Return all that is kept of a partition."""
        keys = _listed(f"{self._objects}/{part}")
        return {key: _state(self._names(part, key)) for key in keys}

    def verify(self, part: int, key: str) -> Stored | None:
        """Read all of an object."""
        if not self.state(part, key).is_there:
            return None
        opened = self.open(part, key)
        try:
            for number in range(-(-opened.stored.size // BLOCK)):
                opened.block(number)
        except NotWhole:
            self.quarantine(part, key)
            raise
        finally:
            opened.close()
        return opened.stored

    def reclaim(self, part: int, before: str) -> None:
        """Drop what no longer counts, and old marks."""
        for key in _listed(f"{self._objects}/{part}"):
            names = self._names(part, key)
            self._drop_files(part, key, superseded(names))
            state = _state(names)
            if state.gone and not state.is_there and state.gone < before:
                self.drop(part, key)

    def drop_unfinished(self, before_s: float) -> None:
        """Drop what dead writes left behind."""
        for name in _listed(f"{self.root}/incoming"):
            path = f"{self.root}/incoming/{name}"
            with contextlib.suppress(OSError):
                if os.stat(path).st_mtime < before_s:
                    os.unlink(path)

    def index(self, kind: str, part: int, key: str) -> SqliteIndex:
        """Return an index."""
        return SqliteIndex(self._connections, self._index_path(kind, part, key), self.root)

    def indexes(self, kind: str) -> list[tuple[int, str]]:
        """Return every index of a kind."""
        found: list[tuple[int, str]] = []
        for part in _listed(f"{self.root}/{kind}"):
            for name in _listed(f"{self.root}/{kind}/{part}"):
                key, dot, end = name.partition(".")
                if dot and end == "db":
                    found.append((int(part), key))
        return found

    def drop_index(self, kind: str, part: int, key: str) -> None:
        """Remove an index."""
        path = self._index_path(kind, part, key)
        self._connections.drop(path)
        for name in (path, f"{path}-wal", f"{path}-shm"):
            with contextlib.suppress(OSError):
                os.unlink(name)

    def note(self, name: str, content: bytes) -> None:
        """Keep a note."""
        self._put_file(content, f"{self.root}/notes", name)

    def notes(self) -> list[tuple[str, bytes]]:
        """Return every note."""
        found: list[tuple[str, bytes]] = []
        for name in sorted(_listed(f"{self.root}/notes")):
            with contextlib.suppress(FileNotFoundError):
                found.append((name, Path(self.root, "notes", name).read_bytes()))
        return found

    def drop_note(self, name: str) -> None:
        """Remove a note."""
        Path(self.root, "notes", name).unlink(missing_ok=True)

    def usage(self) -> tuple[int, int]:
        """Return bytes in all and bytes free."""
        try:
            found = os.statvfs(self.root)
        except OSError:
            return 0, 0
        return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def quarantined(self) -> int:
        """Count what was put aside."""
        return len(_listed(f"{self.root}/quarantined"))

    def place(self, part: int, key: str) -> str:
        """Return an object's directory."""
        return f"{self._objects}/{part}/{key}"

    def settle(
        self, temporary: str, part: int, key: str, name: str, made: Sequence[str] = ()
    ) -> None:
        """Give a file that is whole its name, safely, and remove what it supersedes."""
        place = self.place(part, key)
        changed = list(made)
        for _ in range(3):
            changed += self.make(part, key)
            with contextlib.suppress(FileNotFoundError):  # removed as empty this moment
                os.rename(temporary, f"{place}/{name}")
                break
        else:
            raise DeviceFailed(f"{self.name} cannot be written")
        for directory in (place, *changed):
            _sync_directory(directory)
        self._drop_files(part, key, superseded(self._names(part, key)))

    def _drop_files(self, part: int, key: str, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.place(part, key)}/{name}")

    def make(self, part: int, key: str) -> list[str]:
        """Make an object's directory; return which directories must reach the disk for it."""
        parent, changed = self.root, list[str]()
        for one in (os.path.basename(self._objects), str(part), key):
            try:
                os.mkdir(f"{parent}/{one}")
            except FileExistsError:
                pass
            else:
                changed.append(parent)
            parent = f"{parent}/{one}"
        return changed

    def _names(self, part: int, key: str) -> list[str]:
        try:
            return os.listdir(self.place(part, key))
        except OSError:
            return []

    def _write_small(self, part: int, key: str, name: str, content: bytes) -> None:
        try:
            temporary = f"{self.root}/incoming/{new_hex_id()}"
            _write_file(temporary, content)
            self.settle(temporary, part, key, name)
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def _put_file(self, content: bytes, directory: str, name: str) -> None:
        try:
            temporary = f"{self.root}/incoming/{new_hex_id()}"
            _write_file(temporary, content)
            os.rename(temporary, f"{directory}/{name}")
            _sync_directory(directory)
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def _index_path(self, kind: str, part: int, key: str) -> str:
        return f"{self.root}/{kind}/{part}/{key}.db"


class IncomingFile:
    """A replica on its way in; small ones are written in one call."""

    def __init__(self, device: DiskDevice) -> None:
        self._device = device
        self._path = f"{device.root}/incoming/{new_hex_id()}"
        self._held: list[bytes | memoryview] = []
        self._size = self._written = self._flushed = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise DeviceFailed(f"{device.name}: {error.strerror}") from error

    def write(self, piece: bytes | memoryview) -> None:
        """Add bytes."""
        self._held.append(piece)
        self._size += len(piece)
        if self._size >= _HELD:
            self._flush()

    def keep(self, part: int, key: str, stored: Stored) -> None:
        """Make it the object."""
        known = msgspec.msgpack.encode(stored)
        self.write(known + _TRAILER.pack(_MAGIC, len(known), zlib.crc32(known)))
        self._flush()
        try:
            # Directories first: the journal then takes them along with the file, in one go.
            made = self._device.make(part, key)
            os.fsync(self._file)
            self._close()
            self._device.settle(self._path, part, key, f"{stored.stamp}.data", made)
        except OSError as error:
            raise DeviceFailed(f"{self._device.name}: {error.strerror}") from error

    def discard(self) -> None:
        """Leave nothing behind."""
        self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _flush(self) -> None:
        try:
            for piece in self._held:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise DeviceFailed(f"{self._device.name}: {error.strerror}") from error
        self._written += self._size
        self._held, self._size = [], 0
        if self._written - self._flushed >= _FLUSH_EVERY:
            # Have the disk work while bytes arrive, or the last fsync has to write them all.
            length = self._written - self._flushed
            os.posix_fadvise(self._file, self._flushed, length, os.POSIX_FADV_DONTNEED)
            self._flushed = self._written

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class OpenedFile:
    """An object's file, which may be deleted meanwhile."""

    def __init__(self, place: str, state: State) -> None:
        self._file = os.open(f"{place}/{state.data}.data", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.stored = _replaced(_known(self._file), place, state)
        except BaseException:
            self.close()
            raise

    def block(self, number: int) -> bytes:
        """Return a block whose checksum is right."""
        start = number * BLOCK
        wanted = min(BLOCK, self.stored.size - start)
        try:
            piece = os.pread(self._file, wanted, start)
        except OSError as error:
            raise DeviceFailed(str(error.strerror)) from error
        return checked_block(self.stored, number, piece)

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


def superseded(names: list[str]) -> list[str]:
    """Return the files of an object that no longer count."""
    state = _state(names)
    kept = {f"{state.gone}.gone" if not state.is_there else f"{state.data}.data"}
    if state.meta and state.is_there:
        kept.add(f"{state.meta}.meta")
    return [name for name in names if name not in kept]


def _state(names: list[str]) -> State:
    newest = {"data": "", "meta": "", "gone": ""}
    for name in names:
        stamp, _, kind = name.rpartition(".")
        if kind in newest:
            newest[kind] = max(newest[kind], stamp)
    meta = newest["meta"] if newest["meta"] > newest["data"] else ""
    return State(newest["data"], meta, newest["gone"])


def _known(file: int) -> Stored:
    """Read what stands behind the bytes."""
    size = os.fstat(file).st_size
    tail = os.pread(file, _TAIL, max(0, size - _TAIL))
    try:
        magic, length, check = _TRAILER.unpack(tail[-_TRAILER.size :])
        start = size - _TRAILER.size - length
        inside = tail[-_TRAILER.size - length : -_TRAILER.size]
        known = inside if length + _TRAILER.size <= len(tail) else os.pread(file, length, start)
        if magic != _MAGIC or zlib.crc32(known) != check:
            raise NotWhole("the trailer is not what was written")
        stored = msgspec.msgpack.decode(known, type=Stored)
    except (struct.error, OSError, msgspec.DecodeError) as error:
        raise NotWhole(f"the file is not whole: {error}") from error
    if stored.size != start:
        raise NotWhole("the file has not the length that was written")
    return stored


def _replaced(stored: Stored, place: str, state: State) -> Stored:
    """Return what is known with the headers that came later."""
    if not state.meta:
        return stored
    try:
        with open(f"{place}/{state.meta}.meta", "rb") as file:
            headers = msgspec.msgpack.decode(file.read(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise NotWhole(f"the headers are not whole: {error}") from error
    content_type = headers.pop("Content-Type", stored.content_type)
    return msgspec.structs.replace(
        stored, headers=headers, content_type=content_type, posted=state.meta
    )


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _write_file(path: str, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
