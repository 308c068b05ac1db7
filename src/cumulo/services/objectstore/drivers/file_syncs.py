"""Syncs of several files at once: the system carries them out beside each other.

A disk takes what is new of many files in the time that it takes that of a few, and is told but once
to make all durable that came meanwhile.  Threads could wait for each, but to wake one costs more
than to write a small file.  Linux has one call submit them all (`io_submit(2)`, reached through
libaio), and one wait for all.  Without it they are carried out one after another.
"""

import contextlib
import ctypes
import errno
import functools
import os
from collections import deque
from collections.abc import Sequence

_FSYNC = 2  # IO_CMD_FSYNC of libaio.h
_MOST = 64  # at once
_LIBRARIES = ("libaio.so.1", "libaio.so.1t64")


class _Command(ctypes.Structure):
    """`struct iocb` of libaio.h, of which a sync needs the beginning."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("opcode", ctypes.c_int16),
        ("priority", ctypes.c_int16),
        ("file", ctypes.c_int32),
        ("rest", ctypes.c_uint64 * 5),
    )


class _Event(ctypes.Structure):
    """`struct io_event` of libaio.h."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("command", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("more", ctypes.c_int64),
    )


class FileSyncs:
    """Syncs files; each call takes one of the contexts that the system keeps for a process."""

    def __init__(self) -> None:
        self._free = deque[ctypes.c_void_p]()

    def sync(self, files: Sequence[int]) -> dict[int, OSError]:
        """Have open files on disk; return those that are not, and why."""
        library = _library() if len(files) > 1 else None
        context = self._context(library) if library else None
        if library is None or context is None:
            return _in_turn(files)
        failed = dict[int, OSError]()
        for start in range(0, len(files), _MOST):
            failed |= _together(library, context, files[start : start + _MOST])
        self._free.append(context)
        return failed

    def _context(self, library: ctypes.CDLL) -> ctypes.c_void_p | None:
        """Return a context that nobody uses, or None where the system has no more."""
        with contextlib.suppress(IndexError):
            return self._free.pop()
        context = ctypes.c_void_p(0)
        return context if library.io_setup(_MOST, ctypes.byref(context)) == 0 else None


def _in_turn(files: Sequence[int]) -> dict[int, OSError]:
    failed = dict[int, OSError]()
    for file in files:
        try:
            os.fsync(file)
        except OSError as error:
            failed[file] = error
    return failed


def _together(
    library: ctypes.CDLL, context: ctypes.c_void_p, files: Sequence[int]
) -> dict[int, OSError]:
    """Raises `OSError` when the context is of no use any more."""
    count = len(files)
    commands, events = (_Command * count)(), (_Event * count)()
    pointers = (ctypes.POINTER(_Command) * count)()
    for number, file in enumerate(files):
        commands[number].opcode, commands[number].file = _FSYNC, file
        commands[number].data = number
        pointers[number] = ctypes.pointer(commands[number])
    begun = max(0, library.io_submit(context, count, pointers))
    results = dict[int, int]()
    while left := begun - len(results):
        found = library.io_getevents(context, left, left, events, None)
        if found < 0 and found != -errno.EINTR:
            raise OSError(-found, os.strerror(-found))
        for event in events[: max(0, found)]:
            results[event.data] = event.result
    failed = {
        files[number]: OSError(-result, os.strerror(-result))
        for number, result in results.items()
        if result < 0
    }
    return failed | _in_turn(files[begun:])  # a system that does not know of such syncs began none


@functools.cache
def _library() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    return None
