"""Clouds started by the `cumulo` command, and a client that is quick for many commands."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cumulo.app import ports
from cumulo.settings import load
from cumulo.walks.client import Client, environment
from tests.ports import every_port

# The client's own main, once for each command: starting Python anew each time takes seconds.
_MAIN = """
import contextlib, io, json, sys
from openstackclient import shell
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = shell.main(json.loads(line))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    print(json.dumps([status or 0, out.getvalue(), err.getvalue()]), flush=True)
"""


class QuickClient(Client):
    """The unmodified client, kept running."""

    def __init__(self, env: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        super().__init__(env, prefix)
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "ignore", "-c", _MAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
            text=True,
        )

    def execute(self, words: Sequence[str]) -> tuple[int, str, str]:
        """Give it a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(words)) + "\n")
        self._process.stdin.flush()
        status, out, err = json.loads(self._process.stdout.readline())
        return status, out, err

    def close(self) -> None:
        with self._process as process:
            process.kill()


class CommandCloud:
    """A cloud of the `cumulo` command, in a network namespace if it has one."""

    def __init__(
        self, state: Path, namespace: str | None = None, beside: Path | None = None
    ) -> None:
        """Let the cloud of `state` import what is in `beside` before anything else."""
        self.state, self.namespace = state, namespace
        self._path = os.pathsep.join([*([str(beside)] if beside else []), *sys.path])
        self.networks: set[str] = set()  # those that a test wants to find nothing of
        self.net = f"/run/netns/{namespace}" if namespace else None
        self.prefix = ["nsenter", f"--net={self.net}"] if namespace else []

    def cumulo(self, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command to its end; it finds programs in `path` instead of where we do."""
        with self.begin(*words, path=path) as begun:
            out, err = begun.communicate(timeout=300)
            return subprocess.CompletedProcess(begun.args, begun.returncode, out, err)

    def begin(self, command: str, *words: str, path: str = "") -> subprocess.Popen[str]:
        """Run the command, and do not wait for it."""
        env = {**os.environ, "PYTHONPATH": self._path}
        env |= {"PATH": path} if path else {}
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "cumulo", command, "--state", self.state, *words],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def up(self, *options: str) -> None:
        done = self.cumulo("up", "--detach", *options)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self, *options: str) -> None:
        done = self.cumulo("down", *options)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def ports(self) -> dict[str, int]:
        """Return the ports of the services, as the settings have them."""
        path = self.state / "cumulo.toml"
        return dict(ports(load(path if path.exists() else None)))

    def environment(self, user: str) -> dict[str, str]:
        """Return what a shell has after reading the user's file."""
        return environment(self.state / f"{user}-openrc")

    def output(self, *words: str) -> str:
        """Run a command where the cloud's network is and return what it prints."""
        command = [*self.prefix, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def client(self, user: str = "admin") -> QuickClient:
        return QuickClient(self.environment(user), self.prefix)


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """Make a network namespace, with a loopback, for as long as the block takes."""
    if os.geteuid() != 0:
        pytest.skip("real guests need root")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def write_ports(path: Path) -> None:
    """Write settings with ports that are free."""
    lines = [f"{name} = {port}" for name, port in every_port().items()]
    path.write_text("\n".join(["[http]", *lines, ""]))
