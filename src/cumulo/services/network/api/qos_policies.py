"""QoS policies over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import qos_policies
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.qos_rules import QosRuleView, rule_view
from cumulo.services.network.api.requests import within
from cumulo.services.network.qos_policies import Details, QosPolicyChange, QosPolicySpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One QoS policy, or many at once."""

    policy: QosPolicySpec | UnsetType = UNSET
    policies: Annotated[list[QosPolicySpec], within("policy")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    policy: QosPolicyChange


class QosPolicyView(StandardView, kw_only=True):
    """A QoS policy as clients see it."""

    shared: bool | UnsetType
    is_default: bool | UnsetType
    rules: list[QosRuleView] | UnsetType


@routes.get("/v2.0/qos/policies", policy="regular_user")
def list_qos_policies(call: Call[Tools]) -> Answer:
    """List the QoS policies of the project and those shared with it."""
    return QOS_POLICY.listed(call, qos_policies.list_policies)


@routes.post("/v2.0/qos/policies", policy="regular_user", status=201)
def create_qos_policy(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a QoS policy, which says nothing yet."""
    return QOS_POLICY.created(call, body, _create)


@routes.get("/v2.0/qos/policies/{policy_id}", policy="regular_user")
def show_qos_policy(call: Call[Tools], policy_id: str) -> Answer:
    """Show a QoS policy with its rules."""
    return QOS_POLICY.shown(call, _details, policy_id)


@routes.put("/v2.0/qos/policies/{policy_id}", policy="regular_user")
def update_qos_policy(call: Call[Tools], policy_id: str, body: UpdateBody) -> Answer:
    """Rename a QoS policy, or share it."""
    return QOS_POLICY.changed(call, call.db.write(_update, call, policy_id, body.policy))


@routes.delete("/v2.0/qos/policies/{policy_id}", policy="regular_user", status=204)
def delete_qos_policy(call: Call[Tools], policy_id: str) -> None:
    """Delete a QoS policy that nothing has."""
    call.db.write(_delete, call, policy_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[QosPolicySpec]) -> list[Details]:
    made = []
    for spec in specs:
        QOS_POLICY.check_create(call, spec)
        made.append(qos_policies.create_policy(tx, call.ctx, spec))
    return qos_policies.details(tx, call.ctx, made)


def _details(tx: Tx, call: Call[Tools], policy_id: str) -> Details:
    found = qos_policies.policy_visible(tx, call.ctx, policy_id)
    return qos_policies.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], policy_id: str, wanted: QosPolicyChange) -> Details:
    ctx, before = call.ctx, _details(tx, call, policy_id)
    revision = QOS_POLICY.check_update(call, before, wanted)
    after = qos_policies.update_policy(tx, ctx, before.policy, wanted, revision)
    return qos_policies.details(tx, ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], policy_id: str) -> None:
    found = _details(tx, call, policy_id)
    QOS_POLICY.check_delete(call, found)
    qos_policies.delete_policy(tx, call.ctx, found.policy)


def _view(call: Call[Tools], found: Details) -> QosPolicyView:
    return QosPolicyView(
        **standard(found.policy, found.tags),
        shared=found.shared,
        is_default=found.policy.is_default,
        rules=[rule_view(call, rule, within=True) for rule in found.rules],
    )


QOS_POLICY: Noun[Details] = Noun(
    "policy",
    "policies",
    lambda found: found.policy,
    _view,
    qos_policies.not_found,
    lambda found: {"shared": found.shared},
)
