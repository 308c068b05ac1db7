"""This machine as a host of guests: the daemons it needs and the commands it answers.

The only part of a cloud that runs as root.
"""

import functools
import os
import platform
import shutil
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from cumulo.kit.errors import CloudError, Unavailable
from cumulo.node import certificates
from cumulo.node.certificates import Identity
from cumulo.node.controller import Controller, Membership, controller, pieces_from
from cumulo.node.drivers.libvirt import HypervisorSettings, LibvirtHypervisor
from cumulo.node.drivers.libvirt_moves import LibvirtMoves, PeerView
from cumulo.node.fabric import Fabric, FabricSettings, Served
from cumulo.node.libvirtd import Libvirtd
from cumulo.node.local import LocalMovingNode, LocalNode
from cumulo.node.metadata import OvsMetadata
from cumulo.node.metadata_proxy import ControllerUpstream, HttpUpstream, Proxy, Upstream
from cumulo.node.moving import HOST, PEERS, Peers, Place, peers
from cumulo.node.ovn import Southbound
from cumulo.node.ovs import PhysicalNetwork
from cumulo.node.renewal import Renewal
from cumulo.node.server import CommandServer, UnixTransport
from cumulo.node.supervise import Supervisor
from cumulo.node.tls import TlsDialer, TlsTransport
from cumulo.node.wire import NODE, Vocabulary
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
class OwnCloud:
    """The cloud is this machine's own: its program speaks through a socket."""

    node_socket: Path
    control_user: int  # who gives the commands
    metadata_url: str
    metadata_secret: str
    southbound: Identity | None = None  # how OVN's database shows itself to other machines
    renewals: Sequence[Renewal] = ()  # of the certificates that this machine shows


@dataclass(frozen=True, kw_only=True)
class JoinedCloud:
    """The cloud is another machine's, which this one joined."""

    membership: Membership
    address: str  # of the controller


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """Where a host keeps its things and whom it serves."""

    directory: Path
    settings: NodeSettings
    cloud: OwnCloud | JoinedCloud
    identity: Identity | None = None  # None: no other machine reaches this one

    @property
    def name(self) -> str:
        """Return the name under which the cloud knows this machine."""
        if isinstance(self.cloud, JoinedCloud):
            return self.cloud.membership.name
        return self.settings.name or platform.node()


class Host:
    """Open vSwitch, OVN, libvirtd and the server of the host's commands."""

    def __init__(self, plan: HostPlan, supervisor: Supervisor) -> None:
        self.plan, directory = plan, plan.directory
        self._fabric = Fabric(_fabric_settings(plan), supervisor)
        self._controller = _controller(plan)
        self._metadata = OvsMetadata(
            self._fabric.switch, Proxy(_upstream(plan, self._controller)), directory / "metadata"
        )
        kind = plan.settings.virt_type
        self._libvirtd = Libvirtd(
            directory / "libvirt",
            supervisor,
            virt_type=None if kind == "auto" else kind,
            ovs_directory=self._fabric.switch.directory,
            host=plan.name,
        )
        self._servers: list[CommandServer] = []
        self._renewals = _renewals(plan, self._controller)

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
                address=self.plan.settings.address or "127.0.0.1",
                port=self.plan.settings.port if self.plan.identity is not None else 0,
            ),
            self._libvirtd,
            self._fabric.switch.unplug,
            pieces_from(self._controller) if self._controller is not None else None,
        )
        hypervisor.warm_up()
        self._fabric.mend_guests_by(hypervisor.mend_nics)
        self._serve(hypervisor)

    def _serve(self, hypervisor: LibvirtHypervisor) -> None:
        """Answer the program of the cloud, and other hosts about guests on the move."""
        plan, identity, moves = self.plan, self.plan.identity, self._libvirtd.moves
        node: LocalNode = LocalNode(hypervisor, self._metadata)
        if identity is not None:
            reach = functools.partial(_peer, identity)
            node = LocalMovingNode(
                hypervisor, self._metadata, LibvirtMoves(hypervisor, reach, moves)
            )
        words = HOST if identity is not None else NODE

        def offer(connection: socket.socket) -> tuple[object, Vocabulary]:
            assert isinstance(connection, ssl.SSLSocket)
            who = certificates.peer(connection)
            assert who is not None
            if who.kind == "controller":
                return node, words
            return PeerView(hypervisor, moves, who.name), PEERS

        if isinstance(plan.cloud, OwnCloud):
            transport = UnixTransport(plan.cloud.node_socket, [plan.cloud.control_user])
            self._servers.append(CommandServer(lambda _: (node, words), transport))
        if identity is not None:
            place = (plan.settings.address, plan.settings.port)
            kinds = ("host",) if isinstance(plan.cloud, OwnCloud) else ("host", "controller")
            secured = TlsTransport(identity, place, lambda who: who.kind in kinds)
            self._servers.append(CommandServer(offer, secured))
        for server in self._servers:
            server.start()
        for renewal in self._renewals:
            renewal.start()

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
        for renewal in self._renewals:
            renewal.close()
        for server in self._servers:
            server.close()
        self._servers.clear()

    def _start_network(self, tell: Callable[[str], None]) -> None:
        self._fabric.start()
        self._metadata.start()
        tell(f"Open vSwitch and OVN ({self._fabric.switch.datapath} datapath)")

    def _start_libvirt(self, tell: Callable[[str], None]) -> None:
        self._libvirtd.start()
        tell(f"libvirt (virt_type {self._libvirtd.virt_type})")


