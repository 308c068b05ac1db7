"""The daemons that Cumulo starts, kept alive as its children.

A daemon runs in the foreground in a session of its own and outlives a killed Cumulo; whoever
comes next adopts it by its note: a file in the run directory with the process id and start time.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from cumulo.kit.errors import Unavailable
from cumulo.node import processes
from cumulo.node.processes import Note, Process

_PR_SET_CHILD_SUBREAPER = 36
_LOG_LIMIT = 16 * 1024 * 1024
_POLL_S = 0.02
_TICK_S = 0.25  # how late an orphan is reaped; a daemon's own death wakes the watcher at once
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
_STEADY_S = 60.0  # a daemon that ran this long starts again without delay
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A program to keep running; `argv` must stay in the foreground."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    ready: Callable[[], bool] | Path | None = None  # a question, or a socket that must answer
    ready_timeout_s: float = 30.0
    prepare: Callable[[], object] | None = None  # runs before each start, so also after a crash
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0  # from the stop signal to SIGKILL
    user: int | str | None = None
    group: int | str | None = None


@dataclass(frozen=True)
class Alive:
    """What can be said of a daemon that runs."""

    name: str
    pid: int
    since: float  # seconds since 1970
    restarts: int = 0


class _Kept:
    """A daemon with the process that runs it now."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.lock = threading.RLock()
        self.process: Process | None = None
        self.wanted = True
        self.restarts = 0
        self.pause_s = _FIRST_PAUSE_S
        self.due = 0.0  # when to start it again, on the monotonic clock
        self.began = 0.0


