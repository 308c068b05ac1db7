"""Rules of QoS policies over HTTP, and which kinds of them there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.network import qos_policies, qos_rules
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun
from cumulo.services.network.qos_rules import (
    BandwidthLimitChange,
    BandwidthLimitSpec,
    DscpMarkingSpec,
    MinimumBandwidthChange,
    MinimumBandwidthSpec,
    QosPolicy,
    QosRule,
)
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
S = TypeVar("S", bound=msgspec.Struct)
_LIMITS = "/v2.0/qos/policies/{policy_id}/bandwidth_limit_rules"
_MARKS = "/v2.0/qos/policies/{policy_id}/dscp_marking_rules"
_LEASTS = "/v2.0/qos/policies/{policy_id}/minimum_bandwidth_rules"
_LIMIT, _MARK, _LEAST = (f"{path}/{{rule_id}}" for path in (_LIMITS, _MARKS, _LEASTS))


class QosRuleView(msgspec.Struct, kw_only=True):
    """A rule as clients see it; inside of its policy it says of which kind it is."""

    id: str | UnsetType
    type: str | UnsetType = UNSET
    qos_policy_id: str | UnsetType = UNSET
    max_kbps: int | UnsetType = UNSET
    max_burst_kbps: int | UnsetType = UNSET
    direction: str | UnsetType = UNSET
    dscp_mark: int | UnsetType = UNSET
    min_kbps: int | UnsetType = UNSET


@dataclass(frozen=True)
class Kind:
    """One kind of rules."""

    kind: str
    noun: Noun[QosRule]


class BandwidthLimitBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy is to say."""

    bandwidth_limit_rule: BandwidthLimitSpec


class BandwidthLimitChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """What it is to say instead."""

    bandwidth_limit_rule: BandwidthLimitChange


@routes.get(_LIMITS, policy="regular_user")
def list_bandwidth_limit_rules(call: Call[Tools], policy_id: str) -> Answer:
    """List how fast ports may be of a QoS policy."""
    find = partial(qos_rules.list_rules, kind=BANDWIDTH_LIMIT.kind, policy_id=policy_id)
    return BANDWIDTH_LIMIT.noun.listed(call, find)


@routes.post(_LIMITS, policy="regular_user", status=201)
def create_bandwidth_limit_rule(
    call: Call[Tools], policy_id: str, body: BandwidthLimitBody
) -> Answer:
    """Have a QoS policy say how fast ports may be."""
    create = _creator(policy_id, BANDWIDTH_LIMIT, qos_rules.limit_bandwidth)
    return BANDWIDTH_LIMIT.noun.created(call, body, create)


@routes.get(_LIMIT, policy="regular_user")
def show_bandwidth_limit_rule(call: Call[Tools], policy_id: str, rule_id: str) -> Answer:
    """Show how fast ports may be of a QoS policy."""
    return BANDWIDTH_LIMIT.noun.shown(
        call, partial(_visible, policy_id=policy_id, kind=BANDWIDTH_LIMIT), rule_id
    )


@routes.put(_LIMIT, policy="regular_user")
def update_bandwidth_limit_rule(
    call: Call[Tools], policy_id: str, rule_id: str, body: BandwidthLimitChangeBody
) -> Answer:
    """Change how fast ports may be of a QoS policy, and of all that has it."""
    wanted = body.bandwidth_limit_rule
    found = call.db.write(_update, call, rule_id, policy_id, BANDWIDTH_LIMIT, wanted)
    return BANDWIDTH_LIMIT.noun.changed(call, found)


@routes.delete(
    _LIMIT,
    policy="regular_user",
    status=204,
)
def delete_bandwidth_limit_rule(call: Call[Tools], policy_id: str, rule_id: str) -> None:
    """Have a QoS policy say how fast ports may be no more."""
    call.db.write(_delete, call, rule_id, policy_id, BANDWIDTH_LIMIT)


class DscpMarkingBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy is to say."""

    dscp_marking_rule: DscpMarkingSpec


class DscpMarkingChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """What it is to say instead."""

    dscp_marking_rule: DscpMarkingSpec


@routes.get(_MARKS, policy="regular_user")
def list_dscp_marking_rules(call: Call[Tools], policy_id: str) -> Answer:
    """List how packets are marked of a QoS policy."""
    find = partial(qos_rules.list_rules, kind=DSCP_MARKING.kind, policy_id=policy_id)
    return DSCP_MARKING.noun.listed(call, find)


@routes.post(_MARKS, policy="regular_user", status=201)
def create_dscp_marking_rule(call: Call[Tools], policy_id: str, body: DscpMarkingBody) -> Answer:
    """Have a QoS policy say how packets are marked."""
    create = _creator(policy_id, DSCP_MARKING, qos_rules.mark_packets)
    return DSCP_MARKING.noun.created(call, body, create)


@routes.get(_MARK, policy="regular_user")
def show_dscp_marking_rule(call: Call[Tools], policy_id: str, rule_id: str) -> Answer:
    """Show how packets are marked of a QoS policy."""
    return DSCP_MARKING.noun.shown(
        call, partial(_visible, policy_id=policy_id, kind=DSCP_MARKING), rule_id
    )


@routes.put(_MARK, policy="regular_user")
def update_dscp_marking_rule(
    call: Call[Tools], policy_id: str, rule_id: str, body: DscpMarkingChangeBody
) -> Answer:
    """Change how packets are marked of a QoS policy, and of all that has it."""
    wanted = body.dscp_marking_rule
    found = call.db.write(_update, call, rule_id, policy_id, DSCP_MARKING, wanted)
    return DSCP_MARKING.noun.changed(call, found)


@routes.delete(_MARK, policy="regular_user", status=204)
def delete_dscp_marking_rule(call: Call[Tools], policy_id: str, rule_id: str) -> None:
    """Have a QoS policy say how packets are marked no more."""
    call.db.write(_delete, call, rule_id, policy_id, DSCP_MARKING)


class MinimumBandwidthBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy is to say."""

    minimum_bandwidth_rule: MinimumBandwidthSpec


class MinimumBandwidthChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """What it is to say instead."""

    minimum_bandwidth_rule: MinimumBandwidthChange


@routes.get(_LEASTS, policy="regular_user")
def list_minimum_bandwidth_rules(call: Call[Tools], policy_id: str) -> Answer:
    """List how fast ports may be at least of a QoS policy."""
    find = partial(qos_rules.list_rules, kind=MINIMUM_BANDWIDTH.kind, policy_id=policy_id)
    return MINIMUM_BANDWIDTH.noun.listed(call, find)


@routes.post(_LEASTS, policy="regular_user", status=201)
def create_minimum_bandwidth_rule(
    call: Call[Tools], policy_id: str, body: MinimumBandwidthBody
) -> Answer:
    """Have a QoS policy say how fast ports may be at least."""
    create = _creator(policy_id, MINIMUM_BANDWIDTH, qos_rules.guarantee_bandwidth)
    return MINIMUM_BANDWIDTH.noun.created(call, body, create)


@routes.get(_LEAST, policy="regular_user")
def show_minimum_bandwidth_rule(call: Call[Tools], policy_id: str, rule_id: str) -> Answer:
    """Show how fast ports may be at least of a QoS policy."""
    return MINIMUM_BANDWIDTH.noun.shown(
        call, partial(_visible, policy_id=policy_id, kind=MINIMUM_BANDWIDTH), rule_id
    )


@routes.put(_LEAST, policy="regular_user")
def update_minimum_bandwidth_rule(
    call: Call[Tools], policy_id: str, rule_id: str, body: MinimumBandwidthChangeBody
) -> Answer:
    """Change how fast ports may be at least of a QoS policy, and of all that has it."""
    wanted = body.minimum_bandwidth_rule
    found = call.db.write(_update, call, rule_id, policy_id, MINIMUM_BANDWIDTH, wanted)
    return MINIMUM_BANDWIDTH.noun.changed(call, found)


@routes.delete(_LEAST, policy="regular_user", status=204)
def delete_minimum_bandwidth_rule(call: Call[Tools], policy_id: str, rule_id: str) -> None:
    """Have a QoS policy say how fast ports may be at least no more."""
    call.db.write(_delete, call, rule_id, policy_id, MINIMUM_BANDWIDTH)


