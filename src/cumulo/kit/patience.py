"""Whether a thread may wait, and how to read without: the loop of a port must not wait for a disk.

One that does not answer any more, as a broken one or one over a network may, would else stop all
that the loop serves, also what lies on other disks.  What may have to wait raises `WouldWait` in a
hurry, and is done again by a thread that has time.  Looking into a directory that is open, and
SQLite's reads of what it does not hold, are not held to this: nothing says beforehand that they
will wait.
"""

import contextlib
import ctypes
import errno
import functools
import os
import threading
from collections.abc import Iterator
from typing import Protocol

_OPENAT2 = 437  # on all of Linux's architectures
_AT_FDCWD = -100
_RESOLVE_CACHED = 0x20
_libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter, as it does not wait
_local = threading.local()


class WouldWait(BaseException):
    """It has to be waited for; not an error, so that nobody takes it for one of the disk's."""


class Lock(Protocol):
    """Any lock of a thread."""

    def acquire(self, blocking: bool = ...) -> bool: ...  # noqa: D102


class _How(ctypes.Structure):
    """`struct open_how` of linux/openat2.h."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_SIZE = ctypes.sizeof(_How)


@functools.cache
def _how(flags: int) -> _How:
    """Return how to open what is in memory; there are few kinds of flags."""
    return _How(flags, 0, _RESOLVE_CACHED)


@contextlib.contextmanager
def hurry() -> Iterator[None]:
    """Let this thread wait for nothing that can be told beforehand, until the end of the block."""
    _local.is_hurried = True
    try:
        yield
    finally:
        _local.is_hurried = False


def check() -> None:
    """Say that what comes now waits."""
    if is_hurried():
        raise WouldWait


def is_hurried() -> bool:
    """Say whether this thread must not wait."""
    return getattr(_local, "is_hurried", False)


def acquire(lock: Lock) -> None:
    """Take a lock that others may hold while they wait; it is released in the usual way."""
    if not lock.acquire(blocking=not is_hurried()):
        raise WouldWait


def open_to_read(path: str, flags: int = 0) -> int:
    """Open a file or directory; in a hurry only one that the system has in memory."""
    flags |= os.O_RDONLY | os.O_CLOEXEC
    if not is_hurried():
        return os.open(path, flags)
    how = ctypes.byref(_how(flags))
    file: int = _libc.syscall(_OPENAT2, _AT_FDCWD, os.fsencode(path), how, _SIZE)
    if file >= 0:
        return file
    number = ctypes.get_errno()
    if number in (errno.EAGAIN, errno.ENOSYS, errno.EINVAL, errno.EPERM):
        raise WouldWait  # not in memory, or a system that does not know the call
    raise OSError(number, os.strerror(number), path)


def read(file: int, size: int, at: int) -> bytes:
    """Read up to so many bytes of a file; in a hurry only what is in memory."""
    if not is_hurried():
        return os.pread(file, size, at)
    room = bytearray(max(0, min(size, os.fstat(file).st_size - at)))
    try:
        length = os.preadv(file, [room], at, os.RWF_NOWAIT) if room else 0
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
            raise WouldWait from error
        raise
    if length < len(room):
        raise WouldWait  # the rest is not in memory
    return bytes(room)
