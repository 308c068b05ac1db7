"""An image store in a directory: one file an image, named by its id.

What is being uploaded lies in `.incoming` beside them and is linked when it is complete, so a
file under an image's id is always whole.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from cumulo.kit.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from cumulo.services.image.drivers.base import Incoming, Present

_PIECE = 1 << 20
# Let the disk work while bytes arrive, or the last `fsync` has to write them all.
_FLUSH_EVERY = 64 << 20


class FileStore:
    """A directory of images."""

    kind = "file"

    def __init__(self, directory: Path, name: str = "file") -> None:
        self.name, self._directory = name, directory
        self._incoming = directory / ".incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def begin(self, image_id: str, upload_id: str) -> Incoming:
        """Open a place for an upload's bytes."""
        return _IncomingFile(self._upload_path(image_id, upload_id), self._path(image_id))

    def adopt(self, image_id: str, upload_id: str) -> None:
        """Make parked bytes the image's in one stroke, or find that done."""
        parked, target = self._upload_path(image_id, upload_id), self._path(image_id)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(parked, target)
            parked.unlink()
        except FileNotFoundError as error:
            if not target.exists():
                raise NotFound(
                    f"Image {image_id} has no staged data.", image_id=image_id
                ) from error
        except OSError as error:
            raise _told(error) from error
        for directory in (self._directory, self._incoming):
            _sync_directory(directory)

    def parked_path(self, image_id: str, upload_id: str) -> Path:
        """Return the file of parked bytes, or one to be written, for programs that need files."""
        return self._upload_path(image_id, upload_id)

    def read(self, image_id: str, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes piece by piece; raises `NotFound` at once when there are none."""
        try:
            descriptor = os.open(self._path(image_id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"Image {image_id} has no data.", image_id=image_id) from error
        return _Pieces(descriptor, start, length)

    def delete(self, image_id: str) -> None:
        """Remove an image's bytes, or find them gone; who reads them may read on."""
        self._path(image_id).unlink(missing_ok=True)

    def delete_upload(self, image_id: str, upload_id: str) -> None:
        """Remove what an upload has left, or find it gone."""
        self._upload_path(image_id, upload_id).unlink(missing_ok=True)

    def location(self, image_id: str) -> str:
        """Return the URL of an image's file."""
        return self._path(image_id).absolute().as_uri()

    def present(self) -> list[Present]:
        """List all that lies in the store; names that are no ids are not ours."""
        return [*self._found(self._directory), *self._found(self._incoming)]

    def _found(self, directory: Path) -> Iterator[Present]:
        with os.scandir(directory) as entries:
            for entry in entries:
                image_id, _, upload_id = entry.name.partition(".")
                if not (_is_id(image_id) and _is_id(upload_id or image_id)):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    yield Present(
                        image_id=image_id,
                        upload_id=upload_id or None,
                        size=found.st_size,
                        touched_at=found.st_mtime,
                    )

    def _path(self, image_id: str) -> Path:
        return self._directory / _checked(image_id)

    def _upload_path(self, image_id: str, upload_id: str) -> Path:
        return self._incoming / f"{_checked(image_id)}.{_checked(upload_id)}"


class _IncomingFile:
    def __init__(self, path: Path, target: Path) -> None:
        self._path, self._target = path, target
        self._written = self._flushed = 0
        self._kept = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(path, flags, 0o640)
        except OSError as error:
            raise _told(error) from error

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""
        rest = memoryview(piece)
        try:
            while rest:
                written = os.write(self._descriptor, rest)
                self._written += written
                rest = rest[written:]
            if self._written - self._flushed >= _FLUSH_EVERY:
                self._start_writeback()
        except OSError as error:
            raise _told(error) from error

    def keep(self) -> None:
        """Make the bytes the image's, safely on disk, in one stroke."""
        try:
            os.fsync(self._descriptor)
            self._close()
            # Unlike a rename, a link never replaces what another upload has put there.
            os.link(self._path, self._target)
            self._kept = True
            self._path.unlink()
            for directory in (self._target.parent, self._path.parent):
                _sync_directory(directory)
        except FileExistsError as error:
            raise Conflict(f"Image {self._target.name} has data already.") from error
        except OSError as error:
            raise _told(error) from error

    def park(self) -> None:
        """Make the bytes safe on disk, to be made the image's later by `adopt`."""
        try:
            os.fsync(self._descriptor)
            self._close()
            _sync_directory(self._path.parent)
        except OSError as error:
            raise _told(error) from error

    def discard(self) -> None:
        """Remove what was written, kept or not, or find it gone."""
        self._close()
        self._path.unlink(missing_ok=True)
        if self._kept:
            self._target.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _start_writeback(self) -> None:
        """Ask for the pages to be written and dropped; what is dirty yet stays in the cache."""
        length = self._written - self._flushed
        os.posix_fadvise(self._descriptor, self._flushed, length, os.POSIX_FADV_DONTNEED)
        self._flushed = self._written


class _Pieces:
    """Reads an open file, which may be unlinked meanwhile; closes it at the end."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        self._descriptor, self._at, self._left = descriptor, start, length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = b""
        if self._descriptor >= 0 and self._left > 0:
            piece = os.pread(self._descriptor, min(_PIECE, self._left), self._at)
        if not piece:
            self.close()
            raise StopIteration
        self._at += len(piece)
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def _told(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return TooLarge("Image storage media is full: There is not enough disk space.")
    return Unavailable(f"Image storage media cannot be written: {error.strerror}.")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _checked(name: str) -> str:
    """Let only ids become names of files."""
    if not _is_id(name):
        raise Invalid(f"'{name[:64]}' is not an id.")
    return name
