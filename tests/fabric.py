"""A real switch and a real OVN for tests, in a network namespace of the test's own."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cumulo.node import links
from cumulo.node.fabric import Fabric, FabricSettings
from cumulo.node.ovs import PhysicalNetwork
from cumulo.node.supervise import Supervisor

HOST = "host1"
PHYSICAL = [
    PhysicalNetwork(name="provider", bridge="br-provider", addresses=["192.168.56.1/24"]),
    PhysicalNetwork(name="physnet1", bridge="br-ex", addresses=["203.0.113.1/24"]),
]
_NEEDED = ("ovsdb-server", "ovs-vswitchd", "ovn-northd", "ovn-controller", "ip")
_CLONE_NEWNET = 0x40000000


def missing() -> str:
    """Return why the machine cannot run a real fabric; empty: it can."""
    if os.geteuid() != 0:
        return "needs root"
    lacking = [program for program in _NEEDED if shutil.which(program) is None]
    return f"needs {', '.join(lacking)}" if lacking else ""


@contextmanager
def own_network() -> Iterator[None]:
    """Put this thread, and all that it starts, into a new network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        links.change(["link set lo up"])
        yield
    finally:
        libc.setns(outside, _CLONE_NEWNET)
        os.close(outside)


class Site:
    """One host's fabric in a directory of its own."""

    def __init__(self, directory: Path, owner: int | None = None) -> None:
        self.directory = directory
        self.supervisor = Supervisor(directory / "run", directory / "log")
        settings = FabricSettings(
            directory=directory,
            hostname=HOST,
            system_id="5e1f0000-0000-4000-8000-000000000001",
            physical_networks=PHYSICAL,
            owner=owner,
        )
        self.fabric = Fabric(settings, self.supervisor)

    @property
    def north(self) -> str:
        return self.fabric.central.north_remote

    @property
    def south(self) -> str:
        return self.fabric.central.south_remote

    def nbctl(self, *arguments: str) -> str:
        return _run("ovn-nbctl", f"--db={self.north}", *arguments)

    def sbctl(self, *arguments: str) -> str:
        return _run("ovn-sbctl", f"--db={self.south}", *arguments)

    def pid(self, daemon: str) -> int:
        return self.supervisor.alive()[daemon].pid


@contextmanager
def running_site(owner: int | None = None) -> Iterator[Site]:
    """Run a fabric; afterwards nothing of it is left."""
    reason = missing()
    if reason:
        pytest.skip(f"real fabric: {reason}")
    directory = Path(tempfile.mkdtemp(prefix="cumulo-", dir="/tmp"))
    directory.chmod(0o711)
    try:
        with own_network():
            site = Site(directory, owner)
            try:
                site.fabric.start()
                yield site
            finally:
                site.fabric.stop()
                site.supervisor.stop_all()
                site.supervisor.let_go()
    finally:
        shutil.rmtree(directory)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
