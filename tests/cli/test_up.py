"""What a user meets who starts and stops clouds in every wrong way: a sentence, and a status."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.walks.clouds import CommandCloud, write_ports

pytestmark = [pytest.mark.walk, pytest.mark.timeout(180)]


@pytest.fixture
def cloud() -> Iterator[CommandCloud]:
    with tempfile.TemporaryDirectory(prefix="cumulo-") as short:
        cloud = CommandCloud(Path(short) / "s")
        cloud.state.mkdir()
        write_ports(cloud.state / "cumulo.toml")
        yield cloud
        if (cloud.state / "cumulo.pid").exists():
            cloud.cumulo("down")


def refused(cloud: CommandCloud, *options: str) -> str:
    """Try to start a cloud; return the sentences with which that was refused."""
    done = cloud.cumulo("up", "--emulate", *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (b"nonsense = [", "Invalid value (at end of document)"),
        (b"[http]\nidentity_prot = 5000\n", "unknown field `identity_prot` - at `$.http`"),
        (b"[http]\nidentity_port = 'x'\n", "Expected `int`, got `str` - at `$.http.identity_port`"),
        (b"\xff\xfe\x00", "are not text in UTF-8"),
    ],
)
def test_settings_that_cannot_be_used(cloud: CommandCloud, settings: bytes, told: str) -> None:
    path = cloud.state / "cumulo.toml"
    path.write_bytes(settings)
    assert told in (said := refused(cloud))
    assert str(path) in said


def test_a_directory_that_cannot_be_written_to() -> None:
    cloud = CommandCloud(Path("/sys/cumulo"))  # where not even root may make one
    for options in ([], ["--detach"]):
        assert refused(cloud, *options).startswith("cumulo: /sys/cumulo: ")


def test_a_disk_that_is_full(cloud: CommandCloud) -> None:
    cloud.prefix = ["prlimit", "--fsize=65536"]
    assert "cannot be used: disk I/O error." in refused(cloud)


def test_what_was_damaged_is_named(cloud: CommandCloud) -> None:
    control = cloud.state / "control"
    control.mkdir()
    database, passwords = control / "cumulo.db", control / "passwords.json"
    database.write_bytes(b"not a database" * 1000)
    assert f"{database} cannot be used: file is not a database." in refused(cloud)
    passwords.write_text('{"admin')
    assert f"{passwords} with the first users' passwords is damaged" in refused(cloud)


def test_a_port_that_somebody_has(cloud: CommandCloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        path = cloud.state / "cumulo.toml"
        lines = [line for line in path.read_text().splitlines() if "compute_port" not in line]
        path.write_text("\n".join([*lines, f"compute_port = {port}", ""]))
        said = refused(cloud, "--detach")
    assert f"Port {port} on 127.0.0.1 cannot be used: Address already in use." in said
    assert "compute_port under [http] in cumulo.toml" in said
    assert cloud.cumulo("status").returncode == 3


def test_a_life(cloud: CommandCloud) -> None:
    nothing = cloud.cumulo("down")
    assert (nothing.returncode, "There is no cloud in" in nothing.stdout) == (0, True)
    assert cloud.cumulo("down", "--purge").returncode == 0
    assert cloud.state.exists()  # it was not ours to delete

    cloud.up("--emulate")
    for options in ([], ["--detach"]):
        assert f"A cloud runs in {cloud.state} already" in refused(cloud, *options)
    first = answer(cloud)

    os.kill(json.loads((cloud.state / "cumulo.pid").read_bytes())["pid"], signal.SIGKILL)
    status = cloud.cumulo("status")
    assert (status.returncode, "No cloud runs in" in status.stdout) == (3, True)
    cloud.up("--emulate")
    assert answer(cloud) == first

    (cloud.state / "cumulo.toml").write_text("spoilt while it ran = [")
    for _ in range(2):
        down = cloud.cumulo("down")
        assert (down.returncode, "Nothing runs any more" in down.stdout) == (0, True)
    assert cloud.cumulo("status").returncode == 3

    (cloud.state / "cumulo.toml").unlink()
    with contextlib.closing(sqlite3.connect(cloud.state / "control/cumulo.db")) as database:
        database.execute("alter table alembic_version drop fingerprint")  # as it was at first
    assert (said := refused(cloud)).startswith(f"cumulo: The cloud in {cloud.state} cannot be")
    assert f"`cumulo down --purge --state {cloud.state}`" in said
    assert cloud.cumulo("down", "--purge").returncode == 0
    assert not cloud.state.exists()


def answer(cloud: CommandCloud) -> object:
    with urllib.request.urlopen(f"http://127.0.0.1:{cloud.ports['identity']}/v3") as told:
        return json.loads(told.read())


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="real clouds need root")
def test_a_machine_that_lacks_programs(cloud: CommandCloud) -> None:
    done = cloud.cumulo("up", path="/nonexistent")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "This machine has no " in done.stderr
    assert "qemu-system-x86" in done.stderr
