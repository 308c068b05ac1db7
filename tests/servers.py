"""Real database servers for tests: their own directories, sockets and processes, without root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import eventually

_POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class NotInstalled(Exception):
    """The machine lacks the server."""


@contextmanager
def mariadb() -> Iterator[str]:
    """Run MariaDB and yield the URL of an empty database."""
    if not (server := shutil.which("mariadbd")):
        raise NotInstalled("apt install mariadb-server-core mariadb-client-core")
    with _place("nobody") as (place, user):
        data, socket = place / "data", place / "s"
        plain = ["--no-defaults", f"--datadir={data}", f"--tmpdir={place}"]
        install = ["mariadb-install-db", *plain, "--auth-root-authentication-method=normal"]
        _run([*install, "--skip-test-db"], user, place)
        small = ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        argv = [server, *plain, f"--socket={socket}", "--skip-networking", *small]
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e"]
        with _running(argv, user, place, lambda: _answers([*client, "select 1"])):
            _run([*client, "create database cumulo character set utf8mb4"], None, place)
            yield f"mysql+pymysql://root@localhost/cumulo?unix_socket={socket}&charset=utf8mb4"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL and yield the URL of an empty database."""
    if not _POSTGRESQL:
        raise NotInstalled("apt install postgresql")
    with _place("nobody") as (place, user):
        programs, data = _POSTGRESQL[-1], place / "data"
        init = [f"{programs}/initdb", "-D", f"{data}", "-U", "cumulo", "-E", "UTF8", "--no-sync"]
        _run([*init, "--locale=C.UTF-8", "--auth=trust"], user, place)
        argv = [f"{programs}/postgres", "-D", f"{data}", "-k", f"{place}", "-h", "", "-F"]
        asked = [f"{programs}/psql", "-h", f"{place}", "-U", "cumulo", "postgres", "-c"]
        with _running(argv, user, place, lambda: _answers([*asked, "select 1"])):
            _run([*asked, "create database cumulo"], None, place)
            yield f"postgresql+psycopg://cumulo@/cumulo?host={place}"


SERVERS = {"mariadb": mariadb, "postgresql": postgresql}


@contextmanager
def _place(account: str) -> Iterator[tuple[Path, str | None]]:
    """Yield a directory with a short name and, for root, the account to run as."""
    place = Path(tempfile.mkdtemp(prefix="cumulo-db-"))
    user = account if os.geteuid() == 0 else None
    if user:
        owner = pwd.getpwnam(user)
        os.chown(place, owner.pw_uid, owner.pw_gid)
        place.chmod(0o755)
    try:
        yield place, user
    finally:
        shutil.rmtree(place)


def _run(argv: list[str], user: str | None, place: Path) -> None:
    done = subprocess.run(
        argv,
        user=user,
        cwd=place,
        capture_output=True,
        check=False,
        extra_groups=[] if user else None,
    )
    assert done.returncode == 0, f"{argv[0]}: {done.stdout.decode()} {done.stderr.decode()}"


def _groups(user: str | None) -> list[str] | None:
    return [] if user else None


def _answers(argv: list[str]) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@contextmanager
def _running(
    argv: list[str], user: str | None, place: Path, ready: Callable[[], bool]
) -> Iterator[None]:
    log = place / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            argv, user=user, extra_groups=_groups(user), cwd=place, stdout=out, stderr=out
        )
    try:
        eventually(lambda: server.poll() is not None or ready())
        assert server.poll() is None, log.read_text()
        yield
    finally:
        server.terminate()
        server.wait()
