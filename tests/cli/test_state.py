"""The state directory and the files it hands out."""

import json
import multiprocessing
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cumulo.cli.credentials import write_credentials
from cumulo.cli.state import Passwords, State, write_private
from cumulo.kit.errors import Conflict, Invalid

ODD = 'it\'s a $(secret) "with" `odd` \\ things;\t#1'


@pytest.fixture
def state() -> Iterator[State]:
    with tempfile.TemporaryDirectory(prefix="cumulo-") as short:
        state = State(Path(short) / "s")
        state.make()
        yield state


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_passwords_are_made_up_once(state: State) -> None:
    first = state.passwords()
    assert state.passwords() == first
    assert len({first.admin, first.demo, first.metadata}) == 3
    assert mode(state.control / "passwords.json") == 0o600
    assert mode(state.control) == 0o700
    assert first.admin not in repr(first)


def test_a_private_file_replaces_a_link_rather_than_follow_it(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    link = tmp_path / "file"
    link.symlink_to(target)
    write_private(link, b"secret")
    assert target.read_text() == "untouched"
    assert not link.is_symlink()
    assert link.read_bytes() == b"secret"


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="too long"):
        State(tmp_path / ("d" * 60))


def test_one_program_at_a_time(state: State) -> None:
    assert state.program() is None
    with state.held(emulated=True):
        running = state.program()
        assert running is not None
        assert running.pid == os.getpid()
        assert state.is_emulated()
        second = State(state.directory).held(emulated=False)
        with pytest.raises(Conflict, match="already"), second:
            pass
    assert state.program() is None
    with state.held(emulated=False):
        assert not state.is_emulated()


def test_a_killed_programs_note_means_nothing(state: State) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=hold_and_die, args=(str(state.directory),))
    process.start()
    process.join()
    assert (state.directory / "cumulo.pid").exists()
    assert state.program() is None
    with state.held(emulated=False):
        assert state.program() is not None


def hold_and_die(directory: str) -> None:
    with State(Path(directory)).held(emulated=False):
        os.kill(os.getpid(), 9)


def test_a_shell_reads_the_openrc_files_whatever_is_in_them(state: State) -> None:
    write_credentials(state, "http://h:5000/v3", "RegionOne", Passwords(ODD, "demo", "metadata"))
    script = '. "$1"; env -0'
    env = {"PATH": os.environ["PATH"], "OS_CLOUD": "another"}
    command = ["sh", "-c", script, "sh", str(state.openrc("admin"))]
    told = subprocess.run(command, env=env, capture_output=True, check=True).stdout.decode()
    found = dict(entry.split("=", 1) for entry in told.split("\0") if entry.startswith("OS_"))
    assert found == {
        "OS_USERNAME": "admin",
        "OS_PASSWORD": ODD,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_AUTH_URL": "http://h:5000/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": "RegionOne",
    }
    assert mode(state.openrc("admin")) == 0o600


def test_clouds_yaml_has_both_users(state: State) -> None:
    write_credentials(state, "http://h:5000/v3", "RegionOne", Passwords(ODD, "d", "metadata"))
    text = state.clouds_yaml.read_text()
    clouds = yaml.safe_load(text)["clouds"]
    assert clouds["cumulo"]["auth"]["password"] == ODD
    assert clouds["cumulo-demo"]["auth"]["project_name"] == "demo"
    assert "metadata" not in json.dumps(clouds)
    assert mode(state.clouds_yaml) == 0o600
