"""The network as rows in OVN's northbound database.

Each call projects its plan to rows, compares them with those that are there and commits the
difference as one transaction.  So a change, a repair and a rebuild from nothing are one code.
What a unit refers to and is not there yet is made bare, and completed when that unit comes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from cumulo.services.network.drivers.base import (
    AgentReport,
    Flow,
    GatewayPlan,
    HostBandwidth,
    NetworkPlan,
    PortPlan,
    PortStatus,
    Present,
    RouterPlan,
    SecurityGroupPlan,
    Unit,
)
from cumulo.services.network.drivers.ovn import ports
from cumulo.services.network.drivers.ovn.acls import DROP_UNIT, drop_rows, group_rows
from cumulo.services.network.drivers.ovn.chassis import Hosts, watching
from cumulo.services.network.drivers.ovn.names import (
    bare_port_group,
    bare_switch,
    port_group_id,
    port_row_id,
    router_port_name,
    switch_id,
)
from cumulo.services.network.drivers.ovn.networks import network_rows, way_out_id
from cumulo.services.network.drivers.ovn.ovsdb import Client, Op
from cumulo.services.network.drivers.ovn.replica import Replica, Row
from cumulo.services.network.drivers.ovn.routers import router_rows
from cumulo.services.network.drivers.ovn.rows import Change, Parent, row_id, unit_mark
from cumulo.services.network.drivers.ovn.trace import trace

NORTH_TABLES: Mapping[str, Sequence[str]] = {
    "NB_Global": ["nb_cfg", "sb_cfg", "options"],
    "QoS": ["priority", "direction", "match", "action", "bandwidth", "external_ids"],
    "Logical_Switch": ["name", "ports", "qos_rules", "dns_records", "other_config", "external_ids"],
    "Logical_Switch_Port": [
        *("name", "type", "options", "addresses", "port_security", "enabled", "up", "tag"),
        *("parent_name", "dhcpv4_options", "dhcpv6_options", "external_ids"),
    ],
    "DHCP_Options": ["cidr", "options", "external_ids"],
    "DNS": ["records", "external_ids"],
    "Port_Group": ["name", "ports", "acls", "external_ids"],
    "ACL": [
        *("name", "priority", "direction", "match", "action", "log", "options", "external_ids"),
    ],
    "Logical_Router": [
        *("name", "ports", "static_routes", "nat", "load_balancer", "enabled", "options"),
        "external_ids",
    ],
    "Load_Balancer": ["name", "vips", "protocol", "options", "external_ids"],
    "Logical_Router_Port": [
        *("name", "mac", "networks", "gateway_chassis", "enabled", "options"),
        *("ipv6_ra_configs", "external_ids"),
    ],
    "Logical_Router_Static_Route": [
        *("ip_prefix", "nexthop", "output_port", "policy", "bfd", "external_ids"),
    ],
    "BFD": ["logical_port", "dst_ip", "external_ids"],
    "NAT": [
        *("type", "external_ip", "logical_ip", "logical_port", "external_mac", "options"),
        *("gateway_port", "external_ids"),
    ],
    "Gateway_Chassis": ["name", "chassis_name", "priority", "external_ids"],
}
SOUTH_TABLES: Mapping[str, Sequence[str]] = {
    "Chassis": ["name", "hostname", "other_config"],
    "Chassis_Private": ["name", "nb_cfg", "nb_cfg_timestamp"],
    "Port_Binding": ["logical_port", "chassis"],
}
_FIRST_HOST_WITHIN_S = 5.0


class OvnDriver:
    """OVN, by its two databases.

    With `distributed_floating_ips` a guest's own host answers for its floating IP, as long as
    every host has the external network; else the router's host does.
    """

    name = "ovn"

    def __init__(self, north: str, south: str, *, distributed_floating_ips: bool = True) -> None:
        self._north = Client(north, "OVN_Northbound", NORTH_TABLES)
        self._south = Client(south, "OVN_Southbound", SOUTH_TABLES)
        self._hosts = Hosts(self._north, self._south)
        self._distributed = distributed_floating_ips
        self._south_address = south

    def close(self) -> None:
        """Break both connections."""
        self._north.close()
        self._south.close()

    def sync_network(self, plan: NetworkPlan) -> None:
        """Make the switch, its way out and its DHCP, also that of ports which came before."""

        def compute(north: Replica) -> list[Op]:
            change = Change(north)
            rows = network_rows(plan)
            change.only(unit_mark("network", plan.id), rows)
            offers = {
                row.ids["cumulo:subnet"]: ports.Offer(
                    cidr=str(row.columns["cidr"]),
                    options=_map(row.columns["options"]),
                )
                for row in rows
                if row.table == "DHCP_Options"
            }
            for port_id in _members(north, plan.id):
                _renew_dhcp(change, port_id, offers)
            return change.operations

        self._north.transact(compute)

    def sync_port(self, plan: PortPlan) -> None:
        """Make the port, in its switch and its groups, whether these came already or not."""

        def compute(north: Replica) -> list[Op]:
            change = Change(north)
            if ports.is_shown(plan):
                change.ensure_exists(bare_switch(plan.network_id))
            subnet_ids = [subnet_id for subnet_id, _ in plan.fixed_ips]
            rows = ports.port_rows(plan, _offers(north, subnet_ids))
            present = north.row("Logical_Switch_Port", port_row_id(plan.id))
            before = ports.groups_of(present) if present is not None else set()
            change.only(unit_mark("port", plan.id), rows)
            wanted = ports.group_ids(plan) if rows else set()
            if wanted:
                change.only(DROP_UNIT, drop_rows())
                for group_id in plan.security_group_ids:
                    change.ensure_exists(bare_port_group(group_id))
            for group_id in sorted(wanted):
                change.join(Parent("Port_Group", group_id, "ports"), port_row_id(plan.id))
            for group_id in sorted(before - wanted):
                change.leave(Parent("Port_Group", group_id, "ports"), port_row_id(plan.id))
            return change.operations

        self._north.transact(compute)

    def sync_router(self, plan: RouterPlan) -> None:
        """Make the router; its way out stays where it is while no host is known."""
        ways = {way.port_id: self._way_out(way, plan.id) for way in plan.gateways}
        everywhere = all(reached for reached, _ in ways.values())
        distributed = bool(ways) and self._distributed and plan.distributed and everywhere

        def compute(north: Replica) -> list[Op]:
            change = Change(north)
            hosts = {
                way.port_id: (ways[way.port_id][1] or _gateways(north, way))[
                    : None if plan.ha else 1
                ]
                for way in plan.gateways
            }
            rows = router_rows(plan, hosts, distributed=distributed)
            for way in plan.gateways:
                change.ensure_exists(bare_switch(way.network_id))
            change.only(unit_mark("router", plan.id), rows)
            several = any(len(known) > 1 for known in hosts.values())
            return [*change.operations, *(watching(north) if several else [])]

        self._north.transact(compute)

    def _way_out(self, way: GatewayPlan, router_id: str) -> tuple[bool, list[str]]:
        """Say whether every host has a way out, and which may be the router's, best first."""
        outside = self._north.read(lambda north: _physical(north, way))
        hosts = self._hosts.gateways(outside, router_id)
        if not hosts and not self._north.read(lambda north: _gateways(north, way)):
            self._hosts.await_any(_FIRST_HOST_WITHIN_S)
            hosts = self._hosts.gateways(outside, router_id)
        return self._hosts.all_reach(outside), hosts

    def sync_security_group(self, plan: SecurityGroupPlan) -> None:
        """Make the group's rules, and put those ports into it that belong there."""

        def compute(north: Replica) -> list[Op]:
            change = Change(north)
            change.only(DROP_UNIT, drop_rows())
            change.only(unit_mark("security_group", plan.id), group_rows(plan))
            for remote in {rule.remote_group_id for rule in plan.rules} - {None, plan.id}:
                assert remote is not None
                change.ensure_exists(bare_port_group(remote))
            _settle_members(change, port_group_id(plan.id))
            return change.operations

        self._north.transact(compute)

    def remove(self, unit: Unit, unit_id: str) -> None:
        """Remove all rows of the unit; a switch takes its ports and theirs with it."""

        def compute(north: Replica) -> list[Op]:
            change = Change(north)
            if unit == "network":
                for port_id in _members(north, unit_id):
                    _remove_port(change, port_id)
            change.only(unit_mark(unit, unit_id), [])
            return change.operations

        self._north.transact(compute)

    def present(self) -> Present:
        """List the units that any row is marked with."""
        found: dict[str, set[str]] = {}
        for mark in self._north.read(lambda north: north.marks()):
            unit, _, unit_id = mark.partition(" ")
            found.setdefault(unit, set()).add(unit_id)
        return Present(
            networks=found.get("network", set()),
            ports=found.get("port", set()),
            routers=found.get("router", set()),
            security_groups=found.get("security_group", set()),
        )

    def port_status(self, port_ids: set[str]) -> dict[str, PortStatus]:
        """Say which ports northd calls up, and on which host each is plugged in."""

        def states(north: Replica) -> dict[str, bool]:
            rows = {port_id: north.row(*ports.port_row_of(port_id)) for port_id in port_ids}
            return {port_id: _is_up(row) for port_id, row in rows.items() if row is not None}

        up = self._north.read(states)
        hosts = self._south.read(lambda south: _hosts_of(south, set(up)))
        return {
            port_id: PortStatus(up=is_up, host=hosts.get(port_id)) for port_id, is_up in up.items()
        }

    def wait_in_force(self, timeout_s: float, without: Collection[str] = ()) -> None:
        """Return when every living host has the flows for all that was synced before."""
        self._hosts.wait_in_force(timeout_s, without)

    def agents(self) -> list[AgentReport]:
        """Report on each host's controller and metadata server."""
        return self._hosts.reports()

    def bandwidths(self) -> list[HostBandwidth]:
        """List the bridges that each host's controller names, with what its settings promise."""
        return self._hosts.bandwidths()

    def forget_host(self, host: str) -> None:
        """Remove the host's rows, as its controller does when it leaves in good order."""
        self._hosts.forget(host)

    def trace(self, flow: Flow) -> str:
        """Ask OVN's own tracer."""
        return trace(self._south_address, flow)


