"""A real switch and a real OVN for tests, in a network namespace of the test's own."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from cumulo.node import links
from cumulo.node.fabric import Fabric, FabricSettings
from cumulo.node.ovn import Central, Controller, Southbound
from cumulo.node.ovs import PhysicalNetwork, Switch
from cumulo.node.supervise import Supervisor

T = TypeVar("T")
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
    def switch(self) -> Switch:
        return self.fabric.switch

    @property
    def north(self) -> str:
        assert self.fabric.central is not None
        return self.fabric.central.north_remote

    @property
    def south(self) -> str:
        assert self.fabric.central is not None
        return self.fabric.central.south_remote

    def nbctl(self, *arguments: str) -> str:
        return _run("ovn-nbctl", f"--db={self.north}", *arguments)

    def sbctl(self, *arguments: str) -> str:
        return _run("ovn-sbctl", f"--db={self.south}", *arguments)

    def flows(self, table: int) -> str:
        return _run("ovs-ofctl", "dump-flows", f"unix:{self.switch.integration}", f"table={table}")

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


class Chassis:
    """One of several hosts: a network namespace with a switch and a controller of its own."""

    def __init__(self, directory: Path, number: int, south: str) -> None:
        self.name, self.namespace = f"host{number}", f"cuhost{os.getpid()}-{number}"
        self.under, self.ext = f"u{number}", f"x{number}"
        address = f"10.200.0.{number}"
        self.supervisor = Supervisor(directory / "run", directory / "log")
        networks = [
            PhysicalNetwork(
                name="under",
                bridge="br-under",
                addresses=[f"{address}/24"],
                interface=f"{self.under}p",
            ),
            PhysicalNetwork(name="physnet1", bridge="br-ex", interface=f"{self.ext}p"),
        ]
        self.switch = Switch(directory / "ovs", self.supervisor, networks)
        self.controller = Controller(
            self.switch,
            self.supervisor,
            system_id=f"5e1f0000-0000-4000-8000-00000000000{number}",
            hostname=self.name,
            south=Southbound(south),
            encap_ip=address,
        )

    def start(self) -> None:
        """Plug the host into the networks between hosts and start it."""
        links.ensure_namespace(self.namespace)
        for device, bridge in ((self.under, "sw-under"), (self.ext, "sw-ext")):
            links.change(
                [
                    f"link add {device} type veth peer name {device}p",
                    f"link set {device}p netns {self.namespace}",
                    f"link set {device} master {bridge} up",
                ]
            )
            links.change([f"link set {device}p up"], self.namespace)
            links.inside(self.namespace, partial(links.checksum_here, f"{device}p"))
        self.inside(self.switch.start)
        self.inside(self.controller.start)

    def stop(self) -> None:
        self.inside(self.controller.stop)
        self.inside(self.switch.stop)
        self.supervisor.stop_all()
        self.supervisor.let_go()
        links.remove_namespace(self.namespace)

    def output(self, *command: str) -> str:
        return _run("ip", "netns", "exec", self.namespace, *command)

    def inside(self, work: Callable[[], T]) -> T:
        return links.inside(self.namespace, work)


class Cluster:
    """Several hosts on one pair of OVN's databases, and the world outside of them."""

    def __init__(self, directory: Path, count: int) -> None:
        self.supervisor = Supervisor(directory / "run", directory / "log")
        self.central = Central(directory / "ovn", self.supervisor)
        south = self.central.south_remote
        self.hosts = [Chassis(directory / f"h{n}", n, south) for n in range(1, count + 1)]

    def sbctl(self, *arguments: str) -> str:
        return _run("ovn-sbctl", f"--db={self.central.south_remote}", *arguments)

    def start(self) -> None:
        links.change(["link add sw-under type bridge", "link set sw-under up"])
        links.change(["link add sw-ext type bridge", "link set sw-ext up"])
        links.ensure_addresses("sw-ext", ["203.0.113.1/24"])
        self.central.start()
        for host in self.hosts:
            host.start()

    def stop(self) -> None:
        for host in self.hosts:
            host.stop()
        self.central.stop()
        self.supervisor.stop_all()
        self.supervisor.let_go()


@contextmanager
def running_cluster(count: int) -> Iterator[Cluster]:
    """Run several hosts; afterwards nothing of them is left."""
    reason = missing()
    if reason:
        pytest.skip(f"real fabric: {reason}")
    directory = Path(tempfile.mkdtemp(prefix="cumulo-", dir="/tmp"))
    directory.chmod(0o711)
    try:
        with own_network():
            cluster = Cluster(directory, count)
            try:
                cluster.start()
                yield cluster
            finally:
                cluster.stop()
    finally:
        shutil.rmtree(directory)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
