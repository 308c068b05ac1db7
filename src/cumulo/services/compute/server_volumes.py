"""What compute does for block storage: volumes that servers have."""

from collections.abc import Callable

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound, Unavailable
from cumulo.node.api import HostError, Volume, place_of
from cumulo.services.compute import services, states, volumes
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import block_devices as store
from cumulo.services.compute.store import servers as server_store
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.volume.public import Reached
from cumulo.work import Caller


class ServerVolumes:
    """Answers block storage; `tools` come late, since each service is given the other's."""

    def __init__(self, tools: Callable[[], Tools]) -> None:
        self._tools = tools

    def holds(self, tx: Tx, server_id: str, attachment_id: str) -> bool:
        """Say whether a server has a volume by this attachment."""
        return store.is_held(tx, server_id, attachment_id)

    def resize_volume(self, caller: Caller, server_id: str, volume_id: str, size_gib: int) -> None:
        """Let the server's guest see that its volume is larger."""
        tools = self._tools()
        host = tools.db.write(_grown, server_id, volume_id, size_gib)
        if host is not None:
            wanted = tools.db.read(volumes.host_volumes, server_id)
            told = volumes.with_secrets(tools, wanted)
            tools.nodes.on(host).ensure_volumes(server_id, told)
            tools.db.write(_told, caller, server_id, host)

    def copy_volume(self, server_id: str, volume_id: str, path: str) -> bool:
        """Let the server's host copy a volume at one moment; False: nobody writes to it."""
        tools = self._tools()
        host = tools.db.read(_host_of, server_id, volume_id)
        return host is not None and tools.nodes.on(host).copy_volume(server_id, volume_id, path)

    def copies_volumes(self, server_id: str) -> bool:
        """Say whether the server's host copies volumes; an emulated one does not."""
        tools = self._tools()
        server = tools.db.read(server_store.server_get, server_id)
        return tools.nodes.on(server.host or "").facts().hypervisor_type != "fake"

    def exchange_volume(self, server_id: str, volume_id: str, there: Reached) -> None:
        """Let the server, which runs, have its volume there, with all it holds."""
        tools = self._tools()
        server, device = tools.db.read(_server_with, server_id, volume_id)
        states.check("exchange_volume", server.id, server.vm_state, None)
        new = _placed(device, there)
        told = msgspec.structs.replace(new, secrets=dict(there.secrets))
        host = server.host or ""
        try:
            tools.nodes.on(host).exchange_volume(server_id, told)
        except Unavailable as error:
            if host in tools.db.read(services.down_hosts, tools.health):
                raise HostError(f"Host {host} is down: {error.message}", host=host) from error
            raise
        tools.db.write(_exchanged, device.id, new)

    def is_volume_at(self, server_id: str, volume_id: str, there: Reached) -> bool:
        """Say whether the server's guest has its volume there; of a host that is down, had it."""
        tools = self._tools()
        try:
            server, device = tools.db.read(_server_with, server_id, volume_id)
            found = tools.nodes.on(server.host or "").volume_place(server_id, volume_id)
        except NotFound:
            return False
        except Unavailable:
            if server.host not in tools.db.read(services.down_hosts, tools.health):
                raise
            found = place_of(msgspec.convert(device.connection, Volume))
        return found == place_of(_placed(device, there))


def _placed(device: store.BlockDevice, there: Reached) -> Volume:
    """Return a connected volume as its host reaches it elsewhere."""
    kept = msgspec.convert(device.connection, Volume)
    kept = msgspec.structs.replace(kept, path="", monitors=[], user="", header=there.header)
    return msgspec.structs.replace(kept, **there.target)


def _server_with(tx: Tx, server_id: str, volume_id: str) -> tuple[Server, store.BlockDevice]:
    """Return a server and a volume that is connected to it."""
    server = server_store.server_get(tx, server_id)
    device = volumes.device_of(tx, server_id, volume_id)
    if device.connection is None:
        raise NotFound(f"Volume {volume_id} is connected to no host.", volume_id=volume_id)
    return server, device


def _exchanged(tx: Tx, device_id: str, there: Volume) -> None:
    store.device_update(tx, device_id, connection=msgspec.to_builtins(there))


def _host_of(tx: Tx, server_id: str, volume_id: str) -> str | None:
    """Return the host on which a server's guest has a volume."""
    server = server_store.server_find(tx, server_id)
    if server is None or server.is_deleted:
        return None
    for device in store.devices_of(tx, server_id):
        if device.volume_id == volume_id and device.connection is not None:
            return server.host
    return None


def _told(tx: Tx, caller: Caller, server_id: str, host: str) -> None:
    """Record among the server's actions that its guest saw it, once for each request."""
    request_id = caller.request_id or ""
    if actions.action_find(tx, server_id, request_id) is None:
        doer = actions.Doer(request_id, caller.user_id or "", caller.project_id)
        number = actions.action_insert(tx, server_id, "extend_volume", doer)
        actions.event_start(tx, number, "compute_extend_volume", host)
        actions.event_finish(tx, number, "compute_extend_volume")


def _grown(tx: Tx, server_id: str, volume_id: str, size_gib: int) -> str | None:
    server = server_store.server_find(tx, server_id)
    if server is None or server.is_deleted:
        return None
    for device in store.devices_of(tx, server_id):
        if device.volume_id == volume_id and device.connection is not None:
            connection = {**device.connection, "size_gib": size_gib}
            store.device_update(tx, device.id, connection=connection)
            return server.host
    return None
