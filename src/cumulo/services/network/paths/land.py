"""What lies on a packet's way, read from the database when it gets there."""

import ipaddress
from collections.abc import Iterable

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.drivers.base import (
    NetworkPlan,
    PortPlan,
    RouterPlan,
    SecurityGroupPlan,
    SubnetPlan,
    Unit,
)
from cumulo.services.network.loading import Plan, load
from cumulo.services.network.paths.admission import is_within
from cumulo.services.network.store import allocations, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import security_groups as group_store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.ports import Port


class Land:
    """Networks, ports, routers and groups as the backend is to have them, each read once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._plans: dict[tuple[Unit, str], Plan] = {}

    def network(self, network_id: str) -> NetworkPlan:
        """Return a network."""
        plan = self._plan("network", network_id)
        assert isinstance(plan, NetworkPlan)
        return plan

    def port(self, port_id: str) -> PortPlan:
        """Return a port."""
        plan = self._plan("port", port_id)
        assert isinstance(plan, PortPlan)
        return plan

    def router(self, router_id: str) -> RouterPlan:
        """Return a router."""
        plan = self._plan("router", router_id)
        assert isinstance(plan, RouterPlan)
        return plan

    def groups(self, port: PortPlan) -> list[SecurityGroupPlan]:
        """Return the security groups of a port."""
        found = [self._plan("security_group", each) for each in port.security_group_ids]
        return [each for each in found if isinstance(each, SecurityGroupPlan)]

    def _plan(self, unit: Unit, unit_id: str) -> Plan:
        key: tuple[Unit, str] = (unit, unit_id)
        if key not in self._plans:
            self._plans |= load(self._tx, [key])
        return self._plans[key]

    def row(self, port_id: str) -> Port:
        """Return a port as it is stored: with its owner and its status."""
        found = port_store.port_find(self._tx, port_id)
        assert found is not None
        return found

    def owner_of_network(self, network_id: str) -> str:
        """Return the project of a network."""
        return network_store.owners_of(self._tx, [network_id])[network_id]

    def owner_of_router(self, router_id: str) -> str:
        """Return the project of a router."""
        return router_store.routers_by_id(self._tx, [router_id])[router_id].project_id

    def owner_of_group(self, group_id: str) -> str:
        """Return the project of a security group."""
        return group_store.owners_of(self._tx, [group_id])[group_id]

    def floatingip(self, floatingip_id: str) -> FloatingIp:
        """Return a floating IP."""
        found = floatingip_store.floatingip_find(self._tx, floatingip_id)
        assert found is not None
        return found

    def subnets(self, port: PortPlan) -> list[tuple[SubnetPlan, str]]:
        """Return the subnets that a port has addresses in, with these."""
        known = {subnet.id: subnet for subnet in self.network(port.network_id).subnets}
        return [(known[subnet_id], address) for subnet_id, address in port.fixed_ips]

    def holder(self, network_id: str, address: str) -> Port | None:
        """Return the port of a network that has an address, or may use it besides its own."""
        p, a = tables.port.c, tables.allocation.c
        key = allocations.key_of(address)
        own = sa.select(a.port_id).where(a.ip_key == key, a.ip_address == address)
        found = port_store.ports_where(self._tx, p.network_id == network_id, p.id.in_(own))
        if found:
            return found[0]
        more = port_store.ports_where(
            self._tx, p.network_id == network_id, sa.cast(p.allowed_address_pairs, sa.Text) != "[]"
        )
        return next((port for port in more if _is_paired(port, address)), None)

    def members(self, group_id: str) -> list[str]:
        """Return the addresses of a security group's ports."""
        ids = group_store.group_ports(self._tx, group_id)
        fixed = allocations.allocation_map(self._tx, ids)
        pairs = port_store.ports_by_id(self._tx, ids).values()
        own = [ip.ip_address for found in fixed.values() for ip in found]
        return own + [pair.ip_address for port in pairs for pair in port.allowed_address_pairs]


def _is_paired(port: Port, address: str) -> bool:
    """Say whether a port may use just this address; whole ranges are nobody's home."""
    return any(
        is_within(address, pair.ip_address)
        and ipaddress.ip_network(pair.ip_address, strict=False).num_addresses == 1
        for pair in port.allowed_address_pairs
    )


def longest(address: str, prefixes: Iterable[str]) -> str | None:
    """Return the longest of the prefixes that an address is within."""
    fit = [prefix for prefix in prefixes if is_within(address, prefix)]
    return max(
        fit, key=lambda prefix: ipaddress.ip_network(prefix, strict=False).prefixlen, default=None
    )
