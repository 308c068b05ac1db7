"""The ports of servers: which there are, and how one is begun to be plugged in or out."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.compute import networking, servers, states
from cumulo.services.compute.networking import RequestedNic, ServerPort
from cumulo.services.compute.store import actions as action_store
from cumulo.services.compute.store import nic_tags
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a server with the tag by which its guest knows it."""

    port: ServerPort
    tag: str | None = None


def list_interfaces(tx: Tx, ctx: Context, server_id: str) -> list[Interface]:
    """Return the ports of a visible server, oldest first."""
    server = servers.server_visible(tx, ctx, server_id)
    tags = nic_tags.tags_of(tx, server.id)
    found = networking.ports_of(tx, server.id)
    return [Interface(port=port, tag=tags.get(port.id)) for port in found]


def show_interface(tx: Tx, ctx: Context, server_id: str, port_id: str) -> Interface:
    """Return a port of a visible server."""
    server = servers.server_visible(tx, ctx, server_id)
    port = networking.port_of(tx, server.id, port_id)
    return Interface(port=port, tag=nic_tags.tags_of(tx, server.id).get(port.id))


def begin_attach(
    tx: Tx, ctx: Context, tools: Tools, server_id: str, wanted: RequestedNic | None
) -> tuple[str, int]:
    """Make or take a port, and record the action; return both."""
    server = _changeable(tx, ctx, server_id, "attach_interface")
    port_id = networking.add_port(tx, ctx, tools.network, server, wanted)
    if wanted is not None and wanted.tag:
        nic_tags.tag_set(tx, server.id, port_id, wanted.tag)
    number = action_store.action_insert(tx, server.id, "attach_interface", servers.doer(ctx))
    servers.record(tx, ctx, server, "attach_interface", port=port_id)
    return port_id, number


def begin_detach(tx: Tx, ctx: Context, server_id: str, port_id: str) -> int:
    """Record that a port of the server is to be unplugged."""
    server = _changeable(tx, ctx, server_id, "detach_interface")
    networking.port_of(tx, server.id, port_id)
    servers.record(tx, ctx, server, "detach_interface", port=port_id)
    return action_store.action_insert(tx, server.id, "detach_interface", servers.doer(ctx))


def add_address(tx: Tx, ctx: Context, tools: Tools, server_id: str, network_id: str) -> None:
    """Give a server one more address in a network."""
    server = _changeable(tx, ctx, server_id, "add_fixed_ip")
    networking.add_address(tx, ctx, tools.network, server.id, network_id)
    servers.record(tx, ctx, server, "add_fixed_ip", network=network_id)


def remove_address(tx: Tx, ctx: Context, tools: Tools, server_id: str, address: str) -> None:
    """Take an address from a server."""
    server = _changeable(tx, ctx, server_id, "remove_fixed_ip")
    networking.remove_address(tx, ctx, tools.network, server.id, address)
    servers.record(tx, ctx, server, "remove_fixed_ip", address=address)


def _changeable(tx: Tx, ctx: Context, server_id: str, action: str) -> Server:
    server = servers.server_visible(tx, ctx, server_id)
    servers.check_unlocked(ctx, server)
    states.check(action, server.id, server.vm_state, server.task_state)
    return server
