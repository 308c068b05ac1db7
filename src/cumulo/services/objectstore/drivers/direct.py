"""Writes that go to the disk from here, past the system's memory for files.

To copy the bytes of a large object there, once for each replica, costs more than all else that is
done for it, and in the end they lie on the disk anyway.  Here they are copied once, for all devices
of this machine.  Who reads the object first has the system read it from a disk, and keep it.
"""

import ctypes
import fcntl
import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_BLOCK = 4096  # what disks want addresses in memory and in a file to be multiples of
_SIZE = 1 << 20
_HUGE = 2 << 20  # bytes of a large page
_COUNT = 4  # buffers, in large pages
_PATIENCE_S = 0.1  # no disk that is well has all buffers wait for so long


class _Buffers:
    """Memory at addresses that disks can take bytes from: parts of large pages.

    A virtual disk is told of each piece of memory by itself, and took a quarter of the time for a
    MiB in one piece that it took for one in 256 small pages.
    """

    def __init__(self) -> None:
        self._free = list[memoryview]()
        self._count = threading.Semaphore(_COUNT)
        self._lock = threading.Lock()
        self._made = False

    @contextmanager
    def lent(self) -> Iterator[memoryview]:
        """Lend a buffer to one thread; one of its own where disks do not give them back."""
        if not self._count.acquire(timeout=_PATIENCE_S):
            with memoryview(mmap.mmap(-1, _SIZE)) as own:
                yield own
            return
        with self._lock:
            if not self._made:
                self._free, self._made = _large(_COUNT), True
            buffer = self._free.pop()
        try:
            yield buffer
        finally:
            self._free.append(buffer)
            self._count.release()


def _large(count: int) -> list[memoryview]:
    """Return buffers in large pages, where the system has such; those last in the list first."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, count * _SIZE + _HUGE, flags=flags)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a system without large pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % _HUGE
    whole = memoryview(memory)
    return [whole[start + at * _SIZE :][:_SIZE] for at in reversed(range(count))]


_BUFFERS = _Buffers()


def begin(file: int) -> bool:
    """Have an open file written to directly; say whether its file system knows how to."""
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_DIRECT)
    except OSError:
        return False
    return True


@contextmanager
def lent(piece: bytes) -> Iterator[bytes | memoryview]:
    """Lend a piece where disks can take it from, if it is large but not too large for that."""
    if not _BLOCK <= len(piece) <= _SIZE:
        yield piece
        return
    with _BUFFERS.lent() as buffer:
        buffer[: len(piece)] = piece
        yield buffer[: len(piece)]


def write(file: int, pieces: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """Write as many whole blocks as there are; return what is left."""
    left = sum(map(len, pieces))
    rest = [memoryview(piece) for piece in pieces]
    if len(rest) == 1 and _is_lent(rest[0]):
        size = left & -_BLOCK
        _write_all(file, rest[0], size)
        return [rest[0][size:]]
    with _BUFFERS.lent() as buffer:
        while left >= _BLOCK:
            size = min(left, _SIZE) & -_BLOCK
            _fill(buffer, rest, size)
            _write_all(file, buffer, size)
            left -= size
    return list(rest)


def end(file: int, pieces: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """Write whole blocks, and let the file be written to as others are; return what is left."""
    left = write(file, pieces)
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) & ~os.O_DIRECT)
    return left


def _is_lent(piece: memoryview) -> bool:
    """Say whether a disk can take a piece from where it is."""
    return not piece.readonly and ctypes.addressof(ctypes.c_char.from_buffer(piece)) % _BLOCK == 0


def _fill(buffer: memoryview, rest: list[memoryview], size: int) -> None:
    """Move bytes from the beginning of pieces into a buffer."""
    at = 0
    while at < size:
        part = rest[0][: size - at]
        buffer[at : at + len(part)] = part
        at += len(part)
        rest[0] = rest[0][len(part) :]
        if not rest[0]:
            del rest[0]


def _write_all(file: int, buffer: memoryview, size: int) -> None:
    done = 0
    while done < size:
        done += os.write(file, buffer[done:size])
