"""What security groups let through: the first rule that admits a packet."""

import ipaddress
from collections.abc import Callable, Collection, Iterable

from cumulo.services.network.drivers.base import RulePlan, SecurityGroupPlan
from cumulo.services.network.paths.hops import Packet
from cumulo.services.network.security_group_rules import number_of

_NUMBERS = {"icmp": {1, 58}}
Members = Callable[[str], Collection[str]]


def admitting(
    groups: Iterable[SecurityGroupPlan], direction: str, packet: Packet, members: Members
) -> tuple[SecurityGroupPlan, RulePlan] | None:
    """Return the first rule that admits the packet, with its group."""
    for group in groups:
        for rule in group.rules:
            if rule.direction == direction and _admits(rule, packet, members):
                return group, rule
    return None


def _admits(rule: RulePlan, packet: Packet, members: Members) -> bool:
    far = packet.source_ip if rule.direction == "ingress" else packet.destination_ip
    return (
        rule.ethertype == f"IPv{packet.version}"
        and _is_protocol(rule, packet)
        and _is_remote(rule, far, members)
    )


def _is_protocol(rule: RulePlan, packet: Packet) -> bool:
    if rule.protocol is None or number_of(rule.protocol) == 0:
        return True
    if number_of(rule.protocol) not in protocol_numbers(packet.protocol):
        return False
    low, high = rule.port_range_min, rule.port_range_max
    if low is None:
        return True
    if packet.protocol == "icmp":
        echo = 8 if packet.version == 4 else 128
        return low == echo and high in {None, 0}
    asked = packet.destination_port
    return asked is None or low <= asked <= (65535 if high is None else high)


def protocol_numbers(protocol: str) -> set[int]:
    """Return the numbers that a protocol's name stands for."""
    return _NUMBERS.get(protocol) or {number_of(protocol)}


def _is_remote(rule: RulePlan, far: str, members: Members) -> bool:
    if rule.remote_ip_prefix is not None:
        return is_within(far, rule.remote_ip_prefix)
    if rule.remote_addresses is not None:
        return any(is_within(far, each) for each in rule.remote_addresses)
    if rule.remote_group_id is not None:
        return any(is_within(far, each) for each in members(rule.remote_group_id))
    return True


def is_within(address: str, prefix: str) -> bool:
    """Say whether an address is one of a prefix; those of the other family never are."""
    found, network = ipaddress.ip_address(address), ipaddress.ip_network(prefix, strict=False)
    return found.version == network.version and found in network