def _members(north: Replica, network_id: str) -> list[str]:
    """Return the UUIDs of the ports in a network's switch."""
    switch = north.row("Logical_Switch", switch_id(network_id))
    return [] if switch is None else sorted(_set(switch["ports"]))


def _renew_dhcp(change: Change, port_row: str, offers: Mapping[str, ports.Offer]) -> None:
    """Give a port its DHCP anew, after its subnets changed."""
    present = change.replica.row("Logical_Switch_Port", port_row)
    wishes = None if present is None else ports.wishes_of(present)
    if wishes is None or not change.has("Logical_Switch_Port", port_row):
        return
    dhcp = ports.port_dhcp(wishes, offers)
    for row in dhcp.rows:
        change.ensure(row)
    change.patch("Logical_Switch_Port", port_row, dhcp.cells)
    for stale in sorted(ports.own_row_ids(wishes.port_id) - {row.id for row in dhcp.rows}):
        change.remove("DHCP_Options", stale)


def _offers(north: Replica, subnet_ids: Iterable[str]) -> dict[str, ports.Offer]:
    rows = {each: north.row("DHCP_Options", row_id("DHCP_Options", each)) for each in subnet_ids}
    return {
        subnet_id: ports.Offer(cidr=str(row["cidr"]), options=_map(row["options"]))
        for subnet_id, row in rows.items()
        if row is not None
    }


