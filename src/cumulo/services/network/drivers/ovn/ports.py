"""Ports as logical switch ports: addresses, port security, DHCP, names, groups."""

import ipaddress
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from cumulo.services.network.drivers.base import PortPlan
from cumulo.services.network.drivers.ovn.acls import drop_group_id
from cumulo.services.network.drivers.ovn.dhcp import is_true, own_options
from cumulo.services.network.drivers.ovn.names import (
    port_group_id,
    port_row_id,
    router_port_name,
    switch_id,
)
from cumulo.services.network.drivers.ovn.qos import qos_cells, qos_rows
from cumulo.services.network.drivers.ovn.replica import Row as Present
from cumulo.services.network.drivers.ovn.rows import Parent, Row, Value, row_id, unit_mark

WISHES = "cumulo:dhcp"
GROUPS = "cumulo:groups"
_FAMILIES = {4: "dhcpv4_options", 6: "dhcpv6_options"}


class DhcpWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a port to give it DHCP; kept beside the port in OVN.

    A network that changes can then change its ports' DHCP without their plans.
    """

    port_id: str
    network_id: str
    subnet_ids: list[str]
    options: dict[str, str]  # by DHCPv4
    options6: dict[str, str] = {}  # by DHCPv6


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a subnet's guests are told."""

    cidr: str
    options: dict[str, str]


class Dhcp(msgspec.Struct, frozen=True):
    """How a port gets its DHCP: cells of its row, and rows of its own."""

    cells: dict[str, Value]
    rows: list[Row]


def is_shown(plan: PortPlan) -> bool:
    """Say whether the port is one in OVN: a floating IP's own port only keeps its address."""
    return plan.device_owner != "network:floatingip"


def port_rows(plan: PortPlan, offers: Mapping[str, Offer]) -> list[Row]:
    """Return the port with its DHCP and its name; `offers` are the known subnets'."""
    if not is_shown(plan):
        return []
    wishes = dhcp_wishes(plan)
    dhcp = port_dhcp(wishes, offers) if wishes is not None else Dhcp(_no_dhcp(), [])
    kind = _kind(plan)
    row = Row(
        table="Logical_Switch_Port",
        key=plan.id,
        unit=unit_mark("port", plan.id),
        columns={
            "name": plan.id,
            "type": kind,
            "addresses": addresses(plan),
            "port_security": port_security(plan),
            "enabled": frozenset({plan.admin_state_up}),
            "options": _options(plan, kind),
            "tag": frozenset() if plan.tag is None else frozenset({plan.tag}),
            "parent_name": frozenset({plan.parent_id} - {""}),
            **dhcp.cells,
        },
        ids={
            "neutron:port_name": plan.name,
            "neutron:device_owner": plan.device_owner,
            GROUPS: " ".join(sorted(group_ids(plan))),
            WISHES: "" if wishes is None else msgspec.json.encode(wishes).decode(),
        },
        parent=Parent("Logical_Switch", switch_id(plan.network_id), "ports"),
    )
    return [row, *dhcp.rows, *_names(plan), *_qos(plan)]


def dhcp_wishes(plan: PortPlan) -> DhcpWishes | None:
    """Return what the port wants of DHCP; None when it is none of a guest's."""
    if plan.device_owner.startswith("network:"):
        return None
    options = dict(plan.dhcp_options)
    if plan.hostname:
        options.setdefault("hostname", plan.hostname)
    return DhcpWishes(
        port_id=plan.id,
        network_id=plan.network_id,
        subnet_ids=list(dict.fromkeys(subnet_id for subnet_id, _ in plan.fixed_ips)),
        options=options,
        options6=plan.dhcpv6_options,
    )


def port_dhcp(wishes: DhcpWishes, offers: Mapping[str, Offer]) -> Dhcp:
    """Return a port's DHCP: of its first subnet of each family that offers any."""
    cells, rows = _no_dhcp(), []
    for subnet_id in wishes.subnet_ids:
        offer = offers.get(subnet_id)
        if offer is None:
            continue
        version = 6 if ":" in offer.cidr else 4
        column, asked = _FAMILIES[version], _asked(wishes, version)
        if cells[column] or is_true(asked.get("dhcp_disabled", "")):
            continue
        if asked:
            rows.append(_own_row(wishes, offer, version))
            cells[column] = frozenset({rows[-1].id})
        else:
            cells[column] = frozenset({row_id("DHCP_Options", subnet_id)})
    return Dhcp(cells, rows)


def own_row_ids(port_id: str) -> set[str]:
    """Return the UUIDs of a port's own DHCP options, as far as it has any."""
    return {row_id("DHCP_Options", _own_key(port_id, version)) for version in _FAMILIES}


def _own_key(port_id: str, version: int) -> str:
    return f"{port_id} own" if version == 4 else f"{port_id} own v6"


