"""The metadata of servers."""

from collections.abc import Mapping

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute import new_servers, quotas, servers, states
from cumulo.services.compute.store import servers as store


def get_all(tx: Tx, ctx: Context, server_id: str) -> dict[str, str]:
    """Return all items of a visible server."""
    server = servers.server_visible(tx, ctx, server_id)
    return store.metadata_of(tx, [server.id]).get(server.id, {})


def get_one(tx: Tx, ctx: Context, server_id: str, key: str) -> dict[str, str]:
    """Return one item."""
    items = get_all(tx, ctx, server_id)
    if key not in items:
        raise NotFound("Metadata item was not found", key=key)
    return {key: items[key]}


def change(
    tx: Tx, ctx: Context, server_id: str, items: Mapping[str, str], *, replace: bool
) -> dict[str, str]:
    """Set items, beside the others or instead of them, and return them all."""
    server = _changeable(tx, ctx, server_id, "update_server_metadata")
    before = store.metadata_of(tx, [server.id]).get(server.id, {})
    after = dict(items) if replace else {**before, **items}
    limits = quotas.limits(tx, server.project_id, server.user_id)
    new_servers.check_limit("metadata items", len(after), limits["metadata_items"])
    store.metadata_set(tx, server.id, items, replace=replace)
    servers.record(tx, ctx, server, "update_metadata", metadata=after)
    return after


def remove(tx: Tx, ctx: Context, server_id: str, key: str) -> None:
    """Remove one item."""
    server = _changeable(tx, ctx, server_id, "delete_server_metadata")
    if not store.metadata_delete(tx, server.id, key):
        raise NotFound("Metadata item was not found", key=key)
    servers.record(tx, ctx, server, "delete_metadata", key=key)


def _changeable(tx: Tx, ctx: Context, server_id: str, action: str) -> servers.Server:
    server = servers.server_visible(tx, ctx, server_id)
    servers.check_unlocked(ctx, server)
    states.check(action, server.id, server.vm_state, server.task_state)
    return server
