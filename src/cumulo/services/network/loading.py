"""Plans of many units at once, read from the database in few statements."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from cumulo.db import Tx
from cumulo.services.network import plans
from cumulo.services.network.drivers.base import (
    NetworkPlan,
    PortPlan,
    RouterPlan,
    SecurityGroupPlan,
    Unit,
)
from cumulo.services.network.store import address_groups as address_store
from cumulo.services.network.store import allocations, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import port_forwardings as forwarding_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import qos_policies as qos_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import security_groups as group_store
from cumulo.services.network.store import segments as segment_store
from cumulo.services.network.store import subnetpools as pool_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store import trunks as trunk_store
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.subnets import Subnet

Plan: TypeAlias = NetworkPlan | PortPlan | RouterPlan | SecurityGroupPlan
# A floating IP's own port holds its address and MAC; nothing is ever plugged into it.
UNPLUGGED = "network:floatingip"


def load(tx: Tx, units: Iterable[tuple[Unit, str]]) -> dict[tuple[Unit, str], Plan]:
    """Return the plan of each unit there is; a unit without one is to be removed."""
    wanted: defaultdict[Unit, set[str]] = defaultdict(set)
    for unit, unit_id in units:
        wanted[unit].add(unit_id)
    found: dict[tuple[Unit, str], Plan] = {}
    found |= {("network", p.id): p for p in _networks(tx, wanted["network"])}
    found |= {("port", p.id): p for p in _ports(tx, wanted["port"])}
    found |= {("router", p.id): p for p in _routers(tx, wanted["router"])}
    found |= {("security_group", p.id): p for p in _groups(tx, wanted["security_group"])}
    return found


def _networks(tx: Tx, ids: Collection[str]) -> list[NetworkPlan]:
    networks = network_store.networks_by_id(tx, ids)
    if not networks:
        return []
    subnets: defaultdict[str, list[Subnet]] = defaultdict(list)
    for subnet in subnet_store.subnets_of(tx, networks):
        subnets[subnet.network_id].append(subnet)
    p = tables.port.c
    where = (p.network_id.in_(networks), p.made_for == p.network_id)
    serving = {port.network_id: port.id for port in port_store.ports_where(tx, *where)}
    ips = allocations.allocation_map(tx, serving.values())
    segments = segment_store.segments_map(tx, networks)
    return [
        plans.network_plan(
            network,
            subnets[id_],
            ips.get(serving.get(id_, ""), []),
            segments.get(id_, [])[1:],
        )
        for id_, network in networks.items()
    ]


def _ports(tx: Tx, ids: Collection[str]) -> list[PortPlan]:
    found = port_store.ports_by_id(tx, ids).values()
    plugged = {port.id: port for port in found if port.device_owner != UNPLUGGED}
    if not plugged:
        return []
    legs = router_store.legs_of_ports(tx, plugged)
    ips = allocations.allocation_map(tx, plugged)
    groups = port_store.groups_map(tx, plugged)
    networks = network_store.networks_by_id(tx, {port.network_id for port in plugged.values()})
    policies = {id_: _policy(port, networks) for id_, port in plugged.items()}
    carried = trunk_store.carried(tx, plugged)
    rules = qos_store.rules_of(tx, {each for each in policies.values() if each})
    return [
        plans.port_plan(
            plans.Plugged(port, ips.get(id_, []), groups.get(id_, [])),
            legs.get(id_),
            networks[port.network_id],
            rules.get(policies[id_] or "", []),
            carried.get(id_),
        )
        for id_, port in plugged.items()
    ]


def _policy(port: Port, networks: Mapping[str, Network]) -> str | None:
    """Return the QoS policy of a port: its own, or that of its network's guests."""
    own = port.device_owner.startswith("network:")
    return port.qos_policy_id or (None if own else networks[port.network_id].qos_policy_id)


def _groups(tx: Tx, ids: Collection[str]) -> list[SecurityGroupPlan]:
    groups = group_store.groups_by_id(tx, ids)
    rules = group_store.rules_map(tx, [group.id for group in groups])
    named = {one.remote_address_group_id for found in rules.values() for one in found}
    addresses = address_store.addresses_of(tx, [each for each in named if each])
    return [
        plans.security_group_plan(group, rules.get(group.id, []), addresses) for group in groups
    ]


def _routers(tx: Tx, ids: Collection[str]) -> list[RouterPlan]:
    routers = router_store.routers_by_id(tx, ids)
    if not routers:
        return []
    rows = router_store.legs_of(tx, routers)
    floating = floatingip_store.floatingips_of_routers(tx, routers)
    wanted = [row.port_id for row in rows] + [one.floating_port_id for one in floating]
    port_rows = port_store.ports_by_id(tx, wanted)
    ips = allocations.allocation_map(tx, [row.port_id for row in rows])
    subnet_ids = {fixed.subnet_id for found in ips.values() for fixed in found}
    around = plans.Surroundings(
        network_store.networks_by_id(tx, {port.network_id for port in port_rows.values()}),
        subnet_store.subnets_by_id(tx, subnet_ids),
        {port.id: port.mac_address for port in port_rows.values()},
        pool_store.scopes_of_subnets(tx, subnet_ids),
        forwarding_store.forwardings_of(tx, [one.id for one in floating]),
        qos_store.rules_of(tx, {one.qos_policy_id for one in floating if one.qos_policy_id}),
    )
    legs: defaultdict[str, list[plans.Leg]] = defaultdict(list)
    for row in rows:
        leg = plans.Leg(row.kind, port_rows[row.port_id], ips.get(row.port_id, []))
        legs[row.router_id].append(leg)
    carried: defaultdict[str, list[floatingip_store.FloatingIp]] = defaultdict(list)
    for one in floating:
        carried[one.router_id or ""].append(one)
    return [
        plans.router_plan(router, legs[id_], carried[id_], around)
        for id_, router in routers.items()
    ]
