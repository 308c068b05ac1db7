"""This machine as a host of guests: the daemons it needs and the commands it answers.

The only part of a cloud that runs as root.
"""

import os
import platform
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from cumulo.kit.errors import CloudError, Unavailable
from cumulo.node.drivers.libvirt import HypervisorSettings, LibvirtHypervisor
from cumulo.node.fabric import Fabric, FabricSettings
from cumulo.node.libvirtd import Libvirtd
from cumulo.node.local import LocalNode
from cumulo.node.metadata import OvsMetadata
from cumulo.node.metadata_proxy import Proxy
from cumulo.node.ovs import PhysicalNetwork
from cumulo.node.server import NodeServer, UnixTransport
from cumulo.node.supervise import Supervisor
from cumulo.settings import NodeSettings

# The programs a host needs, with the packages that bring them on Debian and Ubuntu.
_PROGRAMS = {
    "ovs-vswitchd": "openvswitch-switch",
    "ovn-northd": "ovn-central",
    "ovn-controller": "ovn-host",
    "libvirtd": "libvirt-daemon-system",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
    "ip": "iproute2",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """Where a host keeps its things and whom it serves."""

    directory: Path
    node_socket: Path
    settings: NodeSettings
    metadata_url: str
    metadata_secret: str
    control_user: int  # who gives the commands

    @property
    def name(self) -> str:
        """Return the name under which the cloud knows this machine."""
        return self.settings.name or platform.node()


class Host:
    """Open vSwitch, OVN, libvirtd and the server of the host's commands."""

    def __init__(self, plan: HostPlan, supervisor: Supervisor) -> None:
        self.plan, directory = plan, plan.directory
        self._fabric = Fabric(_fabric_settings(plan), supervisor)
        self._proxy = Proxy(plan.metadata_url, plan.metadata_secret.encode())
        self._metadata = OvsMetadata(self._fabric.switch, self._proxy, directory / "metadata")
        kind = plan.settings.virt_type
        self._libvirtd = Libvirtd(
            directory / "libvirt",
            supervisor,
            virt_type=None if kind == "auto" else kind,
            ovs_directory=self._fabric.switch.directory,
        )
        self._server: NodeServer | None = None

    @property
    def virt_type(self) -> str:
        """Return how guests run: kvm or qemu."""
        return self._libvirtd.virt_type

    def start(self, tell: Callable[[str], None]) -> None:
        """Start what does not run, adopt what does, then answer commands."""
        check_programs()
        with ThreadPoolExecutor(max_workers=2) as pool:
            parts = [pool.submit(self._start_network, tell), pool.submit(self._start_libvirt, tell)]
            for part in parts:
                part.result()
        hypervisor = LibvirtHypervisor(
            HypervisorSettings(
                name=self.plan.name,
                directory=self.plan.directory,
                tap_offloads=self._fabric.switch.datapath == "system",
            ),
            self._libvirtd,
            self._fabric.switch.unplug,
        )
        hypervisor.warm_up()
        node = LocalNode(hypervisor, self._metadata)
        transport = UnixTransport(self.plan.node_socket, [self.plan.control_user])
        self._server = NodeServer(node, transport)
        self._server.start()

    def has_guests(self) -> bool:
        """Say whether any guest's process runs."""
        return bool(self._libvirtd.running_guests())

    def let_go(self) -> None:
        """Stop answering and leave everything running, for a successor."""
        self._close()
        self._metadata.let_go()
        self._fabric.let_go()

    def stop(self) -> None:
        """End the guests and the daemons, whoever started them; what fails stops nothing else."""
        self._close()
        parts = (
            self._libvirtd.end_guests,
            self._libvirtd.stop,
            self._metadata.stop,
            self._fabric.stop,
        )
        for part in parts:
            try:
                part()
            except (CloudError, OSError) as error:
                log.warning("not stopped in order", part=part.__qualname__, error=str(error))

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _start_network(self, tell: Callable[[str], None]) -> None:
        self._fabric.start()
        self._metadata.start()
        tell(f"Open vSwitch and OVN ({self._fabric.switch.datapath} datapath)")

    def _start_libvirt(self, tell: Callable[[str], None]) -> None:
        self._libvirtd.start()
        tell(f"libvirt (virt_type {self._libvirtd.virt_type})")


def check_programs() -> None:
    """Refuse to start without the programs a host needs, naming what brings them."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = {pkg for name, pkg in _PROGRAMS.items() if shutil.which(name, path=places) is None}
    if missing:
        raise Unavailable(
            f"This machine has no {', '.join(sorted(missing))}: run `make setup`, or "
            f"apt-get install {' '.join(sorted(missing))}."
        )


def _fabric_settings(plan: HostPlan) -> FabricSettings:
    return FabricSettings(
        directory=plan.directory,
        hostname=plan.name,
        system_id=plan.name,
        physical_networks=[
            PhysicalNetwork(
                name=each.name,
                bridge=each.bridge,
                addresses=list(each.addresses),
                interface=each.interface,
            )
            for each in plan.settings.physical_networks
        ],
        owner=plan.control_user,
    )
