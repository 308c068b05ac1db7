"""Rules of security groups: what may be said, and when two rules say the same."""

import ipaddress
from collections.abc import Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid
from cumulo.kit.ids import new_id
from cumulo.services.network import address_groups, journal, quotas, refusals
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseInt, Text
from cumulo.services.network.store import changes, listing, sharing, standard, tables
from cumulo.services.network.store import security_groups as store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.security_groups import Rule, SecurityGroup

PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
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
_WITH_PORTS = {PROTOCOLS[name] for name in ("dccp", "sctp", "tcp", "udp", "udplite")}
_ICMP = {PROTOCOLS["icmp"], PROTOCOLS["ipv6-icmp"]}
_V6_ONLY = {41, 44, 58, 59, 60, 43}
_ETHERTYPES = {"ipv4": "IPv4", "ipv6": "IPv6"}


class RuleSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a rule it wants."""

    security_group_id: Id
    direction: Literal["ingress", "egress"]
    ethertype: str = "IPv4"
    protocol: str | int | None = None
    port_range_min: LooseInt | None = None
    port_range_max: LooseInt | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: Id | None = None
    description: Text = ""
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


def only_group(specs: Sequence[RuleSpec]) -> str:
    """Return the group that all new rules are for; there may be but one."""
    group_ids = {spec.security_group_id for spec in specs}
    if len(group_ids) > 1:
        raise Invalid(
            "Only allowed to update rules for one security profile at a time",
            type="SecurityGroupNotSingleGroupRules",
        )
    return group_ids.pop()


def create_rules(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    group: SecurityGroup,
    specs: Sequence[RuleSpec],
) -> list[Rule]:
    """Record new rules of one group, all or none."""
    rules = [_new_rule(ctx, group, spec) for spec in specs]
    if len({rule.sameness for rule in rules}) < len(rules):
        raise Conflict(
            "Duplicate Security Group Rule in POST.", type="DuplicateSecurityGroupRuleInPost"
        )
    for rule in rules:
        _check_free(tx, ctx, rule)
        quotas.take(tx, settings, rule.project_id, "security_group_rule")
    store.rules_insert(tx, rules)
    standard.change(tx, tables.security_group, group.id)
    changes.mark(tx, "security_group", [group.id])
    for rule in rules:
        journal.created(tx, ctx, "security_group_rule", rule)
    return rules


def _check_free(tx: Tx, ctx: Context, rule: Rule) -> None:
    same = store.rule_same(tx, rule.security_group_id, rule.sameness)
    if same:
        raise Conflict(
            f"Security group rule already exists. Rule id is {same}.",
            type="SecurityGroupRuleExists",
        )
    remote = rule.remote_group_id
    found = store.group_find(tx, remote) if remote else None
    if remote and (found is None or not (ctx.is_admin or found.project_id == ctx.project_id)):
        raise refusals.security_group_not_found(remote)
    if rule.remote_address_group_id:
        address_groups.group_visible(tx, ctx, rule.remote_address_group_id)


def delete_rule(tx: Tx, ctx: Context, rule: Rule) -> None:
    """Forget a rule; what it let through is cut off, open connections too."""
    if not standard.remove(tx, tables.security_group_rule, rule.id):
        raise refusals.rule_not_found(rule.id)
    quotas.give_back(tx, rule.project_id, "security_group_rule")
    standard.change(tx, tables.security_group, rule.security_group_id)
    changes.mark(tx, "security_group", [rule.security_group_id])
    journal.deleted(tx, ctx, "security_group_rule", rule)


def _new_rule(ctx: Context, group: SecurityGroup, spec: RuleSpec) -> Rule:
    now = clock.now()
    ethertype = ethertype_of(spec.ethertype)
    low, high = port_range_of(spec.port_range_min, spec.port_range_max)
    named = spec.project_id or spec.tenant_id
    rule = Rule(
        id=new_id(),
        project_id=owner(ctx, spec.project_id, spec.tenant_id) if named else group.project_id,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        security_group_id=group.id,
        direction=spec.direction,
        ethertype=ethertype,
        protocol=protocol_of(spec.protocol, ethertype),
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=prefix_of(spec.remote_ip_prefix),
        remote_group_id=spec.remote_group_id or None,
        sameness="",
        remote_address_group_id=spec.remote_address_group_id,
    )
    check(rule)
    return msgspec.structs.replace(rule, sameness=same_as(rule))


def ethertype_of(text: str) -> str:
    """Return an ethertype in its one spelling, or refuse it."""
    try:
        return _ETHERTYPES[text.lower()]
    except KeyError:
        raise Invalid(
            f"Security group rule for ethertype '{text}' not supported. "
            "Allowed values are ['IPv4', 'IPv6'].",
            type="SecurityGroupRuleInvalidEtherType",
        ) from None


def protocol_of(given: str | int | None, ethertype: str) -> str | None:
    """Return a protocol's name or number as it is kept, None for any, or refuse it."""
    text = "any" if given is None else str(given).lower()
    if text == "any":
        return None
    if text.isascii() and text.isdigit() and int(text) <= 255:
        return "58" if (text, ethertype) == ("1", "IPv6") else text
    if text not in PROTOCOLS:
        raise Invalid(
            f"Security group rule protocol {given} not supported. Only protocol values "
            f"{[None, 'any', *PROTOCOLS]} and integer representations [0 to 255] are supported.",
            type="SecurityGroupRuleInvalidProtocol",
        )
    legacy = ethertype == "IPv6" and text in ("icmp", "icmpv6")
    return "ipv6-icmp" if legacy else text


