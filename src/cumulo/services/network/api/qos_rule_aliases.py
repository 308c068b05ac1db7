"""Rules of QoS policies for clients that do not know, or do not say, of which policy."""

from functools import partial

import msgspec

from cumulo.db import Tx
from cumulo.services.network import qos_rules
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.qos_rules import Kind, kind_of
from cumulo.services.network.qos_rules import (
    BandwidthLimitChange,
    DscpMarkingSpec,
    MinimumBandwidthChange,
    QosRule,
)
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
BANDWIDTH_LIMIT, DSCP_MARKING, MINIMUM_BANDWIDTH = (
    kind_of(kind, prefix="alias") for kind in qos_rules.KINDS
)
_LIMIT = "/v2.0/qos/alias_bandwidth_limit_rules/{rule_id}"
_MARK = "/v2.0/qos/alias_dscp_marking_rules/{rule_id}"
_LEAST = "/v2.0/qos/alias_minimum_bandwidth_rules/{rule_id}"


class BandwidthLimitBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy is to say instead."""

    alias_bandwidth_limit_rule: BandwidthLimitChange


class DscpMarkingBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy is to say instead."""

    alias_dscp_marking_rule: DscpMarkingSpec


class MinimumBandwidthBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy is to say instead."""

    alias_minimum_bandwidth_rule: MinimumBandwidthChange


@routes.get(_LIMIT, policy="regular_user")
def show_alias_bandwidth_limit_rule(call: Call[Tools], rule_id: str) -> Answer:
    """Show how fast ports may be of some QoS policy."""
    return _show(call, BANDWIDTH_LIMIT, rule_id)


@routes.put(_LIMIT, policy="regular_user")
def update_alias_bandwidth_limit_rule(
    call: Call[Tools], rule_id: str, body: BandwidthLimitBody
) -> Answer:
    """Change how fast ports may be of some QoS policy."""
    return _change(call, BANDWIDTH_LIMIT, rule_id, body.alias_bandwidth_limit_rule)


@routes.delete(_LIMIT, policy="regular_user", status=204)
def delete_alias_bandwidth_limit_rule(call: Call[Tools], rule_id: str) -> None:
    """Have some QoS policy say how fast ports may be no more."""
    call.db.write(_delete, call, BANDWIDTH_LIMIT, rule_id)


@routes.get(_MARK, policy="regular_user")
def show_alias_dscp_marking_rule(call: Call[Tools], rule_id: str) -> Answer:
    """Show how packets are marked of some QoS policy."""
    return _show(call, DSCP_MARKING, rule_id)


@routes.put(_MARK, policy="regular_user")
def update_alias_dscp_marking_rule(
    call: Call[Tools], rule_id: str, body: DscpMarkingBody
) -> Answer:
    """Change how packets are marked of some QoS policy."""
    return _change(call, DSCP_MARKING, rule_id, body.alias_dscp_marking_rule)


@routes.delete(_MARK, policy="regular_user", status=204)
def delete_alias_dscp_marking_rule(call: Call[Tools], rule_id: str) -> None:
    """Have some QoS policy say how packets are marked no more."""
    call.db.write(_delete, call, DSCP_MARKING, rule_id)


@routes.get(_LEAST, policy="regular_user")
def show_alias_minimum_bandwidth_rule(call: Call[Tools], rule_id: str) -> Answer:
    """Show how fast ports may be at least of some QoS policy."""
    return _show(call, MINIMUM_BANDWIDTH, rule_id)


@routes.put(_LEAST, policy="regular_user")
def update_alias_minimum_bandwidth_rule(
    call: Call[Tools], rule_id: str, body: MinimumBandwidthBody
) -> Answer:
    """Change how fast ports may be at least of some QoS policy."""
    return _change(call, MINIMUM_BANDWIDTH, rule_id, body.alias_minimum_bandwidth_rule)


@routes.delete(_LEAST, policy="regular_user", status=204)
def delete_alias_minimum_bandwidth_rule(call: Call[Tools], rule_id: str) -> None:
    """Have some QoS policy say how fast ports may be at least no more."""
    call.db.write(_delete, call, MINIMUM_BANDWIDTH, rule_id)


def _show(call: Call[Tools], kind: Kind, rule_id: str) -> Answer:
    return kind.noun.shown(call, partial(_visible, kind=kind), rule_id)


def _visible(tx: Tx, call: Call[Tools], rule_id: str, kind: Kind) -> QosRule:
    return qos_rules.rule_anywhere(tx, call.ctx, kind.kind, rule_id)


def _change(call: Call[Tools], kind: Kind, rule_id: str, wanted: qos_rules.Change) -> Answer:
    return kind.noun.changed(call, call.db.write(_update, call, kind, rule_id, wanted))


def _update(
    tx: Tx, call: Call[Tools], kind: Kind, rule_id: str, wanted: qos_rules.Change
) -> QosRule:
    before = _visible(tx, call, rule_id, kind)
    kind.noun.check_update(call, before, wanted)
    return qos_rules.update_rule(tx, call.ctx, before, wanted)


def _delete(tx: Tx, call: Call[Tools], kind: Kind, rule_id: str) -> None:
    found = _visible(tx, call, rule_id, kind)
    kind.noun.check_delete(call, found)
    qos_rules.delete_rule(tx, call.ctx, found)
