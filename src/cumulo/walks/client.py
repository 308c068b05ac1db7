"""The unmodified `openstack` command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cumulo.kit.errors import CloudError, Unavailable

_TIMEOUT_S = 300


class Refused(CloudError):
    """The command ended with an error, which is the message."""


class Client:
    """Runs commands as one user of a cloud; `prefix` comes before each, to enter a namespace."""

    def __init__(self, env: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        self._env, self.prefix = dict(env), list(prefix)
        self._program = _find("openstack")

    def run(self, *words: str) -> str:
        """Run one command and return what it prints."""
        status, out, err = self.execute(words)
        if status != 0:
            raise Refused(f"openstack {' '.join(words)}: {(err or out).strip()}")
        return out

    def execute(self, words: Sequence[str]) -> tuple[int, str, str]:
        """Return the exit status of a command and what it prints on both outputs."""
        done = subprocess.run(
            [*self.prefix, self._program, *words],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def environment(self) -> dict[str, str]:
        """Return the variables the client sees: no other cloud's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return kept | self._env

    def show(self, *words: str) -> dict[str, Any]:
        """Run a command that shows one thing."""
        return msgspec.json.decode(self.run(*words, "-f", "json"), type=dict[str, Any])

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command that lists things."""
        return msgspec.json.decode(self.run(*words, "-f", "json"), type=list[dict[str, Any]])

    def value(self, column: str, *words: str) -> str:
        """Run a command that shows one thing and return one column of it."""
        return self.run(*words, "-f", "value", "-c", column).strip()


def environment(openrc: Path) -> dict[str, str]:
    """Return the variables that a shell would have after reading the file."""
    command = ["env", "-i", "sh", "-c", '. "$1"; env -0', "sh", str(openrc)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = (entry.partition("=") for entry in told.split("\0") if entry.startswith("OS_"))
    return {name: value for name, _, value in pairs}


def _find(program: str) -> str:
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        raise Unavailable(f"There is no `{program}` command: pip install python-openstackclient.")
    return found