def check_programs(*, joined: bool = False) -> None:
    """Refuse to start without the programs a host needs, naming what brings them."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    needed = {name: pkg for name, pkg in _PROGRAMS.items() if not joined or name != "ovn-northd"}
    missing = {pkg for name, pkg in needed.items() if shutil.which(name, path=places) is None}
    if missing:
        raise Unavailable(
            f"This machine has no {', '.join(sorted(missing))}: run `make setup`, or "
            f"apt-get install {' '.join(sorted(missing))}."
        )


def _controller(plan: HostPlan) -> Controller | None:
    """Return the way to the controller, for a machine that joined a cloud."""
    if not isinstance(plan.cloud, JoinedCloud):
        return None
    assert plan.identity is not None
    membership = plan.cloud.membership
    place = (plan.cloud.address, membership.port)
    name = membership.controller
    return controller(TlsDialer(plan.identity, place, name=name, kind="controller"))


def _renewals(plan: HostPlan, there: Controller | None) -> Sequence[Renewal]:
    """Return what keeps the machine's certificates from ending."""
    if isinstance(plan.cloud, OwnCloud):
        return plan.cloud.renewals
    assert there is not None
    assert plan.identity is not None
    identity = plan.identity
    return [Renewal(identity, lambda: identity.renew(there.renew(identity.request())))]


def _peer(identity: Identity, there: Place) -> Peers:
    """Return another host."""
    place = (there.address, there.port)
    return peers(TlsDialer(identity, place, name=there.name, kind="host"))


def _upstream(plan: HostPlan, there: Controller | None) -> Upstream:
    if there is not None:
        return ControllerUpstream(there)
    assert isinstance(plan.cloud, OwnCloud)
    return HttpUpstream(plan.cloud.metadata_url, plan.cloud.metadata_secret.encode())


def _fabric_settings(plan: HostPlan) -> FabricSettings:
    node, cloud = plan.settings, plan.cloud
    where: dict[str, Any] = {}
    if isinstance(cloud, JoinedCloud):
        remote = f"ssl:{cloud.address}:{cloud.membership.southbound_port}"
        where = {"south": Southbound(remote, plan.identity)}
    else:
        where = {"owner": cloud.control_user}
        if cloud.southbound is not None:
            where["served"] = Served(
                address=node.address, port=node.southbound_port, identity=cloud.southbound
            )
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
                egress_kbps=each.egress_kbps,
                ingress_kbps=each.ingress_kbps,
            )
            for each in node.physical_networks
        ],
        encap_ip=node.tunnel_address or node.address or "127.0.0.1",
        **where,
    )
