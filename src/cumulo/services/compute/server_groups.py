"""Server groups: which servers should share a host, and which should not."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import Invalid, NotFound, OverQuota
from cumulo.services.compute import quotas
from cumulo.services.compute.store import server_groups as store
from cumulo.services.compute.store.server_groups import ServerGroup as ServerGroup
from cumulo.work import events


class ServerGroupSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a new server group should be."""

    name: str
    policy: str
    max_server_per_host: int | None = None


def new_group(tx: Tx, ctx: Context, spec: ServerGroupSpec) -> ServerGroup:
    """Record a server group of the caller's project and count it."""
    if spec.max_server_per_host is not None and spec.policy != "anti-affinity":
        raise Invalid("Only anti-affinity policy supports rules.", field="rules")
    if ctx.project_id is None:
        raise Invalid("A server group belongs to a project; use a token of one.")
    try:
        quotas.claim(tx, ctx.project_id, ctx.user_id, {"server_groups": 1})
    except OverQuota as error:
        raise OverQuota("Quota exceeded, too many server groups.", **error.data) from error
    group = ServerGroup(
        id=ids.new_id(),
        name=spec.name,
        project_id=ctx.project_id,
        user_id=ctx.user_id,
        policy=spec.policy,
        max_server_per_host=spec.max_server_per_host,
        created_at=clock.now(),
    )
    store.group_add(tx, group)
    events.record(
        tx, ctx, resource="server_group", resource_id=group.id, action="create", after=group
    )
    return group


def group_visible(tx: Tx, ctx: Context, group_id: str) -> ServerGroup:
    """Return a group of the caller's project; to anyone else it does not exist."""
    group = store.group_get(tx, group_id)
    if group.project_id == ctx.project_id or ctx.is_admin:
        return group
    raise NotFound(f"Instance group {group_id} could not be found.", group_id=group_id)


def list_groups(
    tx: Tx, ctx: Context, *, all_projects: bool, offset: int, limit: int
) -> list[ServerGroup]:
    """Return the project's groups; an administrator may ask for everyone's."""
    if all_projects and ctx.is_admin:
        ctx.require("os_compute_api:os-server-groups:index:all_projects")
        return store.group_list(tx, project_id=None, offset=offset, limit=limit)
    return store.group_list(tx, project_id=ctx.project_id or "", offset=offset, limit=limit)


def delete_group(tx: Tx, ctx: Context, group_id: str) -> None:
    """Remove a group; its servers stay where they are."""
    group = group_visible(tx, ctx, group_id)
    if not store.group_delete(tx, group_id):
        raise NotFound(f"Instance group {group_id} could not be found.", group_id=group_id)
    for _ in group.members:
        quotas.release_member(tx, group_id)
    quotas.release(tx, group.project_id, group.user_id, {"server_groups": 1})
    events.record(
        tx, ctx, resource="server_group", resource_id=group.id, action="delete", before=group
    )


def add_member(tx: Tx, ctx: Context, group_id: str, server_id: str) -> ServerGroup:
    """Put a new server into a group; call it in the transaction that makes the server."""
    group = group_visible(tx, ctx, group_id)
    quotas.claim_member(tx, group.project_id, group_id)
    store.member_add(tx, group_id, server_id)
    return store.group_get(tx, group_id)


def remove_member(tx: Tx, server_id: str) -> None:
    """Take a server out of its group; call it in the transaction that ends the server."""
    for group_id in store.member_remove(tx, server_id):
        quotas.release_member(tx, group_id)


def every_member(tx: Tx) -> set[str]:
    """Return the servers that are in any group."""
    return store.every_member(tx)


def group_of(tx: Tx, server_id: str) -> ServerGroup | None:
    """Return the group that a server is in, whoever asks."""
    return store.group_of(tx, server_id)
