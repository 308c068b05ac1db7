"""An object's file: its bytes, then what is known of them, then a checksummed trailer."""

import os
import struct
from collections.abc import Sequence

import msgspec

from cumulo.kit import patience
from cumulo.kit.checksums import crc32
from cumulo.services.objectstore.drivers.base import DeviceFailed, NotWhole, Stored, checked_block

_MAGIC = b"cumulo01"
_TRAILER = struct.Struct(">8sII")  # magic, length of what is known, its checksum
_TAIL = 4096
_JOINED = 64 << 10  # bytes that are copied for less than a call to write them costs
_SMALL = 16 << 10  # bytes of a file that are read for less than another call costs


class OpenedFile:
    """An object's file, which may be deleted meanwhile; a small one is read at once."""

    def __init__(self, place: str, name: str, meta: str) -> None:
        """Open a file by its name, with the headers of `meta` where those came later."""
        self._file = -1
        self._file = patience.open_to_read(f"{place}/{name}")
        try:
            begin = patience.read(self._file, _SMALL, 0)
            self._whole = begin if len(begin) < _SMALL else None
            self.stored = _replaced(_known(self._file, self._whole), place, meta)
        except BaseException:
            self.close()
            raise

    def block(self, number: int) -> bytes:
        """Return a block whose checksum is right."""
        start = number * self.stored.step
        wanted = min(self.stored.step, self.stored.length - start)
        if self._whole is not None:
            return checked_block(self.stored, number, self._whole[start : start + wanted])
        try:
            piece = patience.read(self._file, wanted, start)
        except OSError as error:
            raise DeviceFailed(str(error.strerror)) from error
        return checked_block(self.stored, number, piece)

    def read(self) -> Stored:
        """Read all of it for its checksums' sake."""
        for number in range(self.stored.block_count):
            self.block(number)
        return self.stored

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


def trailer(stored: Stored) -> bytes:
    """Return what stands behind an object's bytes."""
    known = msgspec.msgpack.encode(stored)
    return known + _TRAILER.pack(_MAGIC, len(known), crc32(known))


def _known(file: int, whole: bytes | None) -> Stored:
    """Read what stands behind the bytes of a file, of which all may have been read."""
    size = os.fstat(file).st_size if whole is None else len(whole)
    tail = patience.read(file, _TAIL, max(0, size - _TAIL)) if whole is None else whole
    try:
        magic, length, check = _TRAILER.unpack(tail[-_TRAILER.size :])
        start = size - _TRAILER.size - length
        inside = tail[-_TRAILER.size - length : -_TRAILER.size]
        known = (
            inside if length + _TRAILER.size <= len(tail) else patience.read(file, length, start)
        )
        if magic != _MAGIC or crc32(known) != check:
            raise NotWhole("the trailer is not what was written")
        stored = msgspec.msgpack.decode(known, type=Stored)
    except (struct.error, OSError, msgspec.DecodeError) as error:
        raise NotWhole(f"the file is not whole: {error}") from error
    if stored.length != start:
        raise NotWhole("the file has not the length that was written")
    return stored


def _replaced(stored: Stored, place: str, meta: str) -> Stored:
    """Return what is known with the headers that came later."""
    if meta <= stored.stamp:
        return stored
    patience.check()
    try:
        with open(f"{place}/{meta}.meta", "rb") as file:
            headers = msgspec.msgpack.decode(file.read(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise NotWhole(f"the headers are not whole: {error}") from error
    content_type = headers.pop("Content-Type", stored.content_type)
    return msgspec.structs.replace(stored, headers=headers, content_type=content_type, posted=meta)


def write_file(path: str, content: bytes) -> None:
    """Write a small file, safely on disk."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_pieces(file: int, pieces: Sequence[bytes | memoryview]) -> None:
    """Write pieces to an open file, small ones in one call."""
    if sum(map(len, pieces)) <= _JOINED:
        pieces = [b"".join(pieces)]
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(file, rest) :]


def sync_directory(directory: str) -> None:
    """Have the names in a directory on disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
