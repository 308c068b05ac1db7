"""Daemons are started, adopted, restarted and stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cumulo.kit.errors import Unavailable
from cumulo.node import processes
from cumulo.node.supervise import Daemon, Supervisor
from tests.waiting import eventually

FOREVER = ["sleep", "1000"]
STUBBORN = [
    sys.executable,
    "-c",
    """if True:
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        while True: signal.pause()
    """,
]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "run", tmp_path / "log")
    yield supervisor
    supervisor.stop_all()
    supervisor.let_go()


def is_running(pid: int) -> bool:
    """A zombie does not run."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_daemon_starts_once(supervisor: Supervisor) -> None:
    pid = supervisor.ensure(Daemon(name="one", argv=FOREVER))
    assert supervisor.ensure(Daemon(name="one", argv=FOREVER)) == pid
    assert supervisor.alive()["one"].pid == pid
    assert os.getsid(pid) == pid
    assert os.getppid() != pid


def test_it_is_ready_when_it_says_so(supervisor: Supervisor, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    daemon = Daemon(name="one", argv=["sh", "-c", f"touch {flag}; sleep 1000"], ready=flag.exists)
    supervisor.ensure(daemon)
    assert flag.exists()


def test_a_stale_socket_is_not_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    path = tmp_path / "s"
    program = (
        "import socket, os, signal, sys; path = sys.argv[1]\n"
        "if os.path.exists(path): os.unlink(path)\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); signal.pause()"
    )
    daemon = Daemon(name="one", argv=[sys.executable, "-c", program, str(path)], ready=path)
    first = supervisor.ensure(daemon)
    supervisor.stop("one")
    assert path.exists()
    assert not processes.answers(path)
    assert supervisor.ensure(daemon) != first
    assert processes.answers(path)


def test_one_that_ends_at_once_tells_why(supervisor: Supervisor) -> None:
    daemon = Daemon(name="bad", argv=["sh", "-c", "echo no disk; exit 3"], ready=lambda: False)
    with pytest.raises(Unavailable, match="no disk"):
        supervisor.ensure(daemon)


def test_one_that_is_never_ready_is_given_up(supervisor: Supervisor) -> None:
    daemon = Daemon(name="slow", argv=FOREVER, ready=lambda: False, ready_timeout_s=0.05)
    with pytest.raises(Unavailable, match=r"not ready after 0\.05 s"):
        supervisor.ensure(daemon)


def test_a_missing_program_is_told(supervisor: Supervisor) -> None:
    with pytest.raises(Unavailable, match="no-such-program"):
        supervisor.ensure(Daemon(name="one", argv=["/no-such-program"]))


def test_one_that_dies_is_started_again(supervisor: Supervisor) -> None:
    prepared: list[int] = []
    daemon = Daemon(name="one", argv=FOREVER, prepare=lambda: prepared.append(1))
    first = supervisor.ensure(daemon)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervisor.alive().get("one") and supervisor.alive()["one"].pid != first)
    assert supervisor.alive()["one"].restarts == 1
    assert len(prepared) == 2


def test_a_stopped_one_stays_stopped(supervisor: Supervisor) -> None:
    pid = supervisor.ensure(Daemon(name="one", argv=FOREVER))
    supervisor.stop("one")
    supervisor.stop("one")
    assert not is_running(pid)
    assert supervisor.alive() == {}


def test_one_that_ignores_the_signal_is_killed(supervisor: Supervisor) -> None:
    said = supervisor.log_file("deaf")
    daemon = Daemon(
        name="deaf", argv=STUBBORN, ready=lambda: "deaf" in said.read_text(), grace_s=0.05
    )
    pid = supervisor.ensure(daemon)
    supervisor.stop("deaf")
    assert not is_running(pid)


def test_its_helpers_go_with_it(supervisor: Supervisor) -> None:
    said = supervisor.log_file("parent")
    argv = ["sh", "-c", "sleep 1000 & echo $!; wait"]
    supervisor.ensure(Daemon(name="parent", argv=argv, ready=lambda: said.read_text() != ""))
    helper = int(said.read_text())
    supervisor.stop("parent")
    eventually(lambda: not is_running(helper))


def test_a_killed_predecessors_daemon_is_adopted(supervisor: Supervisor, tmp_path: Path) -> None:
    pid = left_by_a_killed_one(tmp_path)
    assert supervisor.ensure(Daemon(name="one", argv=FOREVER)) == pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: (one := supervisor.alive().get("one")) and one.pid != pid)


