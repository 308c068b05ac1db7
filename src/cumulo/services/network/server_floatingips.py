"""Floating IPs as Nova speaks of them: of pools, by their addresses, leading to servers."""

from collections.abc import Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.network import floatingip_deletion, floatingips, networks
from cumulo.services.network.floatingips import FloatingIpChange, FloatingIpSpec
from cumulo.services.network.owners import viewer
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import allocations, sharing, tables
from cumulo.services.network.store import floatingips as store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.tools import Tools


class ServerFloatingIp(msgspec.Struct, frozen=True, kw_only=True):
    """A floating IP, the pool that it is of, and the server that it leads to."""

    id: str
    address: str
    pool: str
    fixed_ip: str | None
    server_id: str | None


def list_floatingips(tx: Tx, ctx: Context) -> list[ServerFloatingIp]:
    """Return the floating IPs of the caller's project."""
    own = tables.floatingip.c.project_id == (ctx.project_id or "")
    return _shown(tx, store.floatingips_where(tx, own))


def show_floatingip(tx: Tx, ctx: Context, floatingip_id: str) -> ServerFloatingIp:
    """Return a floating IP the caller may know of."""
    return _shown(tx, [floatingips.floatingip_visible(tx, ctx, floatingip_id)])[0]


def allocate(tx: Tx, ctx: Context, tools: Tools, pool: str | None) -> ServerFloatingIp:
    """Make a floating IP of a pool, by its name or id; without one, of the first there is."""
    pools = networks.external_networks_visible(tx, ctx)
    found = [each for each in pools if pool is None or pool in (each.id, each.name)]
    if not found:
        raise NotFound("Floating IP pool not found.", pool=pool)
    spec = FloatingIpSpec(floating_network_id=found[0].id)
    made = floatingips.create_floatingip(tx, ctx, tools.settings, spec)
    return _shown(tx, [made])[0]


def release(tx: Tx, ctx: Context, floatingip_id: str) -> None:
    """Forget a floating IP, wherever it leads."""
    found = floatingips.floatingip_visible(tx, ctx, floatingip_id)
    floatingip_deletion.delete_floatingip(tx, ctx, found)


def associate(
    tx: Tx, ctx: Context, server_id: str, address: str, fixed_address: str | None
) -> None:
    """Let a floating IP lead to a server: to the address named, or to its first."""
    floatingip = _by_address(tx, ctx, address)
    ports = port_store.ports_of_devices(tx, [server_id], COMPUTE)
    fixed = allocations.allocation_map(tx, [port.id for port in ports])
    held = [(port.id, ip.ip_address) for port in ports for ip in fixed.get(port.id, [])]
    v4 = [(port_id, ip) for port_id, ip in held if ":" not in ip]
    if not v4:
        raise Invalid("No fixed IPs associated to instance", server_id=server_id)
    wanted = [each for each in v4 if fixed_address in (None, each[1])]
    if not wanted:
        raise Invalid("Specified fixed address not assigned to instance", field="fixed_address")
    # A subnet that no router joins to the outside is no way in; of two that are, the first.
    for port_id, ip in wanted:
        change = FloatingIpChange(port_id=port_id, fixed_ip_address=ip)
        try:
            floatingips.update_floatingip(tx, ctx, floatingip, change, None)
        except NotFound as error:
            refused = error
        except Conflict as error:
            raise Invalid(error.message) from error
        else:
            return
    raise Invalid(refused.message) from refused


def dissociate(tx: Tx, ctx: Context, server_id: str, address: str) -> None:
    """Let a floating IP that leads to a server lead nowhere."""
    floatingip = _by_address(tx, ctx, address)
    if _shown(tx, [floatingip])[0].server_id != server_id:
        raise Conflict(f"Floating IP {address} is not associated with instance {server_id}.")
    floatingips.update_floatingip(tx, ctx, floatingip, FloatingIpChange(port_id=None), None)


def _by_address(tx: Tx, ctx: Context, address: str) -> FloatingIp:
    own = sharing.owned(tables.floatingip, viewer(ctx))
    found = store.floatingips_where(tx, own, tables.floatingip.c.floating_ip_address == address)
    if not found:
        raise NotFound("floating IP not found", address=address)
    return found[0]


def _shown(tx: Tx, found: Sequence[FloatingIp]) -> list[ServerFloatingIp]:
    ports = port_store.ports_by_id(tx, {one.port_id for one in found if one.port_id})
    pools = {one.floating_network_id for one in found}
    found_pools = network_store.networks_by_id(tx, pools).values()
    names = {each.id: each.name or each.id for each in found_pools}
    servers = {
        port.id: port.device_id for port in ports.values() if port.device_owner.startswith(COMPUTE)
    }
    return [
        ServerFloatingIp(
            id=one.id,
            address=one.floating_ip_address,
            pool=names.get(one.floating_network_id, one.floating_network_id),
            fixed_ip=one.fixed_ip_address,
            server_id=servers.get(one.port_id or ""),
        )
        for one in found
    ]