def _asked(wishes: DhcpWishes, version: int) -> dict[str, str]:
    return wishes.options6 if version == 6 else wishes.options


def wishes_of(present: Present) -> DhcpWishes | None:
    """Return the wishes kept beside a port."""
    ids = present["external_ids"]
    assert isinstance(ids, dict)
    text = ids.get(WISHES)
    return msgspec.json.decode(text, type=DhcpWishes) if text else None


def groups_of(present: Present) -> set[str]:
    """Return the UUIDs of the port groups that a port was put into."""
    ids = present["external_ids"]
    assert isinstance(ids, dict)
    return set(ids.get(GROUPS, "").split())


def group_ids(plan: PortPlan) -> set[str]:
    """Return the UUIDs of the port groups that a port belongs into."""
    if not _is_guarded(plan):
        return set()
    return {drop_group_id(), *map(port_group_id, plan.security_group_ids)}


def addresses(plan: PortPlan) -> frozenset[str]:
    """Return where frames for the port are known to go."""
    if _kind(plan) == "router":
        return frozenset({"router"})
    own = " ".join([plan.mac, *(address for _, address in plan.fixed_ips)])
    others = {pair.mac.lower() for pair in plan.address_pairs} - {plan.mac.lower()}
    unknown = set() if plan.port_security else {"unknown"}
    return frozenset({own, *others, *unknown})


def port_security(plan: PortPlan) -> frozenset[str]:
    """Return the addresses that the port may send from; empty: any."""
    if not _is_guarded(plan):
        return frozenset()
    allowed: dict[str, list[str]] = defaultdict(list)
    allowed[plan.mac.lower()] += [address for _, address in plan.fixed_ips]
    for pair in plan.address_pairs:
        allowed[pair.mac.lower()].append(_bare(pair.ip))
    # A MAC address alone would allow every IP address with it: a port without addresses has one
    # that nobody has.
    return frozenset(
        " ".join([mac, *dict.fromkeys(addresses or ["0.0.0.0"])])  # noqa: S104
        for mac, addresses in allowed.items()
    )


def _is_guarded(plan: PortPlan) -> bool:
    return plan.port_security and not plan.device_owner.startswith("network:")


def _kind(plan: PortPlan) -> str:
    if plan.device_owner.startswith("network:router_"):
        return "router"
    return "localport" if plan.device_owner == "network:distributed" else ""


def _options(plan: PortPlan, kind: str) -> dict[str, str]:
    if kind == "router":
        options = {"router-port": router_port_name(plan.id)}
        if plan.device_owner == "network:router_gateway":
            options |= {"nat-addresses": "router", "exclude-lb-vips-from-garp": "true"}
        return options
    if kind != "":
        return {}
    options = {"requested-chassis": plan.host} if plan.host and not plan.parent_id else {}
    if plan.min_kbps:
        options["qos_min_rate"] = str(plan.min_kbps * 1000)
    return options


def _no_dhcp() -> dict[str, Value]:
    return {column: frozenset() for column in _FAMILIES.values()}


def _own_row(wishes: DhcpWishes, offer: Offer, version: int) -> Row:
    return Row(
        table="DHCP_Options",
        key=_own_key(wishes.port_id, version),
        unit=unit_mark("port", wishes.port_id),
        columns={
            "cidr": offer.cidr,
            "options": own_options(offer.options, offer.cidr, _asked(wishes, version)),
        },
    )


def _names(plan: PortPlan) -> list[Row]:
    """Return what the network's name service says of a guest."""
    if not plan.hostname or not plan.fixed_ips or plan.device_owner.startswith("network:"):
        return []
    own = [address for _, address in plan.fixed_ips]
    name = plan.hostname.lower()
    whole = f"{name}.{plan.dns_domain.lower()}" if plan.dns_domain else name
    pointers = {ipaddress.ip_address(address).reverse_pointer: whole for address in own}
    return [
        Row(
            table="DNS",
            key=plan.id,
            unit=unit_mark("port", plan.id),
            columns={"records": {each: " ".join(own) for each in (name, whole)} | pointers},
            parent=Parent("Logical_Switch", switch_id(plan.network_id), "dns_records"),
        )
    ]


def _qos(plan: PortPlan) -> list[Row]:
    """Return how fast a guest may be and how its packets are marked."""
    if plan.device_owner.startswith("network:"):
        return []
    place, cells = (plan.network_id, plan.id), qos_cells(plan.bandwidth, plan.dscp_mark)
    return qos_rows(plan.id, unit_mark("port", plan.id), place, cells)


def _bare(ip: str) -> str:
    """Return an address without the prefix length of a single host."""
    network = ipaddress.ip_network(ip, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def port_row_of(port_id: str) -> tuple[str, str]:
    """Return table and UUID of a port's row."""
    return "Logical_Switch_Port", port_row_id(port_id)
