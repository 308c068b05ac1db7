"""What an fsync gives on the file system below a device.

Anywhere it gives a file's bytes and length, but not its name, which is on disk with its directory.
ext4 and xfs log all changes of names in one order, and an fsync of a file has the log on disk up to
the last change of that file, of which getting a name is one.  There, one fsync of a file that has
its name already does for the file, the name, and the directories that were made for it before.
It does as well for other files that were written out and named before it, of which `together`
makes use: each `fsync` is a commit of the log, which takes longer than all else that a small write
does.  An ext4 may have been made without a journal, as for some virtual machines: there an fsync
has a new name of its file on disk as well, and the new directories above, but no other file.

Others' fsyncs write the same log, so the name may be on disk before that.  Hence the bytes are
written before the file is named: what is found under a name after a power cut is whole.
"""

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from cumulo.kit import clock
from cumulo.services.objectstore.drivers.base import DeviceFailed, Steps
from cumulo.services.objectstore.drivers.file_syncs import FileSyncs

K = TypeVar("K", bound=Hashable)
_ORDERED = ("ext4", "xfs")
_PLAIN = "ext4 without a journal"
_MOUNTS = "/proc/self/mountinfo"
_SYSTEM = "/sys"
_KNOWN_S = 10.0  # no disk is taken out, made anew and mounted in less
_AT_ONCE = 256 << 10
_BEGIN = 2  # SYNC_FILE_RANGE_WRITE
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
_SYNCS = FileSyncs()


def is_ordered(disk: int) -> bool:
    """Say whether one fsync does for a file of that device number that got its name before."""
    return _sync_file_range is not None and _TYPES.of(disk) in (*_ORDERED, _PLAIN)


def is_logged(disk: int) -> bool:
    """Say whether it does for other files, too, that got their names before."""
    return is_ordered(disk) and _TYPES.of(disk) != _PLAIN


def begin_to_write(file: int) -> None:
    """Have the disk begin with the last bytes of a file; of many at once it would take its time.

    That it cannot is told when it has to.
    """
    with contextlib.suppress(OSError):
        _write(file, max(0, os.fstat(file).st_size - _AT_ONCE), _BEGIN)


def write_out(file: int) -> None:
    """Have the bytes of a file written, so that they are on disk before any later change is."""
    _write(file, 0, _ALL)


def together(steps: Mapping[K, Steps]) -> dict[K, DeviceFailed]:
    """Carry out writes, with one sync for each log, else each file; return what failed and why."""
    failed, left = dict[K, DeviceFailed](), dict(steps)

    def step(advance: Callable[[K], tuple[int, int]]) -> dict[K, tuple[int, int]]:
        found = dict[K, tuple[int, int]]()
        for name in list(left):
            try:
                found[name] = advance(name)
            except StopIteration:
                del left[name]
            except DeviceFailed as error:
                failed[name] = error
                del left[name]
        return found

    written = step(lambda name: next(left[name]))
    if len(written) > 1:
        for _, file in written.values():
            begin_to_write(file)
    named = step(lambda name: next(left[name]))
    last = dict(named.values())  # of the files of each disk
    does_for = {
        name: last[disk] if is_logged(disk) else file for name, (disk, file) in named.items()
    }
    problems = _SYNCS.sync(list(dict.fromkeys(does_for.values())))

    def end(name: K) -> tuple[int, int]:
        problem = problems.get(does_for[name])
        return next(left[name]) if problem is None else left[name].throw(problem)

    step(end)
    return failed


def alone(steps: Steps) -> None:
    """Carry out one write."""
    for error in together({"": steps}).values():
        raise error


class _Write:
    """What one thread wants written, as its thread and the one that carries it out see it."""

    def __init__(self, steps: Mapping[str, Steps]) -> None:
        self.steps = steps
        self.failed: dict[str, DeviceFailed] | None = None  # nothing is said before it is done
        self.batch: Sequence[_Write] = ()  # what its thread is to carry out, if it is that one
        self.goes_on = threading.Semaphore(0)  # what its thread waits for


class GroupCommits:
    """Carries out the writes of many threads: those that wait for one disk, in one go.

    The first thread carries out its own.  Others leave theirs here meanwhile, and once it is done
    one of their threads carries out all that were left, while the rest sleep: at each system call
    of a thread any other that is awake would take the interpreter from it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[_Write]] = {}  # by the disks at which a thread is busy

    def carry_out(self, disk: str, steps: Mapping[str, Steps]) -> dict[str, DeviceFailed]:
        """Carry out writes to a disk; return what failed and why."""
        mine = _Write(steps)
        with self._lock:
            others = self._waiting.get(disk)
            if others is None:
                self._waiting[disk], mine.batch = [], [mine]
            else:
                others.append(mine)
        if others is not None:
            mine.goes_on.acquire()
        if mine.batch:
            self._carry_out(disk, mine.batch)
        if mine.failed is None:
            raise DeviceFailed("the thread that was to write it broke down")
        return mine.failed

    def waiting(self, disk: str) -> int:
        """Return how many threads have left writes for the next one."""
        with self._lock:
            return len(self._waiting.get(disk, ()))

    def _carry_out(self, disk: str, batch: Sequence[_Write]) -> None:
        try:
            failed = together(
                {(one, name): steps for one in batch for name, steps in one.steps.items()}
            )
            for one in batch:
                one.failed = {name: error for (of, name), error in failed.items() if of is one}
        finally:
            self._hand_on(disk)
            for one in batch[1:]:
                one.goes_on.release()

    def _hand_on(self, disk: str) -> None:
        """Have the next thread carry out what waits."""
        with self._lock:
            waiting = self._waiting.pop(disk)
            if waiting:
                self._waiting[disk] = []
        if waiting:
            waiting[0].batch = waiting
            waiting[0].goes_on.release()


def _write(file: int, start: int, flags: int) -> None:
    assert _sync_file_range is not None, "is_ordered says no otherwise"
    if _sync_file_range(file, start, 0, flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mounted() -> dict[int, str]:
    found: dict[int, str] = {}
    try:
        lines = Path(_MOUNTS).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return found
    for line in lines:
        fields, _, rest = line.partition(" - ")
        number, kind = fields.split()[2], rest.split()[0]
        major, _, minor = number.partition(":")
        is_plain = kind == "ext4" and not _has_journal(number)
        found[os.makedev(int(major), int(minor))] = _PLAIN if is_plain else kind
    return found


def _has_journal(number: str) -> bool:
    """Say whether the ext4 on a device has a journal; no, where the system does not tell."""
    try:
        name = os.path.basename(os.readlink(f"{_SYSTEM}/dev/block/{number}"))
        return Path(_SYSTEM, "fs/ext4", name, "journal_task").read_text().strip() != "<none>"
    except OSError:
        return False
