"""RBAC policies: networks lent to all projects, or to some by name."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import quotas, refusals
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, Text
from cumulo.services.network.store import listing, sharing, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.sharing import EVERYONE, EXTERNAL, SHARED
from cumulo.services.network.store.sharing import Grant as Grant


class RbacPolicySpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants to lend, to whom, and for what."""

    object_type: Literal["network"]
    object_id: Id
    action: Literal["access_as_shared", "access_as_external"]
    target_tenant: Text | UnsetType = UNSET
    target_project: Text | UnsetType = UNSET
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class RbacPolicyChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """To whom else something is to be lent."""

    target_tenant: Text | UnsetType = UNSET
    target_project: Text | UnsetType = UNSET


def grant(
    tx: Tx, settings: NetworkSettings, network: Network, action: str, project_id: str
) -> None:
    """Lend a network to every project, if it is not."""
    found = sharing.grant_find(tx, network.id, action, EVERYONE)
    if found is None:
        row = Grant(new_id(), project_id, "network", network.id, action, EVERYONE)
        quotas.take(tx, settings, project_id, "rbac_policy")
        sharing.grant_insert(tx, row)


def revoke(tx: Tx, network: Network, action: str) -> None:
    """Lend a network to every project no more; projects named one by one keep it."""
    found = sharing.grant_find(tx, network.id, action, EVERYONE)
    if found is not None:
        delete_policy(tx, network, found)


def forget(tx: Tx, network_id: str) -> None:
    """End all lending of a network that goes away."""
    for found in sharing.grants_of(tx, network_id):
        sharing.grant_delete(tx, found.id)
        quotas.give_back(tx, found.project_id, "rbac_policy")


def policy_visible(tx: Tx, ctx: Context, policy_id: str) -> Grant:
    """Return a policy the caller may know of; to anyone else it does not exist."""
    found = sharing.grant_get(tx, policy_id, sharing.owned(tables.rbac_policy, viewer(ctx)))
    if found is None:
        raise NotFound(
            f"RBAC policy of type rbac_policy with ID {policy_id} not found",
            type="RbacPolicyNotFound",
        )
    return found


def list_policies(tx: Tx, ctx: Context, wanted: Listing) -> list[Grant]:
    """Return the policies the caller may know of."""
    rows = listing.rows(tx, _SHAPE, sharing.owned(tables.rbac_policy, viewer(ctx)), wanted)
    return [Grant(*row) for row in rows]


_SHAPE = listing.Shape(
    tables.rbac_policy,
    {
        **{
            name: tables.rbac_policy.c[name]
            for name in ("id", "project_id", "object_type", "object_id", "action")
        },
        "tenant_id": tables.rbac_policy.c.project_id,
        "target_tenant": tables.rbac_policy.c.target_project,
        "target_project": tables.rbac_policy.c.target_project,
    },
)


def target_of(wanted: RbacPolicySpec | RbacPolicyChange) -> str:
    """Return to whom to lend: a project's id, or everyone."""
    target = wanted.target_project or wanted.target_tenant
    if not target:
        raise refusals.invalid_value("target_project", "it is required")
    return target


def create_policy(
    tx: Tx, ctx: Context, settings: NetworkSettings, network: Network, spec: RbacPolicySpec
) -> Grant:
    """Lend a network of one's own."""
    if not (ctx.is_admin or network.project_id == ctx.project_id):
        raise refusals.invalid_input(
            "Only admins can manipulate policies on networks they do not own"
        )
    project_id = owner(ctx, spec.project_id, spec.tenant_id)
    target = target_of(spec)
    _check_new(tx, network.id, spec.action, target)
    quotas.take(tx, settings, project_id, "rbac_policy")
    made = Grant(new_id(), project_id, "network", network.id, spec.action, target)
    sharing.grant_insert(tx, made)
    if spec.action == EXTERNAL:
        standard.change(tx, tables.network, network.id, external=True)
    return made


def _check_new(tx: Tx, network_id: str, action: str, target: str) -> None:
    if sharing.grant_find(tx, network_id, action, target):
        raise Conflict(
            "An RBAC policy already exists with those values.", type="DuplicateRbacPolicy"
        )


def update_policy(tx: Tx, network: Network, policy: Grant, target: str) -> Grant:
    """Lend to another instead."""
    if target == policy.target_project:
        return policy
    _check_new(tx, network.id, policy.action, target)
    _check_unused(tx, network, policy)
    sharing.grant_retarget(tx, policy.id, target)
    return msgspec.structs.replace(policy, target_project=target)


def delete_policy(tx: Tx, network: Network, policy: Grant) -> None:
    """Stop lending, if whoever it was lent to uses it no more."""
    _check_unused(tx, network, policy)
    sharing.grant_delete(tx, policy.id)
    quotas.give_back(tx, policy.project_id, "rbac_policy")


def _check_unused(tx: Tx, network: Network, policy: Grant) -> None:
    if policy.action == EXTERNAL:
        _check_no_gateways(tx, network, policy)
        return
    others = [g for g in sharing.grants_of(tx, network.id) if g.id != policy.id]
    still = {g.target_project for g in others if g.action == SHARED}
    users = port_store.foreign_projects(tx, network.id, network.project_id)
    if policy.target_project != EVERYONE:
        users &= {policy.target_project}
    if EVERYONE not in still and users - still:
        raise Conflict(
            f"Unable to reconfigure sharing settings for network {network.id}. Multiple projects "
            "are using it.",
            type="InvalidSharedSetting",
        )


def _check_no_gateways(tx: Tx, network: Network, policy: Grant) -> None:
    owners = router_store.gateway_projects(tx, network.id) - {network.project_id}
    if policy.target_project != EVERYONE:
        owners &= {policy.target_project}
    if owners:
        raise Conflict(
            f"RBAC policy on object {network.id} cannot be removed because other objects depend "
            "on it.\nDetails: its routers use the network as their gateway",
            type="RbacPolicyInUse",
        )
