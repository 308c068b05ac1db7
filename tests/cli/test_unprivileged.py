"""A part of the program runs as a user who may not even read the program's home."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.cli import unprivileged


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that others may not enter, below nothing that is closed itself."""
    path = Path("/var/tmp/cumulo-test-home")
    (path / "program").mkdir(parents=True)
    (path / "program/text").write_text("hello")
    (path / "secret").write_text("private")
    path.chmod(0o700)
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


def test_only_what_is_needed_of_a_closed_directory_is_shown(tmp_path: Path) -> None:
    for each in (tmp_path, *tmp_path.parents):
        each.chmod(each.stat().st_mode | 0o001)
    home, public = tmp_path / "home", tmp_path / "public"
    for path in (home / "venv/lib", home / "src", public):
        path.mkdir(parents=True)
    home.chmod(0o700)
    needed = [home / "venv", home / "venv/lib", home / "src", public]
    assert unprivileged.view(needed) == ([home], [home / "src", home / "venv"])
    assert unprivileged.view([public]) == ([], [])


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_user_sees_the_program_and_nothing_else(home: Path, tmp_path: Path) -> None:
    script = (
        f"id -un; cat {home}/program/text; ls {home}; cat {home}/secret; grep Cap /proc/self/status"
    )
    user = pwd.getpwnam("nobody").pw_name
    command, env = unprivileged.command_as(
        user, ["sh", "-c", script], tmp_path / "stash", [home / "program"]
    )
    done = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    name, text, *rest = done.stdout.splitlines()
    assert (name, text) == ("nobody", "helloprogram")
    assert "private" not in done.stdout
    assert {line.split()[1] for line in rest} == {"0" * 16}
    assert (home / "secret").read_text() == "private"
