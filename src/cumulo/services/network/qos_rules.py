"""Rules of QoS policies: how fast ports may be, and how their packets are marked."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import bandwidth, journal, qos_policies, refusals
from cumulo.services.network.spelling import LooseInt
from cumulo.services.network.store import changes, listing, standard, tables
from cumulo.services.network.store import qos_policies as store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.qos_policies import (
    BANDWIDTH_LIMIT,
    DSCP_MARKING,
    MINIMUM_BANDWIDTH,
)
from cumulo.services.network.store.qos_policies import QosPolicy as QosPolicy
from cumulo.services.network.store.qos_policies import QosRule as QosRule

Kbps = Annotated[LooseInt, Meta(ge=0, le=2**31 - 1)]
KINDS = (BANDWIDTH_LIMIT, DSCP_MARKING, MINIMUM_BANDWIDTH)
_MARKS = {0, *range(8, 41, 2), 46, 48, 56}


class BandwidthLimitSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How fast the packets of a port may come or go."""

    max_kbps: Kbps
    max_burst_kbps: Kbps = 0
    direction: Literal["ingress", "egress"] = "egress"


class BandwidthLimitChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a limit."""

    max_kbps: Kbps | UnsetType = UNSET
    max_burst_kbps: Kbps | UnsetType = UNSET
    direction: Literal["ingress", "egress"] | UnsetType = UNSET


class DscpMarkingSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The mark that a guest's packets leave with."""

    dscp_mark: LooseInt


class MinimumBandwidthSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How fast the packets of a port may come or go whatever others send."""

    min_kbps: Kbps
    direction: Literal["ingress", "egress"] = "egress"


class MinimumBandwidthChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a minimum."""

    min_kbps: Kbps | UnsetType = UNSET
    direction: Literal["ingress", "egress"] | UnsetType = UNSET


Change: TypeAlias = BandwidthLimitChange | DscpMarkingSpec | MinimumBandwidthChange


def not_found(rule_id: str) -> NotFound:
    """Return the error for a rule that is not, or not for this caller."""
    return NotFound(f"QoS rule {rule_id} could not be found.", type="QosRuleNotFound")


def rule_visible(tx: Tx, ctx: Context, kind: str, policy_id: str, rule_id: str) -> QosRule:
    """Return a rule of a policy that the caller may know of."""
    policy = qos_policies.policy_visible(tx, ctx, policy_id)
    r = tables.qos_rule.c
    of_it = (r.qos_policy_id == policy.id) & (r.kind == kind)
    found = standard.find(tx, tables.qos_rule, QosRule, rule_id, of_it)
    if found is None:
        raise not_found(rule_id)
    return found


def parameters(kind: str) -> list[dict[str, object]]:
    """Return what may be said in a kind of rules, as clients are told of it."""
    if kind == DSCP_MARKING:
        return [_choices("dscp_mark", sorted(_MARKS))]
    whole: dict[str, object] = {"parameter_type": "range"}
    whole["parameter_values"] = {"start": 0, "end": 2**31 - 1}
    names = ["min_kbps"] if kind == MINIMUM_BANDWIDTH else ["max_kbps", "max_burst_kbps"]
    rates = [{"parameter_name": name, **whole} for name in names]
    return [*rates, _choices("direction", ["egress", "ingress"])]


def _choices(name: str, values: Sequence[object]) -> dict[str, object]:
    return {"parameter_name": name, "parameter_type": "choices", "parameter_values": values}


def rule_anywhere(tx: Tx, ctx: Context, kind: str, rule_id: str) -> QosRule:
    """Return a rule whose policy the caller may know of, and did not name."""
    r = tables.qos_rule.c
    found = standard.find(tx, tables.qos_rule, QosRule, rule_id, r.kind == kind)
    if found is None:
        raise not_found(rule_id)
    try:
        qos_policies.policy_visible(tx, ctx, found.qos_policy_id)
    except NotFound as error:
        raise not_found(rule_id) from error
    return found


def limit_bandwidth(tx: Tx, ctx: Context, policy: QosPolicy, spec: BandwidthLimitSpec) -> QosRule:
    """Record how fast ports with the policy may be."""
    rule = QosRule(
        id=new_id(),
        project_id=policy.project_id,
        qos_policy_id=policy.id,
        kind=BANDWIDTH_LIMIT,
        direction=spec.direction,
        max_kbps=spec.max_kbps,
        max_burst_kbps=spec.max_burst_kbps,
    )
    return _create(tx, ctx, rule)


