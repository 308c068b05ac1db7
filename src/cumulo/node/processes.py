"""Processes as /proc tells of them, and the notes by which they are found again.

A process id alone proves nothing, it may have been given again; with the start time and the
machine's boot id it names one process for ever.
"""

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

_MARK = "CUMULO_DAEMON"


class Process:
    """One process, held by a descriptor so that its id cannot be mistaken."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.is_over = False  # dead and reaped

    def __del__(self) -> None:
        if hasattr(self, "pidfd"):
            os.close(self.pidfd)

    def is_alive(self) -> bool:
        """Say whether it still runs; a zombie does not."""
        return not self.is_over and not self.wait(0)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when it still runs after that time."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def end(self, stop_signal: int, *, grace_s: float) -> None:
        """Ask it to stop, make it stop, and then whatever it left in its process group."""
        if not self.is_over:
            # Asked now: once it is dead, somebody may reap it.  Its number stays its group's while
            # anything is left in it.
            leads = self._leads_group()
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, stop_signal)
                if not self.wait(grace_s):
                    signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
                    self.wait(10)
            if leads:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
        self.reap()

    def _leads_group(self) -> bool:
        try:
            return os.getpgid(self.pid) == self.pid
        except ProcessLookupError:
            return False

    def reap(self) -> int | None:
        """Return the exit status of a dead child; None when it was somebody else's."""
        self.is_over = True
        with contextlib.suppress(ChildProcessError):
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, os.WNOHANG)[1])
        return None


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a daemon, enough to find and stop it without its definition."""

    pid: int
    start_ticks: int
    boot_id: str
    order: int  # nanoseconds since 1970: daemons stop in the reverse order of their starts
    stop_signal: int
    grace_s: float

    @classmethod
    def of(cls, pid: int, *, stop_signal: int, grace_s: float) -> "Note":
        """Describe a process that runs now."""
        return cls(
            pid=pid,
            start_ticks=_stat(pid).start_ticks,
            boot_id=_boot_id(),
            order=time.time_ns(),
            stop_signal=stop_signal,
            grace_s=grace_s,
        )

    @property
    def since(self) -> float:
        """Return when it was started, in seconds since 1970."""
        return self.order / 1e9

    def process(self) -> Process | None:
        """Return the noted process, if it is this very one and still runs."""
        if self.boot_id != _boot_id():
            return None
        try:
            process = Process(self.pid)
            same = _stat(self.pid).start_ticks == self.start_ticks
        except (ProcessLookupError, FileNotFoundError):
            return None
        return process if same and process.is_alive() else None


def write_note(run_dir: Path, name: str, note: Note) -> None:
    """Write a daemon's note in one piece."""
    path = run_dir / f"{name}.pid"
    draft = path.with_suffix(".pid.new")
    draft.write_bytes(msgspec.json.encode(note))
    draft.replace(path)


def remove_note(run_dir: Path, name: str) -> None:
    """Forget a daemon."""
    (run_dir / f"{name}.pid").unlink(missing_ok=True)


def notes(run_dir: Path) -> dict[str, Note]:
    """Return all notes of a run directory by the daemons' names."""
    found = {}
    for path in run_dir.glob("*.pid"):
        with contextlib.suppress(msgspec.MsgspecError, FileNotFoundError):
            found[path.stem] = msgspec.json.decode(path.read_bytes(), type=Note)
    return found


def find(run_dir: Path, name: str) -> Process | None:
    """Return a daemon's process: the noted one, or one that was killed off its note."""
    note = notes(run_dir).get(name)
    if note is not None and (process := note.process()) is not None:
        return process
    return next(iter(marked(run_dir, name)), None)


def mark(run_dir: Path, name: str) -> dict[str, str]:
    """Return the environment by which a daemon is known even when nothing was written down."""
    return {_MARK: f"{run_dir.resolve()}:{name}"}


def marked(run_dir: Path, name: str | None = None) -> list[Process]:
    """Return running processes with the mark of a daemon, or of any daemon of the directory."""
    start = f"{_MARK}={run_dir.resolve()}:".encode()
    found: list[tuple[int, Process]] = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            marks = [
                entry.removeprefix(start).decode()
                for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if entry.startswith(start)
            ]
            stat = _stat(pid)
            leads = stat.session == pid  # its helpers carry the mark too
            if marks and leads and (name is None or name == marks[0]):
                found.append((stat.start_ticks, Process(pid)))
    found.sort(key=lambda pair: pair[0])
    return [process for _, process in found if process.is_alive()]


def answers(path: Path) -> bool:
    """Say whether something accepts connections on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def has_dead_child() -> bool:
    """Say whether any child waits to be reaped."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def dead_children() -> Iterator[int]:
    """Return our children that wait to be reaped."""
    me = os.getpid()
    for pid in _pids():
        with contextlib.suppress(OSError):
            stat = _stat(pid)
            if stat.parent == me and stat.state == "Z":
                yield pid


def session_of(pid: int) -> int | None:
    """Return the session a process belongs to, dead or alive."""
    try:
        return _stat(pid).session
    except OSError:
        return None


class _Stat(msgspec.Struct, frozen=True):
    state: str
    parent: int
    session: int
    start_ticks: int


def _stat(pid: int) -> _Stat:
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    # The name in parentheses may itself hold spaces and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