def number_of(protocol: str) -> int:
    """Return the number of a protocol as kept."""
    return int(protocol) if protocol.isdigit() else PROTOCOLS[protocol]


def prefix_of(text: str | None) -> str | None:
    """Return a remote prefix with its length, or refuse it; bits past the prefix stay."""
    if not text:
        return None
    try:
        return str(ipaddress.ip_interface(text))
    except ValueError:
        raise Invalid(f"Invalid CIDR {text} given as IP prefix.", type="InvalidCIDR") from None


def port_range_of(low: int | None, high: int | None) -> tuple[int | None, int | None]:
    """Return the ends of a range of ports, none for all of them, or refuse them."""
    for port in (low, high):
        if port is not None and not 0 <= port <= 65535:
            raise Invalid(f"Invalid value for port {port}", type="SecurityGroupInvalidPortValue")
    return (None, None) if (low, high) == (1, 65535) else (low, high)


def check(rule: Rule) -> None:
    """Refuse a rule whose parts do not go together."""
    if rule.port_range_min is not None or rule.port_range_max is not None:
        _check_ports(rule)
    remotes = (rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id)
    if sum(map(bool, remotes)) > 1:
        raise Invalid(
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may "
            "be provided.",
            type="SecurityGroupMultipleRemoteEntites",
        )
    prefix = rule.remote_ip_prefix
    if prefix and rule.ethertype != f"IPv{ipaddress.ip_interface(prefix).version}":
        raise Invalid(
            f"Conflicting value ethertype {rule.ethertype} for CIDR {prefix}",
            type="SecurityGroupRuleParameterConflict",
        )
    if rule.protocol and rule.ethertype == "IPv4" and number_of(rule.protocol) in _V6_ONLY:
        raise Invalid(
            f"Invalid ethertype {rule.ethertype} for protocol {rule.protocol}.",
            type="SecurityGroupEthertypeConflictWithProtocol",
        )


def _check_ports(rule: Rule) -> None:
    if not rule.protocol:
        raise Invalid(
            "Must also specify protocol if port range is given.",
            type="SecurityGroupProtocolRequiredWithPorts",
        )
    low, high, number = rule.port_range_min, rule.port_range_max, number_of(rule.protocol)
    if number in _ICMP:
        _check_icmp(low, high)
    elif number not in _WITH_PORTS:
        raise Invalid(
            f"Ports cannot be specified for protocol {number}. Ports are only supported for "
            "DCCP, SCTP, TCP, UDP, UDPLITE.",
            type="SecurityGroupInvalidProtocolForPort",
        )
    elif 0 in (low, high):
        raise Invalid("Invalid value for port 0", type="SecurityGroupInvalidPortValue")
    elif low is None or high is None or low > high:
        raise Invalid(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            type="SecurityGroupInvalidPortRange",
        )


def _check_icmp(kind: int | None, code: int | None) -> None:
    for value, field, name in ((kind, "port_range_min", "type"), (code, "port_range_max", "code")):
        if value is not None and value > 255:
            raise Invalid(
                f"Invalid value for ICMP {name} ({field}) {value}. It must be 0 to 255.",
                type="SecurityGroupInvalidIcmpValue",
            )
    if kind is None:
        raise Invalid(
            f"ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) "
            "is missing.",
            type="SecurityGroupMissingIcmpType",
        )


def same_as(rule: Rule) -> str:
    """Spell what a rule permits, so that rules permitting the same spell the same."""
    everywhere = {"0.0.0.0/0", "::/0", None}
    parts = (
        rule.direction,
        rule.ethertype,
        number_of(rule.protocol) if rule.protocol else "+",
        "+" if rule.port_range_min is None else rule.port_range_min,
        "+" if rule.port_range_max is None else rule.port_range_max,
        "+" if rule.remote_ip_prefix in everywhere else rule.remote_ip_prefix,
        rule.remote_group_id or rule.remote_address_group_id or "+",
    )
    return "_".join(str(part) for part in parts)


class Details(msgspec.Struct, frozen=True):
    """A rule, and whether it is one of a default group's."""

    rule: Rule
    group_project_id: str
    in_default_group: bool


_SHAPE = listing.Shape(
    tables.security_group_rule,
    listing.columns_of(
        tables.security_group_rule,
        "security_group_id",
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group_id",
        "remote_address_group_id",
    ),
    {
        "belongs_to_default_sg": listing.whether(
            tables.security_group_rule.c.security_group_id.in_(
                sa.select(tables.default_security_group.c.security_group_id)
            )
        )
    },
)


def list_rules(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the rules of the security groups that the caller may know of."""
    rows = listing.rows(tx, _SHAPE, sharing.rules_seen(viewer(ctx)), wanted)
    return details(tx, [Rule(*row) for row in rows])


def details(tx: Tx, rules: Sequence[Rule]) -> list[Details]:
    """Return the rules, and which are of a default group."""
    group_ids = {rule.security_group_id for rule in rules}
    defaults, owners = store.defaults_among(tx, group_ids), store.owners_of(tx, group_ids)
    return [
        Details(rule, owners[rule.security_group_id], rule.security_group_id in defaults)
        for rule in rules
    ]


def rule_visible(tx: Tx, ctx: Context, rule_id: str) -> Rule:
    """Return a rule of a group the caller may know of; to anyone else it does not exist."""
    found = store.rule_find(tx, rule_id, sharing.rules_seen(viewer(ctx)))
    if found is None:
        raise refusals.rule_not_found(rule_id)
    return found
