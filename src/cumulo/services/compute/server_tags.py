"""The tags of servers."""

from collections.abc import Sequence

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.compute import servers
from cumulo.services.compute.store import servers as store

_MOST = 50


def get_all(tx: Tx, ctx: Context, server_id: str) -> list[str]:
    """Return the tags of a visible server."""
    server = servers.server_visible(tx, ctx, server_id)
    return store.tags_of(tx, [server.id]).get(server.id, [])


def check(tx: Tx, ctx: Context, server_id: str, tag: str) -> None:
    """Raise `NotFound` unless the server has the tag."""
    if tag not in get_all(tx, ctx, server_id):
        raise NotFound(f"Server {server_id} has no tag '{tag}'")


def replace(tx: Tx, ctx: Context, server_id: str, tags: Sequence[str]) -> list[str]:
    """Let the server have exactly these tags."""
    server = servers.server_visible(tx, ctx, server_id)
    store.tags_set(tx, server.id, tags)
    servers.record(tx, ctx, server, "update_tags", tags=list(tags))
    return sorted(set(tags))


def add(tx: Tx, ctx: Context, server_id: str, tag: str) -> bool:
    """Add a tag; say whether it is new."""
    present = get_all(tx, ctx, server_id)
    if tag in present:
        return False
    if len(present) >= _MOST:
        raise Invalid(f"The number of tags exceeded the per-server limit {_MOST}")
    replace(tx, ctx, server_id, [*present, tag])
    return True


def remove(tx: Tx, ctx: Context, server_id: str, tag: str) -> None:
    """Remove a tag."""
    server = servers.server_visible(tx, ctx, server_id)
    if not store.tag_delete(tx, server.id, tag):
        raise NotFound(f"Server {server_id} has no tag '{tag}'")
    servers.record(tx, ctx, server, "update_tags")