class Supervisor:
    """Starts daemons, restarts those that die, stops them in reverse order.

    In a process that has one, other code starts programs without a session of their own: a
    dead child in a foreign session is taken for a daemon's orphan and reaped.
    """

    def __init__(self, run_dir: Path, log_dir: Path) -> None:
        self.run_dir, self.log_dir = run_dir, log_dir
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._closing = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ensure(self, daemon: Daemon) -> int:
        """Return the process id of the running and ready daemon; start or adopt it if need be."""
        kept = self._keep(daemon)
        with kept.lock:
            if not self._is_running(kept):
                kept.process = processes.find(self.run_dir, daemon.name)
                if kept.process is None:
                    self._start(kept)
                else:
                    kept.began = time.monotonic()
                    log.info("daemon adopted", name=daemon.name, pid=kept.process.pid)
            assert kept.process is not None
            self._wake()
            self._await_ready(daemon, kept.process)
            return kept.process.pid

    def stop(self, name: str) -> None:
        """Stop a daemon, also one that a predecessor left; an unknown one is stopped already."""
        with self._lock:
            kept = self._kept.pop(name, None)
        if kept is None:
            self._end(name, processes.find(self.run_dir, name))
            return
        kept.wanted = False
        with kept.lock:
            self._end(name, kept.process)

    def stop_all(self) -> None:
        """Stop every daemon noted in the run directory, the last started first."""
        notes = processes.notes(self.run_dir)
        for name in sorted(notes, key=lambda name: notes[name].order, reverse=True):
            self.stop(name)
        for process in processes.marked(self.run_dir):  # killed before it could be noted
            process.end(signal.SIGTERM, grace_s=2.0)

    def let_go(self) -> None:
        """Stop watching and leave the daemons running, for a successor to adopt."""
        self._closing = True
        self._wake()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        with self._lock:
            self._kept.clear()

    def alive(self) -> dict[str, Alive]:
        """Return the running daemons of the run directory, whoever started them."""
        found = {}
        for name, note in processes.notes(self.run_dir).items():
            if note.process() is not None:
                restarts = self._kept[name].restarts if name in self._kept else 0
                found[name] = Alive(name, note.pid, note.since, restarts)
        return found

    def log_file(self, name: str) -> Path:
        """Return where a daemon's output goes."""
        return self.log_dir / f"{name}.log"

    def _keep(self, daemon: Daemon) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(daemon.name, _Kept(daemon))
            kept.daemon = daemon
            if self._watcher is None:
                _adopt_orphans()
                self._closing = False
                self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
                self._watcher.start()
            return kept

    def _is_running(self, kept: _Kept) -> bool:
        return kept.process is not None and kept.process.is_alive()

    def _start(self, kept: _Kept) -> None:
        daemon = kept.daemon
        if daemon.prepare is not None:
            daemon.prepare()
        pid = self._spawn(daemon)
        note = Note.of(pid, stop_signal=daemon.stop_signal, grace_s=daemon.grace_s)
        processes.write_note(self.run_dir, daemon.name, note)
        kept.process = Process(pid)
        kept.began = time.monotonic()
        log.info("daemon started", name=daemon.name, pid=pid)

    def _spawn(self, daemon: Daemon) -> int:
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir.mkdir(parents=True, exist_ok=True)
        path = self.log_file(daemon.name)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        try:
            with path.open("ab") as output:
                popen = subprocess.Popen(
                    list(daemon.argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=daemon.cwd or "/",
                    env=inherited | processes.mark(self.run_dir, daemon.name) | dict(daemon.env),
                    start_new_session=True,
                    user=daemon.user,
                    group=daemon.group,
                    extra_groups=None if daemon.user is None else [],
                )
                popen.returncode = 0  # disowned: it is waited for by its id, or by a successor
                return popen.pid
        except OSError as error:
            raise Unavailable(f"{daemon.name} could not be started: {error}") from error

    def _await_ready(self, daemon: Daemon, process: Process) -> None:
        until = time.monotonic() + daemon.ready_timeout_s
        while not _is_ready(daemon):
            if not process.is_alive():
                raise Unavailable(f"{daemon.name} ended before it was ready. {self._tail(daemon)}")
            if time.monotonic() > until:
                limit = f"{daemon.ready_timeout_s:g} s"
                raise Unavailable(f"{daemon.name} is not ready after {limit}. {self._tail(daemon)}")
            time.sleep(_POLL_S)

    def _tail(self, daemon: Daemon) -> str:
        path = self.log_file(daemon.name)
        with contextlib.suppress(OSError):
            lines = path.read_text(errors="replace").splitlines()[-5:]
            return f"The end of {path}: " + " | ".join(lines)
        return ""

    def _end(self, name: str, process: Process | None) -> None:
        note = processes.notes(self.run_dir).get(name)
        if process is not None:
            how = (note.stop_signal, note.grace_s) if note else (signal.SIGTERM, 2.0)
            process.end(how[0], grace_s=how[1])
            log.info("daemon stopped", name=name, pid=process.pid)
        processes.remove_note(self.run_dir, name)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def _watch(self) -> None:
        while not self._closing:
            self._wait_for_news()
            with self._lock:
                all_kept = list(self._kept.values())
            mine = {kept.process.pid for kept in all_kept if kept.process is not None}
            _reap_orphans(mine)
            for kept in all_kept:
                if kept.lock.acquire(blocking=False):
                    try:
                        self._tend(kept)
                    finally:
                        kept.lock.release()

    def _wait_for_news(self) -> None:
        """Wait until a daemon dies, something changed here, or a moment has passed."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        with self._lock:
            alive = [k.process for k in self._kept.values() if k.process and not k.process.is_over]
        for process in alive:
            poll.register(process.pidfd, select.POLLIN)
        poll.poll(_TICK_S * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _tend(self, kept: _Kept) -> None:
        """Note a death, and start again what is due."""
        process = kept.process
        if not kept.wanted or process is None or process.is_alive():
            return
        now = time.monotonic()
        if not process.is_over:
            status = process.reap()
            if now - kept.began > _STEADY_S:
                kept.pause_s = _FIRST_PAUSE_S
            kept.due = now + kept.pause_s
            kept.pause_s = min(kept.pause_s * 2, _LONGEST_PAUSE_S)
            log.warning("daemon died", name=kept.daemon.name, pid=process.pid, status=status)
        if now >= kept.due:
            kept.restarts += 1
            try:
                self._start(kept)
            except Exception as error:
                kept.due = now + kept.pause_s
                kept.pause_s = min(kept.pause_s * 2, _LONGEST_PAUSE_S)
                log.exception("daemon not restarted", name=kept.daemon.name, error=str(error))


def _is_ready(daemon: Daemon) -> bool:
    if daemon.ready is None:
        return True
    if isinstance(daemon.ready, Path):
        return processes.answers(daemon.ready)
    return daemon.ready()


def _adopt_orphans() -> None:
    """Become the parent of our daemons' orphans: not every init reaps them soon."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans(mine: set[int]) -> None:
    if not processes.has_dead_child():
        return
    session = os.getsid(0)
    for pid in processes.dead_children():
        if pid not in mine and processes.session_of(pid) not in (None, session):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