@routes.get("/v2.0/qos/rule-types", policy="regular_user")
def list_qos_rule_types(call: Call[Tools]) -> Answer:
    """List the kinds of rules that the network carries out."""
    return {"rule_types": [{"type": kind} for kind in qos_rules.KINDS]}


@routes.get("/v2.0/qos/rule-types/{rule_type}", policy="get_rule_type")
def show_qos_rule_type(call: Call[Tools], rule_type: str) -> Answer:
    """Say who carries a kind of rules out."""
    if rule_type not in qos_rules.KINDS:
        raise NotFound(f"Rule type {rule_type} could not be found.", type="QosRuleTypeNotFound")
    call.ctx.require("admin_only")
    parameters = qos_rules.parameters(rule_type)
    drivers = [{"name": call.tools.driver.name, "supported_parameters": parameters}]
    return {"rule_type": {"type": rule_type, "drivers": drivers}}


def _visible(tx: Tx, call: Call[Tools], rule_id: str, policy_id: str, kind: Kind) -> QosRule:
    return qos_rules.rule_visible(tx, call.ctx, kind.kind, policy_id, rule_id)


def _creator(
    policy_id: str, kind: Kind, make: Callable[[Tx, Context, QosPolicy, S], QosRule]
) -> Callable[[Tx, Call[Tools], Sequence[S]], list[QosRule]]:
    """Return what makes the rules of a kind that a client asks for."""

    def create(tx: Tx, call: Call[Tools], specs: Sequence[S]) -> list[QosRule]:
        policy = qos_policies.policy_get(tx, policy_id)
        made = []
        for spec in specs:
            kind.noun.check_create(call, spec, **_parent(policy.project_id))
            made.append(make(tx, call.ctx, policy, spec))
        return made

    return create


def _update(
    tx: Tx,
    call: Call[Tools],
    rule_id: str,
    policy_id: str,
    kind: Kind,
    wanted: qos_rules.Change,
) -> QosRule:
    before = _visible(tx, call, rule_id, policy_id, kind)
    kind.noun.check_update(call, before, wanted)
    return qos_rules.update_rule(tx, call.ctx, before, wanted)


def _delete(tx: Tx, call: Call[Tools], rule_id: str, policy_id: str, kind: Kind) -> None:
    found = _visible(tx, call, rule_id, policy_id, kind)
    kind.noun.check_delete(call, found)
    qos_rules.delete_rule(tx, call.ctx, found)


def _parent(project_id: str) -> dict[str, object]:
    return {"ext_parent:project_id": project_id}


def rule_view(call: Call[Tools], rule: QosRule, *, within: bool = False) -> QosRuleView:
    """Return a rule as clients see it, by itself or inside of its policy."""
    return QosRuleView(
        id=rule.id,
        type=rule.kind if within else UNSET,
        qos_policy_id=rule.qos_policy_id if within else UNSET,
        max_kbps=UNSET if rule.max_kbps is None else rule.max_kbps,
        max_burst_kbps=UNSET if rule.max_burst_kbps is None else rule.max_burst_kbps,
        direction=rule.direction if rule.dscp_mark is None else UNSET,
        dscp_mark=UNSET if rule.dscp_mark is None else rule.dscp_mark,
        min_kbps=UNSET if rule.min_kbps is None else rule.min_kbps,
    )


def kind_of(kind: str, prefix: str = "") -> Kind:
    """Return a kind of rules, with a prefix as those call it who name no policy."""
    name = f"{prefix}_{kind}_rule" if prefix else f"{kind}_rule"
    noun: Noun[QosRule] = Noun(
        name,
        f"{name}s",
        lambda rule: rule,
        rule_view,
        qos_rules.not_found,
        lambda rule: _parent(rule.project_id),
        rule=name if prefix else f"policy_{name}",
    )
    return Kind(kind, noun)


BANDWIDTH_LIMIT, DSCP_MARKING, MINIMUM_BANDWIDTH = (kind_of(kind) for kind in qos_rules.KINDS)
