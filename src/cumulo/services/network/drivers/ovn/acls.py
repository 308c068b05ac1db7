"""Security groups as port groups with access control lists.

Every port with port security is in the drop group: IP that no rule admits is dropped, ARP and
neighbour discovery pass, DHCP requests reach the switch that answers them, and a guest cannot
play DHCP server.  Ports are in the port group of each of their security groups besides.
"""

import functools
import ipaddress
from collections.abc import Iterator

import structlog

from cumulo.services.network.drivers.base import RulePlan, SecurityGroupPlan
from cumulo.services.network.drivers.ovn.names import (
    DROP_GROUP,
    bare_port_group,
    port_group_name,
)
from cumulo.services.network.drivers.ovn.rows import Parent, Row, row_id, unit_mark

DROP_UNIT = "global drop"
_DROP, _ALLOW, _REFUSE = 1001, 1002, 1003
_DIRECTIONS = {"ingress": ("to-lport", "outport"), "egress": ("from-lport", "inport")}
_FAMILIES = {"IPv4": (4, "ip4"), "IPv6": (6, "ip6")}
_WITH_PORTS = {"tcp": 6, "udp": 17, "sctp": 132}
_PORTS_UNKNOWN = {33, 136}  # dccp and udplite: OVN cannot tell their ports apart
_ICMP = {1, 58}
_REDIRECT = 137  # of IPv6 routers
_NUMBERS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
log = structlog.get_logger(__name__)


def group_rows(plan: SecurityGroupPlan) -> list[Row]:
    """Return a security group's port group and its rules."""
    unit = unit_mark("security_group", plan.id)
    group = bare_port_group(plan.id)
    parent = Parent(group.table, group.id, "acls")
    rows = [group]
    action = "allow-related" if plan.stateful else "allow-stateless"
    for rule in plan.rules:
        match = rule_match(rule, plan.id)
        if match is None:
            log.warning("rule cannot be carried out", rule=rule.id, protocol=rule.protocol)
        else:
            direction = _DIRECTIONS[rule.direction][0]
            rows.append(_acl(rule.id, unit, parent, (direction, _ALLOW, match, action)))
    if not plan.stateful:
        # Nobody remembers what a guest asked, and an answer to it is no rule's business.
        for family, address in (("ip4", "169.254.169.254"), ("ip6", "fe80::a9fe:a9fe")):
            match = (
                f"outport == @{port_group_name(plan.id)} && {family} && "
                f"{family}.src == {address} && tcp.src == 80"
            )
            key = f"{plan.id} metadata {family}"
            rows.append(_acl(key, unit, parent, ("to-lport", _ALLOW, match, action)))
    return rows


@functools.cache
def drop_rows() -> list[Row]:
    """Return the group of all ports with port security and what holds for them."""
    group = Row(
        table="Port_Group",
        key=DROP_GROUP,
        unit=DROP_UNIT,
        columns={"name": DROP_GROUP},
    )
    parent = Parent(group.table, group.id, "acls")
    sent, received = f"inport == @{DROP_GROUP}", f"outport == @{DROP_GROUP}"
    discover = "ip4 && ip4.dst == 255.255.255.255 && udp.src == 68 && udp.dst == 67"
    solicit = "ip6 && ip6.dst == ff02::1:2 && udp.src == 546 && udp.dst == 547"
    answer = (
        "((ip4 && udp.src == 67 && udp.dst == 68) || (ip6 && udp.src == 547 && udp.dst == 546))"
    )
    rules = {
        "sent": ("from-lport", _DROP, f"{sent} && ip", "drop"),
        "received": ("to-lport", _DROP, f"{received} && ip", "drop"),
        "dhcp": ("from-lport", _ALLOW, f"{sent} && {discover}", "allow-stateless"),
        "dhcpv6": ("from-lport", _ALLOW, f"{sent} && {solicit}", "allow-stateless"),
        "rogue dhcp": ("from-lport", _REFUSE, f"{sent} && {answer}", "drop"),
        # What routers advertise passes OVN 23.03's rules unseen, also those after the balancers.
        "redirect": ("from-lport", _REFUSE, f"{sent} && icmp6.type == {_REDIRECT}", "drop"),
    }
    return [
        group,
        *(_acl(f"{DROP_GROUP} {name}", DROP_UNIT, parent, rule) for name, rule in rules.items()),
    ]


def drop_group_id() -> str:
    """Return the UUID of the group that every port with port security is in."""
    return row_id("Port_Group", DROP_GROUP)


def rule_match(rule: RulePlan, group_id: str) -> str | None:
    """Return what a rule admits in OVN's language; None when it has no word for that."""
    family, word = _FAMILIES[rule.ethertype]
    _, port = _DIRECTIONS[rule.direction]
    parts = [f"{port} == @{port_group_name(group_id)}", word]
    far = "src" if rule.direction == "ingress" else "dst"
    if rule.remote_ip_prefix is not None:
        prefix = ipaddress.ip_network(rule.remote_ip_prefix, strict=False)
        if prefix.version != family:
            return None
        if prefix.prefixlen:
            parts.append(f"{word}.{far} == {prefix}")
    if rule.remote_addresses is not None:
        among = _of_family(family, rule.remote_addresses)
        if not among:
            return None
        parts.append(f"{word}.{far} == {{{', '.join(among)}}}")
    if rule.remote_group_id is not None:
        parts.append(f"{word}.{far} == ${port_group_name(rule.remote_group_id)}_{word}")
    protocol = list(_protocol(rule))
    return None if protocol == [None] else " && ".join([*parts, *filter(None, protocol)])


def _of_family(family: int, ranges: list[str]) -> list[str]:
    networks = [ipaddress.ip_network(each, strict=False) for each in ranges]
    return [str(network) for network in networks if network.version == family]


def _protocol(rule: RulePlan) -> Iterator[str | None]:
    """Yield the parts of a match that name protocol, ports or types; one None: impossible."""
    number = _number(rule)
    if number is None:
        return
    low, high = rule.port_range_min, rule.port_range_max
    name = next((name for name, known in _WITH_PORTS.items() if known == number), None)
    if number in _ICMP:
        yield from _icmp(rule.ethertype, low, high)
    elif name is None:
        impossible = number in _PORTS_UNKNOWN and low is not None and (low, high) != (1, 65535)
        yield None if impossible else f"ip.proto == {number}"
    else:
        yield name
        if low is not None and low == high:
            yield f"{name}.dst == {low}"
        elif low is not None:
            yield f"{name}.dst >= {low}"
            yield f"{name}.dst <= {65535 if high is None else high}"


def _icmp(ethertype: str, kind: int | None, code: int | None) -> Iterator[str]:
    word = "icmp4" if ethertype == "IPv4" else "icmp6"
    yield word
    if kind is not None:
        yield f"{word}.type == {kind}"
    if code is not None:
        yield f"{word}.code == {code}"


def _number(rule: RulePlan) -> int | None:
    """Return the protocol's number; None when the rule admits all."""
    if rule.protocol is None or rule.protocol.lower() in {"any", "0"}:
        return None
    name = rule.protocol.lower()
    return int(name) if name.isdigit() else _NUMBERS[name]


def _acl(key: str, unit: str, parent: Parent, rule: tuple[str, int, str, str]) -> Row:
    direction, priority, match, action = rule
    return Row(
        table="ACL",
        key=key,
        unit=unit,
        columns={
            "direction": direction,
            "priority": priority,
            "match": match,
            "action": action,
            "log": False,
            "name": frozenset(),
            "options": {},
        },
        parent=parent,
    )