def _settle_members(change: Change, group: str) -> None:
    """Let a port group hold the ports that name it, and no others."""
    present = change.replica.row("Port_Group", group)
    members = set() if present is None else set(_set(present["ports"]))
    named = {
        port_id
        for port_id, row in change.replica.rows("Logical_Switch_Port").items()
        if group in ports.groups_of(row)
    }
    for port_id in sorted(named - members):
        change.join(Parent("Port_Group", group, "ports"), port_id)
    for port_id in sorted(members - named):
        change.leave(Parent("Port_Group", group, "ports"), port_id)


def _remove_port(change: Change, port_row: str) -> None:
    """Remove what belongs to a port besides its row, which goes with its switch."""
    present = change.replica.row("Logical_Switch_Port", port_row)
    if present is not None:
        unit = _map(present["external_ids"]).get("cumulo:unit", "")
        for table, each in sorted(change.replica.marked(unit)):
            if table != "Logical_Switch_Port":
                change.remove(table, each)


def _physical(north: Replica, way: GatewayPlan) -> str | None:
    """Return the physical network that a router's way out leads to, as far as it is known."""
    row = north.row("Logical_Switch_Port", way_out_id(way.network_id))
    return None if row is None else _map(row["options"]).get("network_name")


def _gateways(north: Replica, way: GatewayPlan) -> list[str]:
    """Return the hosts that have a router's way out now, the best first."""
    port = north.row("Logical_Router_Port", row_id("Logical_Router_Port", way.port_id))
    if port is None or port["name"] != router_port_name(way.port_id):
        return []
    rows = [north.row("Gateway_Chassis", each) for each in _set(port["gateway_chassis"])]
    found = [(row["priority"], str(row["chassis_name"])) for row in rows if row is not None]
    return [name for _, name in sorted(found, reverse=True)]


def _is_up(row: Row) -> bool:
    return row["up"] == {True} and row["enabled"] != {False}


def _hosts_of(south: Replica, port_ids: set[str]) -> dict[str, str]:
    names = {each: str(row["hostname"]) for each, row in south.rows("Chassis").items()}
    found = {}
    for row in south.rows("Port_Binding").values():
        port_id, places = str(row["logical_port"]), _set(row["chassis"])
        if port_id in port_ids and places:
            place = next(iter(places))
            if place in names:
                found[port_id] = names[place]
    return found


def _map(cell: object) -> dict[str, str]:
    assert isinstance(cell, dict)
    return cell


def _set(cell: object) -> set[str]:
    assert isinstance(cell, set)
    return cell
