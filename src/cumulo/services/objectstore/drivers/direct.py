"""Writes that go to the disk from here, past the system's memory for files.

Of an object's replicas one is read, as long as it is whole: the others' bytes need not stay in
memory.  To copy them there costs more than all else that is done for a large object.
"""

import fcntl
import mmap
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_BLOCK = 4096  # what disks want addresses in memory and in a file to be multiples of
_SIZE = 1 << 20
_KEPT = 2  # buffers that wait for their next use


class _Buffers:
    """Memory at addresses that disks can take bytes from."""

    def __init__(self) -> None:
        self._free = deque[mmap.mmap](maxlen=_KEPT)

    @contextmanager
    def lent(self) -> Iterator[mmap.mmap]:
        """Lend a buffer to one thread."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = mmap.mmap(-1, _SIZE)
        try:
            yield buffer
        finally:
            self._free.append(buffer)


_BUFFERS = _Buffers()


def begin(file: int) -> bool:
    """Have an open file written to directly; say whether its file system knows how to."""
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_DIRECT)
    except OSError:
        return False
    return True


def write(file: int, pieces: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """Write as many whole blocks as there are; return what is left."""
    left = sum(map(len, pieces))
    rest = [memoryview(piece) for piece in pieces]
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


def _fill(buffer: mmap.mmap, rest: list[memoryview], size: int) -> None:
    """Move bytes from the beginning of pieces into a buffer."""
    at = 0
    while at < size:
        part = rest[0][: size - at]
        buffer[at : at + len(part)] = part
        at += len(part)
        rest[0] = rest[0][len(part) :]
        if not rest[0]:
            del rest[0]


def _write_all(file: int, buffer: mmap.mmap, size: int) -> None:
    done = 0
    with memoryview(buffer) as view:
        while done < size:
            done += os.write(file, view[done:size])