def test_it_is_adopted_even_when_nothing_was_noted(supervisor: Supervisor, tmp_path: Path) -> None:
    pid = left_by_a_killed_one(tmp_path)
    processes.remove_note(supervisor.run_dir, "one")
    assert supervisor.ensure(Daemon(name="one", argv=FOREVER)) == pid


def test_another_process_with_the_noted_id_is_not_adopted(supervisor: Supervisor) -> None:
    note = processes.Note.of(os.getpid(), stop_signal=signal.SIGTERM, grace_s=1)
    supervisor.run_dir.mkdir()
    earlier = msgspec.structs.replace(note, start_ticks=note.start_ticks - 1)
    processes.write_note(supervisor.run_dir, "one", earlier)
    assert supervisor.alive() == {}
    assert supervisor.ensure(Daemon(name="one", argv=FOREVER)) != os.getpid()


def test_a_note_from_before_a_reboot_means_nothing(supervisor: Supervisor) -> None:
    note = processes.Note.of(os.getpid(), stop_signal=signal.SIGTERM, grace_s=1)
    supervisor.run_dir.mkdir()
    earlier = msgspec.structs.replace(note, boot_id="another")
    processes.write_note(supervisor.run_dir, "one", earlier)
    assert supervisor.alive() == {}


def test_all_stop_in_reverse_order(supervisor: Supervisor, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    for name in ("first", "second", "third"):
        said = supervisor.log_file(name)
        script = f"trap 'echo {name} >> {ends}; exit' TERM; echo on; while :; do sleep 0.02; done"
        ready = lambda said=said: said.read_text() != ""  # noqa: E731
        supervisor.ensure(Daemon(name=name, argv=["sh", "-c", script], ready=ready))
    supervisor.stop_all()
    assert ends.read_text().split() == ["third", "second", "first"]
    assert list(supervisor.run_dir.iterdir()) == []


def test_a_stranger_stops_what_was_left(tmp_path: Path) -> None:
    pid = left_by_a_killed_one(tmp_path)
    Supervisor(tmp_path / "run", tmp_path / "log").stop_all()
    assert not is_running(pid)


def test_what_was_left_without_a_note_is_stopped_too(tmp_path: Path) -> None:
    pid = left_by_a_killed_one(tmp_path)
    processes.remove_note(tmp_path / "run", "one")
    Supervisor(tmp_path / "run", tmp_path / "log").stop_all()
    assert not is_running(pid)


def test_letting_go_leaves_them_running(supervisor: Supervisor) -> None:
    pid = supervisor.ensure(Daemon(name="one", argv=FOREVER))
    supervisor.let_go()
    assert is_running(pid)
    assert supervisor.ensure(Daemon(name="one", argv=FOREVER)) == pid


def test_orphans_are_reaped_and_our_own_children_are_not(supervisor: Supervisor) -> None:
    said = supervisor.log_file("parent")
    orphan = "import os, signal; os.setsid(); print(os.getpid(), flush=True); signal.pause()"
    argv = ["sh", "-c", f'(exec "{sys.executable}" -c "{orphan}" &) ; exec sleep 1000']
    supervisor.ensure(Daemon(name="parent", argv=argv, ready=lambda: said.read_text() != ""))
    pid = int(said.read_text())
    own = subprocess.Popen(["sh", "-c", "exit 7"])
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert own.wait() == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_rights_are_dropped(supervisor: Supervisor) -> None:
    said = supervisor.log_file("user")
    argv = ["sh", "-c", "id -u; id -g; id -G; sleep 1000"]
    daemon = Daemon(
        name="user",
        argv=argv,
        user=65534,
        group=65534,
        ready=lambda: said.read_text().count("\n") == 3,
    )
    supervisor.ensure(daemon)
    assert said.read_text().split() == ["65534", "65534", "65534"]


def left_by_a_killed_one(tmp_path: Path) -> int:
    """Start a daemon from a process that is then killed; return the daemon's id."""
    program = (
        "import sys, signal; from pathlib import Path\n"
        "from cumulo.node.supervise import Daemon, Supervisor\n"
        "top = Path(sys.argv[1]); s = Supervisor(top / 'run', top / 'log')\n"
        "pid = s.ensure(Daemon(name='one', argv=['sleep', '1000']))\n"
        "print(pid, file=sys.stderr, flush=True); signal.pause()"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, env=env) as predecessor:
        assert predecessor.stderr is not None
        pid = int(predecessor.stderr.readline())
        predecessor.kill()
    return pid
