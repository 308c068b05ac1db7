"""A replica on its way in: a file in a directory of its device's until it gets its name."""

import contextlib
import os
from collections.abc import Callable
from functools import partial
from typing import Protocol

from cumulo.kit.ids import new_hex_id
from cumulo.services.objectstore.drivers import direct, journals
from cumulo.services.objectstore.drivers.base import DeviceFailed, Steps, Stored
from cumulo.services.objectstore.drivers.object_files import trailer, write_pieces
from cumulo.services.objectstore.drivers.object_names import name_of

_HELD = 256 << 10
_FLUSH_EVERY = 64 << 20


class Keeper(Protocol):
    """The device that gives a file its name."""

    name: str
    root: str

    def settle(self, file: int, give: Callable[[str], None], where: tuple[int, str, str]) -> Steps:
        """Have `give` name an open file that is written, both safely."""


class IncomingFile:
    """A replica on its way in; small ones are written in one call."""

    def __init__(self, device: Keeper) -> None:
        self._device = device
        self._path = f"{device.root}/incoming/{new_hex_id()}"
        self._held: list[bytes | memoryview] = []
        self._size = self._written = self._flushed = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise DeviceFailed(f"{device.name}: {error.strerror}") from error
        self._is_direct = direct.begin(self._file)

    def write(self, piece: bytes | memoryview) -> None:
        """Add bytes."""
        self._held.append(piece)
        self._size += len(piece)
        if self._size >= _HELD:
            self._flush()
        self._held = [bytes(one) for one in self._held]  # what is bytes already stays as it is

    def write_out(self) -> None:
        """Have the disk busy with what came."""
        self._flush()
        try:
            if journals.is_ordered(os.fstat(self._file).st_dev):
                journals.write_out(self._file)
        except OSError as error:
            raise DeviceFailed(f"{self._device.name}: {error.strerror}") from error

    def keep(self, part: int, key: str, stored: Stored) -> None:
        """Make it the object."""
        journals.alone(self.steps(part, key, stored))

    def steps(self, part: int, key: str, stored: Stored) -> Steps:
        """Do so in steps."""
        self._held.append(trailer(stored))
        self._size += len(self._held[-1])
        try:
            if self._is_direct:
                self._held, self._is_direct = direct.end(self._file, self._held), False
            self._flush()
            give = partial(os.rename, self._path)
            yield from self._device.settle(self._file, give, (part, key, name_of(stored)))
        except OSError as error:
            raise DeviceFailed(f"{self._device.name}: {error.strerror}") from error
        self._close()
        self._path = ""

    def discard(self) -> None:
        """Leave nothing behind."""
        self._close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _flush(self) -> None:
        try:
            if self._is_direct:
                self._held = direct.write(self._file, self._held)
            else:
                write_pieces(self._file, self._held)
                self._held = []
        except OSError as error:
            raise DeviceFailed(f"{self._device.name}: {error.strerror}") from error
        left = sum(map(len, self._held))
        self._written += self._size - left
        self._size = left
        if self._written - self._flushed >= _FLUSH_EVERY:
            # Have the disk work while bytes arrive, or the last fsync has to write them all.
            length = self._written - self._flushed
            os.posix_fadvise(self._file, self._flushed, length, os.POSIX_FADV_DONTNEED)
            self._flushed = self._written

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file, self._is_direct = -1, False
