"""Volumes as raw files with holes, in a directory or on an NFS mount.

A file has a volume's name only once it is whole; what is being made ends in `.new`.  New files
are made, never reused, so what a deleted volume held is read by nobody.  Copies share their
blocks where the file system can, and keep their holes where it cannot.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cumulo.kit.errors import Invalid, Unavailable
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
from cumulo.services.volume.drivers.conversion import convert
from cumulo.services.volume.drivers.inspection import check_plain

_PIECE = 4 * MIB
_BLOCK = 64 * 1024
_FICLONE = 0x40049409  # share all blocks of another file, as linux/fs.h numbers it


class FileDriver:
    """A directory of volumes."""

    protocol = "file"

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self._directory = name, directory
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)  # QEMU passes through, as a user of its own

    def capacity(self) -> Capacity:
        """Report the room on the file system."""
        with self._told():
            found = os.statvfs(self._directory)
        size = found.f_frsize / GIB
        return Capacity(total_gib=found.f_blocks * size, free_gib=found.f_bavail * size)

    def create(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume, or find it made."""
        if not self._volume(volume_id).exists():
            with self._drafted(self._volume(volume_id)) as descriptor:
                os.ftruncate(descriptor, size_gib * GIB)

    def create_from(self, volume_id: str, size_gib: int, source: Source) -> None:
        """Make a volume with the source's bytes, or find it made."""
        if not self._volume(volume_id).exists():
            self._copy(self._path(source), self._volume(volume_id), size_gib)

    def write(self, volume_id: str, size_gib: int, content: Content) -> None:
        """Make a volume with an image's bytes."""
        with self._drafted(self._volume(volume_id)) as descriptor:
            os.ftruncate(descriptor, size_gib * GIB)
            if content.disk_format == "raw":
                _write_sparse(descriptor, content.pieces, size_gib)
            else:
                convert(content, descriptor, size_gib, self._directory)

    def read(self, source: Source, offset: int, length: int) -> Iterator[bytes]:
        """Yield bytes of the disk."""
        with self._told():
            descriptor = os.open(self._path(source), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return _pieces(descriptor, offset, length)

    def overwrite(self, volume_id: str, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Put pieces into a volume that is there."""
        with self._told(), self._open(self._volume(volume_id)) as descriptor:
            for offset, piece in pieces:
                _put(descriptor, offset, piece)
            os.fsync(descriptor)

    def extend(self, volume_id: str, size_gib: int) -> None:
        """Let a volume be as large."""
        with self._told(), self._open(self._volume(volume_id)) as descriptor:
            if os.fstat(descriptor).st_size < size_gib * GIB:
                os.ftruncate(descriptor, size_gib * GIB)

    def delete(self, volume_id: str) -> None:
        """Remove a volume, or find it gone."""
        self._remove(self._volume(volume_id))

    def replace(self, volume_id: str, other_id: str) -> None:
        """Let a volume be what another one is, in one stroke."""
        if self._volume(other_id).exists():
            with self._told():
                self._volume(other_id).rename(self._volume(volume_id))

    def create_snapshot(self, source: Source) -> None:
        """Keep the volume's bytes as they are now."""
        path = self._path(source)
        if not path.exists():
            self._copy(self._volume(source.volume_id), path, 0)

    def snapshot_path(self, source: Source) -> str:
        """Return where the host is to put what a snapshot keeps."""
        return str(self._path(source))

    def scratch(self) -> Path:
        """Return where there is room for an image that is being encrypted."""
        return self._directory

    def delete_snapshot(self, source: Source) -> None:
        """Remove what was kept, or find it gone."""
        self._remove(self._path(source))

    def revert(self, source: Source) -> None:
        """Let the volume hold what was kept."""
        self._copy(self._path(source), self._volume(source.volume_id), 0)

    def connect(self, volume_id: str) -> Connection:
        """Say where the file is."""
        path = self._volume(volume_id)
        if not path.exists():
            raise BackendError(f"{self.name} has no volume {volume_id}.")
        return Connection(
            driver_volume_type="local",
            data={"device_path": str(path), "format": "raw"},
            target={"protocol": "file", "path": str(path)},
        )

    def present(self) -> list[Present]:
        """List all volumes and snapshots; files of other names are not ours."""
        found = []
        with self._told(), os.scandir(self._directory) as entries:
            for entry in entries:
                volume_id, _, snapshot_id = entry.name.removesuffix(".new").partition(".")
                if not (is_id(volume_id) and is_id(snapshot_id or volume_id)):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat(follow_symlinks=False)
                    size = -(-seen.st_size // GIB)
                    found.append(
                        Present(
                            volume_id=volume_id,
                            snapshot_id=snapshot_id or None,
                            size_gib=size,
                            touched_at=seen.st_mtime,
                        )
                    )
        return found

    def strangers(self) -> list[Stranger]:
        """List the files of a single name that are not ours."""
        found = []
        with self._told(), os.scandir(self._directory) as entries:
            for entry in entries:
                volume_id, _, rest = entry.name.partition(".")
                is_ours = is_id(volume_id) and (not rest or is_id(rest.removesuffix(".new")))
                if is_ours or entry.name.startswith(".") or entry.name.endswith(".new"):
                    continue
                seen = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1:
                    owner = volume_id if is_id(volume_id) else None
                    size = -(-seen.st_size // GIB)
                    found.append(Stranger(name=entry.name, size_gib=size, volume_id=owner))
        return found

    def adopt(self, target: Source, name: str) -> int:
        """Let a file be ours, if it is a plain disk; its end is filled up to a whole GiB."""
        path = self._path(target)
        with self._told():
            if not path.exists():
                wanted = target.volume_id if target.snapshot_id is not None else None
                known = [one.name for one in self.strangers() if one.volume_id == wanted]
                if name not in known:
                    raise BackendError(f"{self.name} has no {name[:255]} that is not ours.")
                file = self._directory / name
                check_plain(file)
                with self._open(file) as descriptor:
                    os.ftruncate(descriptor, -(-os.fstat(descriptor).st_size // GIB) * GIB)
                file.rename(path)
            return -(-path.stat().st_size // GIB)

    def release(self, source: Source, name: str | None = None) -> None:
        """Give a file a name that is not ours."""
        path = self._path(source)
        if name is None and source.snapshot_id is not None:
            name = f"{source.volume_id}.snapshot-{source.snapshot_id}"
        with self._told():
            if path.exists():
                path.rename(path.with_name(name or f"volume-{source.volume_id}"))

    def _volume(self, volume_id: str) -> Path:
        return self._directory / _checked(volume_id)

    def _path(self, source: Source) -> Path:
        name = _checked(source.volume_id)
        return self._directory / (
            f"{name}.{_checked(source.snapshot_id)}" if source.snapshot_id else name
        )

    def _copy(self, source: Path, target: Path, size_gib: int) -> None:
        with self._told(), open(source, "rb") as file, self._drafted(target) as descriptor:
            size = os.fstat(file.fileno()).st_size
            try:
                fcntl.ioctl(descriptor, _FICLONE, file.fileno())
            except OSError:
                os.ftruncate(descriptor, size)
                _copy_data(file.fileno(), descriptor, size)
            os.ftruncate(descriptor, max(size, size_gib * GIB))

    def _remove(self, path: Path) -> None:
        with self._told():
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".new").unlink(missing_ok=True)

    @contextmanager
    def _open(self, path: Path) -> Iterator[int]:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _drafted(self, path: Path) -> Iterator[int]:
        """Give the block a new file to fill, which then takes the place of `path` at once."""
        draft = path.with_name(path.name + ".new")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with self._told():
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, flags, 0o660)
            try:
                yield descriptor
                os.fsync(descriptor)
                draft.rename(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell apart what may pass from what will not."""
        try:
            yield
        except FileNotFoundError as error:
            raise BackendError(f"{self.name} has no {Path(error.filename).name}.") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise BackendError(f"There is no room left in {self._directory}.") from error
            raise Unavailable(f"{self._directory} cannot be used: {error.strerror}.") from error


def _write_sparse(descriptor: int, pieces: Iterable[bytes], size_gib: int) -> None:
    """Write bytes from the beginning, leaving holes where there are only zeros."""
    offset = 0
    for piece in pieces:
        if offset + len(piece) > size_gib * GIB:
            raise BackendError(f"The image is a disk of more than {size_gib} GiB.")
        for start in range(0, len(piece), _BLOCK):
            block = piece[start : start + _BLOCK]
            if not is_zero(block):
                _write_at(descriptor, offset + start, block)
        offset += len(piece)


def _put(descriptor: int, offset: int, piece: bytes) -> None:
    """Write a piece; one of zeros is written only where something is already."""
    if not is_zero(piece):
        _write_at(descriptor, offset, piece)
        return
    end = offset + len(piece)
    with contextlib.suppress(OSError):  # no data behind the offset
        if os.lseek(descriptor, offset, os.SEEK_DATA) < end:
            _write_at(descriptor, offset, piece)


def _write_at(descriptor: int, offset: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _copy_data(source: int, target: int, size: int) -> None:
    """Copy what a file holds, and leave its holes out."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(source, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # nothing but a hole to the end
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        os.lseek(source, start, os.SEEK_SET)
        os.lseek(target, start, os.SEEK_SET)
        while start < end:
            copied = os.sendfile(target, source, start, min(end - start, 64 * MIB))
            if not copied:
                return
            start += copied
        offset = end


def _pieces(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    try:
        while length > 0 and (piece := os.pread(descriptor, min(_PIECE, length), offset)):
            yield piece
            offset, length = offset + len(piece), length - len(piece)
    finally:
        os.close(descriptor)


def _checked(name: str) -> str:
    """Let only ids become names of files."""
    if not is_id(name):
        raise Invalid(f"'{name[:64]}' is not an id.")
    return name
