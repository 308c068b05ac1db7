"""RBAC policies: what a project lends to all others, or to some by name."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, quotas, refusals
from cumulo.services.network.journal import Caller
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, Text
from cumulo.services.network.store import address_groups as address_store
from cumulo.services.network.store import changes, listing, sharing, standard, tables
from cumulo.services.network.store import lending as store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import qos_policies as qos_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import subnetpools as subnetpool_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.sharing import EVERYONE, EXTERNAL, SHARED
from cumulo.services.network.store.sharing import Grant as Grant

ObjectType: TypeAlias = Literal[
    "network", "security_group", "address_scope", "subnetpool", "qos_policy", "address_group"
]
# What may be lent, and who uses it without owning it.
_TABLES: Mapping[str, sa.Table] = {
    "network": tables.network,
    "security_group": tables.security_group,
    "address_scope": tables.address_scope,
    "subnetpool": tables.subnetpool,
    "qos_policy": tables.qos_policy,
    "address_group": tables.address_group,
}
_USERS: Mapping[str, Callable[[Tx, str], set[str]]] = {
    "network": store.network_users,
    "security_group": store.security_group_users,
    "address_scope": subnetpool_store.scope_users,
    "subnetpool": subnetpool_store.pool_users,
    "qos_policy": qos_store.policy_users,
    "address_group": address_store.group_users,
}


class RbacPolicySpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants to lend, to whom, and for what."""

    object_type: ObjectType
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
    tx: Tx,
    by: Caller | None,
    kind: ObjectType,
    lent: journal.Owned,
    action: str,
) -> None:
    """Lend something to every project for `action`, if it is not."""
    if sharing.grant_find(tx, lent.id, action, EVERYONE) is None:
        made = Grant(new_id(), lent.project_id, kind, lent.id, action, EVERYONE)
        quotas.count(tx, made.project_id, "rbac_policy")
        sharing.grant_insert(tx, made)
        journal.created(tx, by, "rbac_policy", made)


def revoke(tx: Tx, by: Caller | None, lent: journal.Owned, action: str = SHARED) -> None:
    """Lend something to every project no more; projects named one by one keep it."""
    found = sharing.grant_find(tx, lent.id, action, EVERYONE)
    if found is not None:
        _delete(tx, by, found)


def forget(tx: Tx, by: Caller | None, object_id: str) -> None:
    """End all lending of something that goes away."""
    for found in sharing.grants_of(tx, object_id):
        sharing.grant_delete(tx, found.id)
        quotas.give_back(tx, found.project_id, "rbac_policy")
        journal.deleted(tx, by, "rbac_policy", found)


def policy_visible(tx: Tx, ctx: Context, policy_id: str) -> Grant:
    """Return a policy the caller may know of; to anyone else it does not exist."""
    found = sharing.grant_get(tx, policy_id, sharing.owned(tables.rbac_policy, viewer(ctx)))
    if found is None:
        raise refusals.rbac_policy_not_found(policy_id)
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


def create_policy(tx: Tx, ctx: Context, settings: NetworkSettings, spec: RbacPolicySpec) -> Grant:
    """Lend something of one's own."""
    if spec.action == EXTERNAL and spec.object_type != "network":
        raise refusals.invalid_input(
            f"Invalid action '{spec.action}' for object type '{spec.object_type}'. "
            f"Valid actions: {SHARED}"
        )
    _check_owner(tx, ctx, spec.object_type, spec.object_id)
    target = target_of(spec)
    _check_new(tx, spec.object_id, spec.action, target)
    if spec.object_type == "subnetpool":
        _check_scope(tx, spec.object_id, target)
    project_id = owner(ctx, spec.project_id, spec.tenant_id)
    quotas.take(tx, settings, project_id, "rbac_policy")
    made = Grant(new_id(), project_id, spec.object_type, spec.object_id, spec.action, target)
    sharing.grant_insert(tx, made)
    facts = {"external": True} if spec.action == EXTERNAL else {}
    standard.change(tx, _TABLES[spec.object_type], spec.object_id, **facts)
    journal.created(tx, ctx, "rbac_policy", made)
    return made


def _check_owner(tx: Tx, ctx: Context, kind: str, object_id: str) -> None:
    """Refuse to lend what is another project's; what the caller may not know of is not there."""
    found = store.owner_of(tx, _TABLES[kind], object_id)
    is_own = ctx.is_admin or found == ctx.project_id
    if found is None or not (is_own or _is_seen(tx, ctx, object_id)):
        raise NotFound(
            f"{kind.replace('_', ' ').capitalize()} {object_id} could not be found.",
            type=f"{kind.title().replace('_', '')}NotFound",
        )
    if not is_own:
        raise refusals.invalid_input(
            f"Only admins can manipulate policies on {kind}s they do not own"
        )


