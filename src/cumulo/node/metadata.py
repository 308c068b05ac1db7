"""Where guests ask 169.254.169.254: a namespace in each network, and one server for all.

Each network's metadata port is plugged in here by a link into a namespace of the network's own,
where addresses of guests may overlap with anybody's.  The server's sockets are opened there and
used outside.  What should be answered is noted in files, so that a successor goes on.
"""

import contextlib
import socket
import threading
from pathlib import Path

import msgspec
import structlog

from cumulo.kit.errors import CloudError, Unavailable
from cumulo.node import links
from cumulo.node.api import MetadataPort
from cumulo.node.metadata_proxy import Proxy
from cumulo.node.ovs import Plug, Switch

_ADDRESSES = ("169.254.169.254/32", "fe80::a9fe:a9fe/64")
_PORT = 80
_INSIDE = "eth0"
log = structlog.get_logger(__name__)


class OvsMetadata:
    """Metadata listeners plugged into our Open vSwitch."""

    def __init__(self, switch: Switch, proxy: Proxy, directory: Path) -> None:
        self._switch, self._proxy, self._directory = switch, proxy, directory
        self._serving: dict[str, tuple[MetadataPort, int]] = {}  # with the link's number
        self._lock = threading.Lock()

    def start(self) -> None:
        """Answer again what was answered before; what cannot be is left to the next `ensure`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for port in self._noted().values():
            try:
                self.ensure_metadata(port)
            except CloudError as error:
                log.warning("metadata not answered", network=port.network_id, error=str(error))

    def let_go(self) -> None:
        """Stop answering and leave namespaces and notes, for a successor."""
        self._proxy.close()

    def stop(self) -> None:
        """Remove all listeners, those of predecessors too, whether or not the switch runs."""
        for network_id, port in self._noted().items():
            if self._switch.answers():
                self.remove_metadata(network_id)
                continue
            links.remove(_device(port.port_id))
            links.remove_namespace(_namespace(network_id))
            self._file(network_id).unlink(missing_ok=True)
        self._proxy.close()

    def ensure_metadata(self, port: MetadataPort) -> None:
        """Answer metadata requests from the network's guests."""
        with self._lock:
            device = _device(port.port_id)
            known, index = self._serving.get(port.network_id, (None, 0))
            here = links.index_of(device)
            if (
                known == port
                and here == index
                and _namespace(port.network_id) in links.namespaces()
            ):
                return
            if known is not None and known.port_id != port.port_id:
                self._unplug(known.port_id)
            self._note(port)
            self._proxy.forget(port.network_id)
            self._connect(port, device)
            self._proxy.serve(port.network_id, _listen(_namespace(port.network_id)))
            self._serving[port.network_id] = (port, links.index_of(device))

    def remove_metadata(self, network_id: str) -> None:
        """Stop answering them and remove what that took."""
        with self._lock:
            self._proxy.forget(network_id)
            port = self._noted().get(network_id)
            if port is not None:
                self._unplug(port.port_id)
            links.remove_namespace(_namespace(network_id))
            self._serving.pop(network_id, None)
            self._file(network_id).unlink(missing_ok=True)

    def metadata_networks(self) -> set[str]:
        """Return the networks whose metadata requests are answered here."""
        return self._proxy.networks()

    def _connect(self, port: MetadataPort, device: str) -> None:
        namespace = _namespace(port.network_id)
        links.ensure_namespace(namespace)
        if not _is_connected(device, namespace):
            self._unplug(port.port_id)  # the switch would hold on to the link that was
            links.change([f"link add {device} type veth peer name {_INSIDE} netns {namespace}"])
        links.change([f"link set {device} up"])
        links.change([f"link set {_INSIDE} address {port.mac}"], namespace)
        links.ensure_addresses(_INSIDE, [*port.cidrs, *_ADDRESSES], namespace)
        links.inside(namespace, lambda: links.checksum_here(_INSIDE))
        self._switch.plug(Plug(device=device, port_id=port.port_id, mac=port.mac))

    def _unplug(self, port_id: str) -> None:
        self._switch.unplug(_device(port_id))
        links.remove(_device(port_id))

    def _note(self, port: MetadataPort) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        draft = self._directory / f"{port.network_id}.new"
        draft.write_bytes(msgspec.json.encode(port))
        draft.replace(self._file(port.network_id))

    def _noted(self) -> dict[str, MetadataPort]:
        noted = {}
        for path in self._directory.glob("*.json"):
            with contextlib.suppress(msgspec.MsgspecError, FileNotFoundError):
                noted[path.stem] = msgspec.json.decode(path.read_bytes(), type=MetadataPort)
        return noted

    def _file(self, network_id: str) -> Path:
        return self._directory / f"{network_id}.json"


def _namespace(network_id: str) -> str:
    return f"ovnmeta-{network_id}"


def _device(port_id: str) -> str:
    return f"md-{port_id[:11]}"


def _is_connected(device: str, namespace: str) -> bool:
    """Say whether the link leads into the namespace."""
    if not links.exists(device):
        return False
    try:
        links.addresses(_INSIDE, namespace)
    except Unavailable:
        return False
    return True


def _listen(namespace: str) -> socket.socket:
    """Open a socket inside the namespace; it stays there wherever it is used."""

    def listen() -> socket.socket:
        return socket.create_server(
            ("::", _PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
        )

    try:
        return links.inside(namespace, listen)
    except OSError as error:
        raise Unavailable(f"No metadata socket in {namespace}: {error}.") from error
