"""Floating IPs for clients that ask compute for them."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute import servers
from cumulo.services.compute.tools import Tools
from cumulo.services.network import public as network

FloatingIp = network.ServerFloatingIp


def list_floating_ips(tx: Tx, ctx: Context) -> list[FloatingIp]:
    """Return the floating IPs of the project."""
    return network.list_floatingips(tx, ctx)


def show_floating_ip(tx: Tx, ctx: Context, floating_ip_id: str) -> FloatingIp:
    """Return a floating IP the caller may know of."""
    try:
        return network.show_floatingip(tx, ctx, floating_ip_id)
    except NotFound as error:
        raise NotFound(f"Floating IP not found for ID {floating_ip_id}") from error


def allocate(tx: Tx, ctx: Context, tools: Tools, pool: str | None) -> FloatingIp:
    """Take a floating IP from a pool."""
    return network.allocate_floatingip(tx, ctx, tools.network, pool)


def release(tx: Tx, ctx: Context, floating_ip_id: str) -> None:
    """Give a floating IP back."""
    show_floating_ip(tx, ctx, floating_ip_id)
    network.release_floatingip(tx, ctx, floating_ip_id)


def add_floating_ip(
    tx: Tx, ctx: Context, server_id: str, address: str, fixed_address: str | None
) -> None:
    """Let a floating IP lead to a server."""
    server = servers.server_visible(tx, ctx, server_id)
    network.associate_floatingip(tx, ctx, server.id, address, fixed_address)
    servers.record(tx, ctx, server, "add_floating_ip", address=address)


def remove_floating_ip(tx: Tx, ctx: Context, server_id: str, address: str) -> None:
    """Let a floating IP lead to a server no more."""
    server = servers.server_visible(tx, ctx, server_id)
    network.dissociate_floatingip(tx, ctx, server.id, address)
    servers.record(tx, ctx, server, "remove_floating_ip", address=address)
