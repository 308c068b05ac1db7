"""Addresses that a server's ports are given beyond their first, and lose again."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.network.addresses import FixedIpSpec
from cumulo.services.network.port_changes import update_port
from cumulo.services.network.ports import PortChange
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import allocations
from cumulo.services.network.store import ports as store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.values import FixedIp
from cumulo.services.network.tools import Tools


def add_address(tx: Tx, ctx: Context, tools: Tools, server_id: str, network_id: str) -> bool:
    """Give the server's first port in a network one more address; say whether there is one."""
    for port, fixed in _ports(tx, server_id):
        if port.network_id == network_id and fixed:
            wanted = [*map(_kept, fixed), FixedIpSpec(subnet_id=fixed[0].subnet_id)]
            update_port(tx, ctx, tools.settings, port, PortChange(fixed_ips=wanted))
            return True
    return False


def remove_address(tx: Tx, ctx: Context, tools: Tools, server_id: str, address: str) -> bool:
    """Take an address from the port of the server that has it; say whether any had."""
    for port, fixed in _ports(tx, server_id):
        left = [one for one in fixed if one.ip_address != address]
        if len(left) < len(fixed):
            wanted = list(map(_kept, left))
            update_port(tx, ctx, tools.settings, port, PortChange(fixed_ips=wanted))
            return True
    return False


def _ports(tx: Tx, server_id: str) -> list[tuple[Port, list[FixedIp]]]:
    ports = store.ports_of_devices(tx, [server_id], COMPUTE)
    fixed = allocations.allocation_map(tx, [port.id for port in ports])
    return [(port, fixed.get(port.id, [])) for port in ports]


def _kept(fixed: FixedIp) -> FixedIpSpec:
    return FixedIpSpec(subnet_id=fixed.subnet_id, ip_address=fixed.ip_address)
