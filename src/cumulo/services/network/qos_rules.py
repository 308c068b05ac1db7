"""Rules of QoS policies: how fast ports may be, and how their packets are marked."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, qos_policies, refusals
from cumulo.services.network.spelling import LooseInt
from cumulo.services.network.store import changes, listing, standard, tables
from cumulo.services.network.store import qos_policies as store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.qos_policies import (
    BANDWIDTH_LIMIT,
    DSCP_MARKING,
    QosPolicy,
)
from cumulo.services.network.store.qos_policies import QosRule as QosRule

Kbps = Annotated[LooseInt, Meta(ge=0, le=2**31 - 1)]
KINDS = (BANDWIDTH_LIMIT, DSCP_MARKING)
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
    limits = [{"parameter_name": name, **whole} for name in ("max_kbps", "max_burst_kbps")]
    return [*limits, _choices("direction", ["egress", "ingress"])]


def _choices(name: str, values: Sequence[object]) -> dict[str, object]:
    return {"parameter_name": name, "parameter_type": "choices", "parameter_values": values}


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


def _checked(mark: int) -> int:
    if mark not in _MARKS:
        raise refusals.invalid_value("dscp_mark", f"'{mark}' is not in {sorted(_MARKS)}")
    return mark


def _create(tx: Tx, ctx: Context, rule: QosRule) -> QosRule:
    _check_alone(tx, rule)
    standard.insert(tx, tables.qos_rule, rule)
    _tell(tx, rule.qos_policy_id)
    journal.created(tx, ctx, "qos_rule", rule)
    return rule


def _check_alone(tx: Tx, rule: QosRule) -> None:
    for other in store.rules_of(tx, [rule.qos_policy_id]).get(rule.qos_policy_id, []):
        same = (other.kind, other.direction) == (rule.kind, rule.direction)
        if other.id != rule.id and same:
            raise Conflict(
                f"Rule {rule.kind} is already there for {rule.direction}: {other.id}.",
                type="QoSRuleParameterConflict",
            )


def _tell(tx: Tx, policy_id: str) -> None:
    standard.change(tx, tables.qos_policy, policy_id)
    changes.mark(tx, "port", store.ports_with(tx, policy_id))
    changes.mark(tx, "router", store.routers_with(tx, policy_id))


def update_rule(
    tx: Tx, ctx: Context, rule: QosRule, wanted: BandwidthLimitChange | DscpMarkingSpec
) -> QosRule:
    """Say something else, or for the other direction."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if isinstance(wanted, DscpMarkingSpec):
        _checked(wanted.dscp_mark)
    after = msgspec.structs.replace(rule, **values)
    _check_alone(tx, after)
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
        for name in ("id", "direction", "max_kbps", "max_burst_kbps", "dscp_mark")
    },
)


def list_rules(tx: Tx, ctx: Context, wanted: Listing, kind: str, policy_id: str) -> list[QosRule]:
    """Return the rules of one kind of a policy that the caller may know of."""
    policy = qos_policies.policy_visible(tx, ctx, policy_id)
    r = tables.qos_rule.c
    of_it = (r.qos_policy_id == policy.id) & (r.kind == kind)
    return [QosRule(*row) for row in listing.rows(tx, _SHAPE, of_it, wanted)]
