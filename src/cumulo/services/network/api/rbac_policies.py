"""RBAC policies over HTTP."""

import msgspec

from cumulo.db import Tx
from cumulo.services.network import networks, rbac_policies
from cumulo.services.network.api.listing import Answer, fields_of, listing_of, page, select
from cumulo.services.network.api.requests import log_create, log_delete, log_update
from cumulo.services.network.rbac_policies import Grant, RbacPolicyChange, RbacPolicySpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to lend."""

    rbac_policy: RbacPolicySpec


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    rbac_policy: RbacPolicyChange


class RbacPolicyView(msgspec.Struct, kw_only=True):
    """What is lent, as clients see it."""

    id: str
    tenant_id: str
    project_id: str
    object_type: str
    object_id: str
    action: str
    target_tenant: str
    target_project: str


@routes.get("/v2.0/rbac-policies", policy="regular_user")
def list_rbac_policies(call: Call[Tools]) -> Answer:
    """List what the project lends to others."""
    found = call.db.read(rbac_policies.list_policies, call.ctx, listing_of(call))
    views = [_view(one) for one in found if call.ctx.may("get_rbac_policy", **_target(one))]
    return page(call, "rbac_policies", found, views)


@routes.post("/v2.0/rbac-policies", policy="create_rbac_policy", status=201)
def create_rbac_policy(call: Call[Tools], body: CreateBody) -> Answer:
    """Lend a network to a project, or to everyone."""
    return {"rbac_policy": _view(call.db.write(_create, call, body.rbac_policy))}


@routes.get("/v2.0/rbac-policies/{rbac_policy_id}", policy="regular_user")
def show_rbac_policy(call: Call[Tools], rbac_policy_id: str) -> Answer:
    """Show what is lent to whom."""
    found = call.db.read(rbac_policies.policy_visible, call.ctx, rbac_policy_id)
    call.ctx.require("get_rbac_policy", **_target(found))
    return {"rbac_policy": select(_view(found), fields_of(call))}


@routes.put("/v2.0/rbac-policies/{rbac_policy_id}", policy="regular_user")
def update_rbac_policy(call: Call[Tools], rbac_policy_id: str, body: UpdateBody) -> Answer:
    """Lend to another instead."""
    return {"rbac_policy": _view(call.db.write(_update, call, rbac_policy_id, body.rbac_policy))}


@routes.delete("/v2.0/rbac-policies/{rbac_policy_id}", policy="regular_user", status=204)
def delete_rbac_policy(call: Call[Tools], rbac_policy_id: str) -> None:
    """Stop lending what the borrower does not use."""
    call.db.write(_delete, call, rbac_policy_id)


def _target(found: Grant) -> dict[str, object]:
    return {"project_id": found.project_id, "target_project": found.target_project}


def _create(tx: Tx, call: Call[Tools], spec: RbacPolicySpec) -> Grant:
    ctx, target = call.ctx, rbac_policies.target_of(spec)
    network = networks.network_visible(tx, ctx, spec.object_id)
    facts = {**ctx.own(), "target_project": target, "target_tenant": target}
    ctx.require("create_rbac_policy:target_project", **facts)
    made = rbac_policies.create_policy(tx, ctx, call.tools.settings, network, spec)
    log_create(tx, ctx, "rbac_policy", made)
    return made


def _update(tx: Tx, call: Call[Tools], policy_id: str, wanted: RbacPolicyChange) -> Grant:
    ctx, target = call.ctx, rbac_policies.target_of(wanted)
    before = rbac_policies.policy_visible(tx, ctx, policy_id)
    facts = {**_target(before), "target_project": target, "target_tenant": target}
    ctx.require("update_rbac_policy", **facts)
    ctx.require("update_rbac_policy:target_project", **facts)
    network = networks.network_get(tx, before.object_id)
    after = rbac_policies.update_policy(tx, network, before, target)
    log_update(tx, ctx, "rbac_policy", before, after)
    return after


def _delete(tx: Tx, call: Call[Tools], policy_id: str) -> None:
    found = rbac_policies.policy_visible(tx, call.ctx, policy_id)
    call.ctx.require("delete_rbac_policy", **_target(found))
    rbac_policies.delete_policy(tx, networks.network_get(tx, found.object_id), found)
    log_delete(tx, call.ctx, "rbac_policy", found)


def _view(found: Grant) -> RbacPolicyView:
    return RbacPolicyView(
        id=found.id,
        tenant_id=found.project_id,
        project_id=found.project_id,
        object_type=found.object_type,
        object_id=found.object_id,
        action=found.action,
        target_tenant=found.target_project,
        target_project=found.target_project,
    )
