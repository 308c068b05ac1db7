"""Several machines on one: each has namespaces of its own, and two networks join them."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.walks import reach
from tests.walks.clouds import CommandCloud

# Namespaces' names are a machine's own, too; it lasts as long as the process that holds it.
_HOLD = "mount -t tmpfs none /run/netns && ip link set lo up && echo && exec sleep infinity"
_SETTINGS = """[node]
name = "{name}"
address = "10.210.0.{number}"
tunnel_address = "10.220.0.{number}"

[[node.physical_networks]]
name = "under"
bridge = "br-under"
addresses = ["10.220.0.{number}/24"]
interface = "t0"
"""
_OUTSIDE = """
[[node.physical_networks]]
name = "physnet1"
bridge = "br-ex"
addresses = ["203.0.113.1/24"]
"""


# What OVN's database shows to a machine that joined.
SHOWN = """
import hashlib, sys
from pathlib import Path
from cumulo.node.certificates import Identity
from cumulo.node.tls import TlsDialer
from cumulo.settings import NodeSettings
place = (sys.argv[2], NodeSettings().southbound_port)
own = Identity(Path(sys.argv[1]))
line = TlsDialer(own, place, name="rack1-southbound", kind="controller").dial(5)
print(hashlib.sha256(line.getpeercert(binary_form=True)).hexdigest())
"""


class Machine(CommandCloud):
    """A machine with a state directory; the first has the cloud, the others join it."""

    def __init__(
        self, state: Path, number: int, more: str = "", beside: Path | None = None
    ) -> None:
        """Give it settings besides those that it needs, and something to import first."""
        super().__init__(state, beside=beside)
        self.name, self.address = f"rack{number}", f"10.210.0.{number}"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "sh", "-c", _HOLD],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        with self._holder.stdout as told:
            assert told.readline() == b"\n"
        self.pid = self._holder.pid
        self.net = f"/proc/{self.pid}/ns/net"
        self.prefix = ["nsenter", f"--target={self.pid}", "--net", "--mount", "--uts"]
        state.mkdir()
        settings = _SETTINGS.format(name=self.name, number=number)
        (state / "cumulo.toml").write_text(settings + (_OUTSIDE if number == 1 else "") + more)

    def token(self) -> str:
        done = self.cumulo("node", "token")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def join(self, token: str) -> subprocess.CompletedProcess[str]:
        return self.cumulo("node", "join", "https://10.210.0.1", "--token", token, "--detach")

    def start(self) -> None:
        done = self.cumulo("node", "start", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr

    def begin(self, command: str, *words: str, path: str = "") -> subprocess.Popen[str]:
        """Run the command, and do not wait for it; options come last with nested ones."""
        if command != "node":
            return super().begin(command, *words, path=path)
        return subprocess.Popen(
            [
                *(*self.prefix, sys.executable, "-m", "cumulo", command, words[0]),
                *("--state", str(self.state), *words[1:]),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        """Let every process of it die at once, as by a loss of power."""
        inside = os.stat(f"/proc/{self.pid}/ns/net").st_ino
        for path in Path("/proc").glob("[0-9]*/ns/net"):
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inside and int(path.parts[2]) != self.pid:
                    os.kill(int(path.parts[2]), signal.SIGKILL)

    def kill_program(self) -> None:
        """Leave it its guests and daemons only."""
        noted = json.loads((self.state / "cumulo.pid").read_bytes())
        os.kill(noted["pid"], signal.SIGKILL)

    def end(self) -> None:
        self.cumulo("down")
        self.kill()  # what runs on where a test failed with its machine off
        self._holder.kill()
        self._holder.wait()


@contextlib.contextmanager
def slowed(machine: Machine, rate: str = "60mbit") -> Iterator[None]:
    """Let a machine send so slowly that a guest which writes to its memory is long under way."""
    limit = ["tbf", "rate", rate, "burst", "64kb", "latency", "400ms"]
    machine.output("tc", "qdisc", "add", "dev", "m0", "root", *limit)
    try:
        yield
    finally:
        machine.output("tc", "qdisc", "del", "dev", "m0", "root")


def bytes_sent(machine: Machine) -> int:
    """Return how much a machine has sent to the others."""
    [shown] = json.loads(machine.output("ip", "-json", "-stats", "link", "show", "m0"))
    return int(shown["stats64"]["tx"]["bytes"])


@contextlib.contextmanager
def rack(
    directory: Path, count: int, more: str = "", beside: Path | None = None
) -> Iterator[list[Machine]]:
    """Give machines that reach each other; afterwards nothing of them is left."""
    if os.geteuid() != 0:
        pytest.skip("real guests need root")
    directory.chmod(0o711)
    machines = [Machine(directory / f"m{n}", n, more, beside) for n in range(1, count + 1)]
    try:
        for bridge in ("mg", "tn"):
            _first(machines[0], f"link add {bridge} type bridge", f"link set {bridge} up")
        for number, machine in enumerate(machines, 1):
            _join(machines[0], machine, number)
        yield machines
    finally:
        for machine in reversed(machines):
            machine.end()


def _join(first: Machine, machine: Machine, number: int) -> None:
    """Plug a machine into both networks; their switches are in the first, as good as anywhere."""
    for bridge, device in (("mg", "m0"), ("tn", "t0")):
        port = f"{bridge}{number}"
        _first(first, f"link add {port} type veth peer name {device} netns {machine.pid}")
        _first(first, f"link set {port} master {bridge} up")
    machine.output("ip", "address", "add", f"{machine.address}/24", "dev", "m0")
    machine.output("ip", "link", "set", "m0", "up")
    machine.output("ip", "link", "set", "t0", "up")
    checksums = "from cumulo.node import links; links.checksum_here('t0')"
    machine.output(sys.executable, "-c", checksums)


def _first(machine: Machine, *commands: str) -> None:
    for command in commands:
        machine.output("ip", *command.split())


@contextlib.contextmanager
def pinged(address: str, prefix: list[str]) -> Iterator[list[float]]:
    """Ping five times a second; afterwards the list has the moments of all answers."""
    command = [*prefix, "ping", "-n", "-D", "-i", "0.2", address]
    pinging = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    answers: list[float] = []
    try:
        yield answers
    finally:
        pinging.send_signal(signal.SIGINT)
        out, _ = pinging.communicate(timeout=10)
        found = re.findall(r"^\[([0-9.]+)\] .* bytes from", out, re.MULTILINE)
        answers += [float(moment) for moment in found]


def boot_id(address: str, key: Path, prefix: list[str]) -> str | None:
    return reach.ssh(address, key, "cat /proc/sys/kernel/random/boot_id", prefix=prefix)
