"""Default rules: what new security groups begin with."""

import uuid
from collections.abc import Sequence
from typing import Literal

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal
from cumulo.services.network.security_group_rules import (
    check,
    ethertype_of,
    port_range_of,
    prefix_of,
    protocol_of,
    same_as,
)
from cumulo.services.network.spelling import LooseBool, LooseInt, Text
from cumulo.services.network.store import default_rules as store
from cumulo.services.network.store import listing, tables
from cumulo.services.network.store.default_rules import DefaultRule as DefaultRule
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.security_groups import Rule, SecurityGroup

PARENT = "PARENT"  # the group itself, in place of a remote group
_NAMESPACE = uuid.UUID("0d6a1f6e-1d7e-4f0e-8a53-6f2d1f6b9c11")


class DefaultRuleSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What an operator says about a rule that new groups begin with."""

    direction: Literal["ingress", "egress"]
    ethertype: str = "IPv4"
    protocol: str | int | None = None
    port_range_min: LooseInt | None = None
    port_range_max: LooseInt | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    used_in_default_sg: LooseBool = False
    used_in_non_default_sg: LooseBool = True
    description: Text = ""


def _built_in(direction: str, ethertype: str) -> DefaultRule:
    inward = direction == "ingress"
    return DefaultRule(
        id=str(uuid.uuid5(_NAMESPACE, f"{direction} {ethertype}")),
        description=f"Legacy default SG rule for {direction} traffic",
        direction=direction,
        ethertype=ethertype,
        protocol=None,
        port_range_min=None,
        port_range_max=None,
        remote_ip_prefix=None,
        remote_group_id=PARENT if inward else None,
        remote_address_group_id=None,
        used_in_default_sg=True,
        used_in_non_default_sg=not inward,
        sameness=f"{direction} {ethertype} built in",
        removed=False,
    )


BUILT_IN = [
    _built_in(direction, ethertype)
    for direction in ("egress", "ingress")
    for ethertype in ("IPv4", "IPv6")
]


def default_rules(tx: Tx) -> list[DefaultRule]:
    """Return all default rules that hold: those the cloud begins with first."""
    kept = store.default_rules_where(tx)
    gone = {rule.id for rule in kept if rule.removed}
    return [rule for rule in (*BUILT_IN, *kept) if rule.id not in gone]


def first_rules(tx: Tx, group: SecurityGroup, *, is_default: bool) -> list[Rule]:
    """Return the rules that a new group begins with."""
    found = [
        _rule_of(rule, group)
        for rule in default_rules(tx)
        if (rule.used_in_default_sg if is_default else rule.used_in_non_default_sg)
    ]
    return list({rule.sameness: rule for rule in found}.values())


def _rule_of(template: DefaultRule, group: SecurityGroup) -> Rule:
    remote = template.remote_group_id
    rule = Rule(
        id=new_id(),
        project_id=group.project_id,
        description="",
        revision_number=1,
        created_at=group.created_at,
        updated_at=group.created_at,
        security_group_id=group.id,
        direction=template.direction,
        ethertype=template.ethertype,
        protocol=template.protocol,
        port_range_min=template.port_range_min,
        port_range_max=template.port_range_max,
        remote_ip_prefix=template.remote_ip_prefix,
        remote_group_id=group.id if remote == PARENT else remote,
        sameness="",
        remote_address_group_id=template.remote_address_group_id,
    )
    return msgspec.structs.replace(rule, sameness=same_as(rule))


def create_rules(tx: Tx, ctx: Context, specs: Sequence[DefaultRuleSpec]) -> list[DefaultRule]:
    """Record new default rules; groups that are there keep theirs."""
    made = [_new_rule(spec) for spec in specs]
    for rule in made:
        if any(_is_same(rule, other) for other in default_rules(tx)):
            raise Conflict(
                f"Default security group rule already exists: {rule.sameness}.",
                type="DefaultSecurityGroupRuleExists",
            )
        _check_remotes(tx, rule)
        store.default_rule_insert(tx, rule)
        journal.created(tx, ctx, "default_security_group_rule", _logged(rule))
    return made


def _new_rule(spec: DefaultRuleSpec) -> DefaultRule:
    ethertype = ethertype_of(spec.ethertype)
    low, high = port_range_of(spec.port_range_min, spec.port_range_max)
    rule = DefaultRule(
        id=new_id(),
        description=spec.description,
        direction=spec.direction,
        ethertype=ethertype,
        protocol=protocol_of(spec.protocol, ethertype),
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=prefix_of(spec.remote_ip_prefix),
        remote_group_id=spec.remote_group_id or None,
        remote_address_group_id=spec.remote_address_group_id,
        used_in_default_sg=spec.used_in_default_sg,
        used_in_non_default_sg=spec.used_in_non_default_sg,
        sameness="",
        removed=False,
    )
    permitted = _rule_of(rule, _nobodys())
    check(permitted)
    where = f"{rule.used_in_default_sg:d}{rule.used_in_non_default_sg:d}"
    return msgspec.structs.replace(rule, sameness=f"{permitted.sameness}_{where}")


def _is_same(one: DefaultRule, other: DefaultRule) -> bool:
    """Say whether two rules would give some new group the same rule twice."""
    both = (
        one.used_in_default_sg and other.used_in_default_sg,
        one.used_in_non_default_sg and other.used_in_non_default_sg,
    )
    return any(both) and _permitted(one) == _permitted(other)


def _permitted(rule: DefaultRule) -> str:
    return _rule_of(rule, _nobodys()).sameness


def _nobodys() -> SecurityGroup:
    """Return a group that is none, to spell out what a rule would permit in one."""
    now = clock.now()
    return SecurityGroup(PARENT, "", "", "", 1, now, now, stateful=True)


def _check_remotes(tx: Tx, rule: DefaultRule) -> None:
    """Refuse a remote group that would be missing when the next project comes."""
    remote = rule.remote_group_id
    if remote not in (None, PARENT) and not store.group_exists(tx, remote or ""):
        raise NotFound(f"Security group {remote} does not exist", type="SecurityGroupNotFound")
    named = rule.remote_address_group_id
    if named is not None and not store.address_group_exists(tx, named):
        raise NotFound(f"Address group {named} could not be found.", type="AddressGroupNotFound")


def default_rule_get(tx: Tx, rule_id: str) -> DefaultRule:
    """Return a default rule."""
    for rule in default_rules(tx):
        if rule.id == rule_id:
            return rule
    raise not_found(rule_id)


def not_found(rule_id: str) -> NotFound:
    """Return the error for a default rule that is not."""
    return NotFound(
        f"Default Security Group rule {rule_id} could not be found.",
        type="DefaultSecurityGroupRuleNotFound",
    )


def delete_rule(tx: Tx, ctx: Context, rule: DefaultRule) -> None:
    """Let new groups begin without the rule."""
    if any(rule.id == each.id for each in BUILT_IN):
        store.default_rule_insert(tx, msgspec.structs.replace(rule, removed=True))
    else:
        store.default_rule_delete(tx, rule.id)
    journal.deleted(tx, ctx, "default_security_group_rule", _logged(rule))


class Logged(msgspec.Struct, frozen=True):
    """A default rule as the log has it: nobody's."""

    id: str
    project_id: str
    rule: DefaultRule


def _logged(rule: DefaultRule) -> Logged:
    return Logged(rule.id, "", rule)


_ATTRIBUTES = frozenset(DefaultRuleSpec.__struct_fields__) | {"id"}


def list_rules(tx: Tx, wanted: Listing) -> list[DefaultRule]:
    """Return the default rules that the filters ask for, in the order that is asked for."""
    shape = listing.Shape(
        tables.default_rule, {name: tables.default_rule.c[name] for name in _ATTRIBUTES}
    )
    listing.check(shape, wanted)
    found = [rule for rule in default_rules(tx) if _matches(rule, wanted)]
    for name, up in reversed(wanted.sorts):
        found.sort(key=lambda rule: str(getattr(rule, name)), reverse=not up)
    return found[: wanted.limit]


def _matches(rule: DefaultRule, wanted: Listing) -> bool:
    return all(
        str(getattr(rule, name)).lower() in {value.lower() for value in values}
        for name, values in wanted.filters.items()
    )
