"""What an fsync gives on the file system below a device.

Anywhere it gives a file's bytes and length, but not its name, which is on disk with its directory.
ext4 and xfs log all changes of names in one order, and an fsync of a file has the log on disk up to
the last change of that file, of which getting a name is one.  There, one fsync of a file that has
its name already does for the file, the name, and the directories that were made for it before.
It does as well for other files that were written out and named before it, of which `together`
makes use: each `fsync` is a commit of the log, which takes longer than all else that a small write
does.

Others' fsyncs write the same log, so the name may be on disk before that.  Hence the bytes are
written before the file is named: what is found under a name after a power cut is whole.
"""

import ctypes
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from cumulo.kit import clock
from cumulo.services.objectstore.drivers.base import DeviceFailed, Steps

_ORDERED = ("ext4", "xfs")
_MOUNTS = "/proc/self/mountinfo"
_KNOWN_S = 10.0  # no disk is taken out, made anew and mounted in less
_ALL = 7  # SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER
_sync_file_range = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


class _Types:
    """The types of mounted file systems by the numbers of their devices, looked up now and then."""

    def __init__(self) -> None:
        self._known: tuple[float, dict[int, str]] = (0.0, {})

    def of(self, number: int) -> str:
        """Return a type, or nothing where it is not known."""
        until, types = self._known
        if clock.monotonic() >= until:
            types = _mounted()
            self._known = (clock.monotonic() + _KNOWN_S, types)
        return types.get(number, "")


_TYPES = _Types()


def is_ordered(disk: int) -> bool:
    """Say whether one fsync does for files of that device number that get their names before."""
    return _sync_file_range is not None and _TYPES.of(disk) in _ORDERED


def write_out(file: int) -> None:
    """Have the bytes of a file written, so that they are on disk before any later change is."""
    assert _sync_file_range is not None, "is_ordered says no otherwise"
    if _sync_file_range(file, 0, 0, _ALL):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def together(steps: Mapping[str, Steps]) -> dict[str, DeviceFailed]:
    """Carry out writes, all that share a log with one sync of it; return what failed and why."""
    failed, left, named = dict[str, DeviceFailed](), dict(steps), dict[int, list[str]]()

    def step(name: str, advance: Callable[[], int]) -> int | None:
        try:
            return advance()
        except StopIteration:
            del left[name]
        except DeviceFailed as error:
            failed[name] = error
            del left[name]
        return None

    for name, one in steps.items():
        disk = step(name, one.__next__)
        if disk is not None:
            named.setdefault(disk, []).append(name)
    for names in named.values():
        *others, last = names
        step(last, partial(left[last].send, True))
        for name in others:
            one = left[name]
            step(name, partial(one.throw, failed[last]) if last in failed else one.__next__)
    return failed


def alone(steps: Steps) -> None:
    """Carry out one write."""
    for error in together({"": steps}).values():
        raise error


def _mounted() -> dict[int, str]:
    found: dict[int, str] = {}
    try:
        lines = Path(_MOUNTS).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return found
    for line in lines:
        fields, _, rest = line.partition(" - ")
        major, _, minor = fields.split()[2].partition(":")
        found[os.makedev(int(major), int(minor))] = rest.split()[0]
    return found