def _check_scope(tx: Tx, pool_id: str, target: str) -> None:
    """Refuse to lend a pool to who may not use its address scope."""
    scope_id = subnetpool_store.scope_of_pool(tx, pool_id)
    if scope_id is None:
        return
    lent = {one.target_project for one in sharing.grants_of(tx, scope_id)}
    if (
        not lent & {target, EVERYONE}
        and store.owner_of(tx, tables.address_scope, scope_id) != target
    ):
        raise refusals.bad_request_of(
            "RbacPolicyInitError",
            f"RBAC policy on subnetpool {pool_id} cannot be made: project {target} may not use "
            f"its address scope {scope_id}: share that first.",
        )


def _is_seen(tx: Tx, ctx: Context, object_id: str) -> bool:
    mine = {EVERYONE, ctx.project_id}
    return any(one.target_project in mine for one in sharing.grants_of(tx, object_id))


def _check_new(tx: Tx, object_id: str, action: str, target: str) -> None:
    if sharing.grant_find(tx, object_id, action, target):
        raise Conflict(
            "An RBAC policy already exists with those values.", type="DuplicateRbacPolicy"
        )


def update_policy(tx: Tx, ctx: Context, policy: Grant, target: str) -> Grant:
    """Lend to another instead."""
    if target == policy.target_project:
        return policy
    _check_new(tx, policy.object_id, policy.action, target)
    _check_unused(tx, policy, target)
    sharing.grant_retarget(tx, policy.id, target)
    standard.change(tx, _TABLES[policy.object_type], policy.object_id)
    after = msgspec.structs.replace(policy, target_project=target)
    journal.updated(tx, ctx, "rbac_policy", policy, after)
    return after


def delete_policy(tx: Tx, ctx: Context, policy: Grant) -> None:
    """Stop lending, if whoever it was lent to uses it no more."""
    if policy.action == EXTERNAL and policy.target_project == EVERYONE:
        _check_not_default(tx, policy)
    _delete(tx, ctx, policy)
    left = {one.action for one in sharing.grants_of(tx, policy.object_id)}
    facts = {"external": False} if policy.action == EXTERNAL and EXTERNAL not in left else {}
    standard.change(tx, _TABLES[policy.object_type], policy.object_id, **facts)
    if facts:
        changes.mark(tx, "network", [policy.object_id])


def _check_not_default(tx: Tx, policy: Grant) -> None:
    """Keep the network by which projects get out unless they say open to them."""
    n = tables.network.c
    if network_store.networks_where(tx, n.id == policy.object_id, n.is_default.is_(True)):
        raise Conflict(
            f"RBAC policy on object {policy.object_id} cannot be removed because other objects "
            "depend on it.\nDetails: it is the default external network",
            type="RbacPolicyInUse",
        )


def _delete(tx: Tx, by: Caller | None, policy: Grant) -> None:
    _check_unused(tx, policy)
    sharing.grant_delete(tx, policy.id)
    quotas.give_back(tx, policy.project_id, "rbac_policy")
    journal.deleted(tx, by, "rbac_policy", policy)


def _check_unused(tx: Tx, policy: Grant, instead: str | None = None) -> None:
    """Refuse to take away what projects use, unless it is lent to them `instead`."""
    object_id = policy.object_id
    owned_by = store.owner_of(tx, _TABLES[policy.object_type], object_id)
    if policy.action == EXTERNAL:
        users = router_store.gateway_projects(tx, object_id) - {owned_by}
    else:
        users = _USERS[policy.object_type](tx, object_id)
        if (policy.object_type, policy.target_project) != ("qos_policy", EVERYONE):
            users -= {owned_by}
    if policy.target_project != EVERYONE:
        users &= {policy.target_project}
    others = [g for g in sharing.grants_of(tx, object_id) if g.id != policy.id]
    still = {g.target_project for g in others if g.action == policy.action}
    if policy.object_type == "network" and instead is not None:
        still.add(instead)
    if EVERYONE in still or not users - still:
        return
    if (policy.object_type, policy.action) == ("network", SHARED):
        raise Conflict(
            f"Unable to reconfigure sharing settings for network {object_id}. Multiple projects "
            "are using it.",
            type="InvalidSharedSetting",
        )
    raise Conflict(
        f"RBAC policy on object {object_id} cannot be removed because other objects depend "
        "on it.\nDetails: projects that it was lent to use it",
        type="RbacPolicyInUse",
    )