def mark_packets(tx: Tx, ctx: Context, policy: QosPolicy, spec: DscpMarkingSpec) -> QosRule:
    """Record how the packets of ports with the policy are marked."""
    rule = QosRule(
        id=new_id(),
        project_id=policy.project_id,
        qos_policy_id=policy.id,
        kind=DSCP_MARKING,
        direction="egress",
        dscp_mark=_checked(spec.dscp_mark),
    )
    return _create(tx, ctx, rule)


def guarantee_bandwidth(
    tx: Tx, ctx: Context, policy: QosPolicy, spec: MinimumBandwidthSpec
) -> QosRule:
    """Record how fast ports with the policy may be at least."""
    rule = QosRule(
        id=new_id(),
        project_id=policy.project_id,
        qos_policy_id=policy.id,
        kind=MINIMUM_BANDWIDTH,
        direction=spec.direction,
        min_kbps=spec.min_kbps,
    )
    return _create(tx, ctx, rule)


def _checked(mark: int) -> int:
    if mark not in _MARKS:
        raise refusals.invalid_value("dscp_mark", f"'{mark}' is not in {sorted(_MARKS)}")
    return mark


def _create(tx: Tx, ctx: Context, rule: QosRule) -> QosRule:
    _check_beside_others(tx, rule)
    standard.insert(tx, tables.qos_rule, rule)
    _tell(tx, rule.qos_policy_id)
    journal.created(tx, ctx, "qos_rule", rule)
    return rule


def _check_beside_others(tx: Tx, rule: QosRule) -> None:
    """Refuse a rule that another makes needless, or that the two cannot keep."""
    for other in store.rules_of(tx, [rule.qos_policy_id]).get(rule.qos_policy_id, []):
        if other.id == rule.id or other.direction != rule.direction:
            continue
        if other.kind == rule.kind:
            raise Conflict(
                f"Rule {rule.kind} conflicts with rule {other.id} which already exists in QoS "
                f"Policy {rule.qos_policy_id}, for {rule.direction} too.",
                type="QoSRulesConflict",
            )
        _check_range(rule, other)


def _check_range(rule: QosRule, other: QosRule) -> None:
    """Refuse a minimum above the maximum."""
    least = rule.min_kbps if rule.min_kbps is not None else other.min_kbps
    most = rule.max_kbps if rule.max_kbps is not None else other.max_kbps
    if least is not None and most is not None and least > most:
        raise Conflict(
            f"min_kbps {least} is more than max_kbps {most}, which rule {other.id} of QoS Policy "
            f"{rule.qos_policy_id} takes part in for {rule.direction}: change one of them.",
            type="QoSRuleParameterConflict",
        )


def _tell(tx: Tx, policy_id: str) -> None:
    standard.change(tx, tables.qos_policy, policy_id)
    ports = store.ports_with(tx, policy_id)
    changes.mark(tx, "port", ports)
    bandwidth.follow(tx, bandwidth.servers_of(tx, ports))
    changes.mark(tx, "router", store.routers_with(tx, policy_id))


def update_rule(tx: Tx, ctx: Context, rule: QosRule, wanted: Change) -> QosRule:
    """Say something else, or for the other direction."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if isinstance(wanted, DscpMarkingSpec):
        _checked(wanted.dscp_mark)
    after = msgspec.structs.replace(rule, **values)
    _check_beside_others(tx, after)
    if not standard.change(tx, tables.qos_rule, rule.id, **values):
        raise not_found(rule.id)
    _tell(tx, rule.qos_policy_id)
    journal.updated(tx, ctx, "qos_rule", rule, after)
    return after


def delete_rule(tx: Tx, ctx: Context, rule: QosRule) -> None:
    """Say it no more."""
    if not standard.remove(tx, tables.qos_rule, rule.id):
        raise not_found(rule.id)
    _tell(tx, rule.qos_policy_id)
    journal.deleted(tx, ctx, "qos_rule", rule)


_SHAPE = listing.Shape(
    tables.qos_rule,
    {
        name: tables.qos_rule.c[name]
        for name in ("id", "direction", "max_kbps", "max_burst_kbps", "dscp_mark", "min_kbps")
    },
)


def list_rules(tx: Tx, ctx: Context, wanted: Listing, kind: str, policy_id: str) -> list[QosRule]:
    """Return the rules of one kind of a policy that the caller may know of."""
    policy = qos_policies.policy_visible(tx, ctx, policy_id)
    r = tables.qos_rule.c
    of_it = (r.qos_policy_id == policy.id) & (r.kind == kind)
    return [QosRule(*row) for row in listing.rows(tx, _SHAPE, of_it, wanted)]
