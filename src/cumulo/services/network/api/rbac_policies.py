"""RBAC policies over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import rbac_policies
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun
from cumulo.services.network.api.requests import within
from cumulo.services.network.rbac_policies import Grant, RbacPolicyChange, RbacPolicySpec
from cumulo.services.network.refusals import rbac_policy_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to lend."""

    rbac_policy: RbacPolicySpec | UnsetType = UNSET
    rbac_policies: Annotated[list[RbacPolicySpec], within("rbac_policy")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    rbac_policy: RbacPolicyChange


class RbacPolicyView(msgspec.Struct, kw_only=True):
    """What is lent, as clients see it."""

    id: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    object_type: str | UnsetType
    object_id: str | UnsetType
    action: str | UnsetType
    target_tenant: str | UnsetType


@routes.get("/v2.0/rbac-policies", policy="regular_user")
def list_rbac_policies(call: Call[Tools]) -> Answer:
    """List what the project lends to others."""
    return RBAC_POLICY.listed(call, rbac_policies.list_policies)


@routes.post("/v2.0/rbac-policies", policy="create_rbac_policy", status=201)
def create_rbac_policy(call: Call[Tools], body: CreateBody) -> Answer:
    """Lend something to a project, or to everyone."""
    return RBAC_POLICY.created(call, body, _create)


@routes.get("/v2.0/rbac-policies/{rbac_policy_id}", policy="regular_user")
def show_rbac_policy(call: Call[Tools], rbac_policy_id: str) -> Answer:
    """Show what is lent to whom."""
    return RBAC_POLICY.shown(call, _visible, rbac_policy_id)


@routes.put("/v2.0/rbac-policies/{rbac_policy_id}", policy="regular_user")
def update_rbac_policy(call: Call[Tools], rbac_policy_id: str, body: UpdateBody) -> Answer:
    """Lend to another instead."""
    found = call.db.write(_update, call, rbac_policy_id, body.rbac_policy)
    return RBAC_POLICY.changed(call, found)


@routes.delete("/v2.0/rbac-policies/{rbac_policy_id}", policy="regular_user", status=204)
def delete_rbac_policy(call: Call[Tools], rbac_policy_id: str) -> None:
    """Stop lending what the borrower does not use."""
    call.db.write(_delete, call, rbac_policy_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[RbacPolicySpec]) -> list[Grant]:
    made = []
    for spec in specs:
        RBAC_POLICY.check_create(call, spec, **_lent_to(rbac_policies.target_of(spec)))
        made.append(rbac_policies.create_policy(tx, call.ctx, call.tools.settings, spec))
    return made


def _visible(tx: Tx, call: Call[Tools], policy_id: str) -> Grant:
    return rbac_policies.policy_visible(tx, call.ctx, policy_id)


def _update(tx: Tx, call: Call[Tools], policy_id: str, wanted: RbacPolicyChange) -> Grant:
    found, target = _visible(tx, call, policy_id), rbac_policies.target_of(wanted)
    RBAC_POLICY.check_update(call, found, wanted, **_lent_to(target))
    return rbac_policies.update_policy(tx, call.ctx, found, target)


def _delete(tx: Tx, call: Call[Tools], policy_id: str) -> None:
    found = _visible(tx, call, policy_id)
    RBAC_POLICY.check_delete(call, found)
    rbac_policies.delete_policy(tx, call.ctx, found)


def _lent_to(target: str) -> dict[str, object]:
    return {"target_project": target, "target_tenant": target}


def _view(call: Call[Tools], found: Grant) -> RbacPolicyView:
    return RbacPolicyView(
        id=found.id,
        tenant_id=found.project_id,
        project_id=found.project_id,
        object_type=found.object_type,
        object_id=found.object_id,
        action=found.action,
        target_tenant=found.target_project,
    )


RBAC_POLICY: Noun[Grant] = Noun(
    "rbac_policy",
    "rbac_policies",
    lambda found: found,
    _view,
    rbac_policy_not_found,
    lambda found: _lent_to(found.target_project),
)
