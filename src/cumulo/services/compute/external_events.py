"""What other services tell of servers.

Networks, volumes and power are read where they are kept, so that there is nothing to refresh: what
was told is recorded with its server, for whoever follows its events.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute import servers


class Told(NamedTuple):
    """What has happened to a server, and to what of it."""

    server_id: str
    name: str
    tag: str | None


def take(tx: Tx, ctx: Context, told: Sequence[Told]) -> list[int]:
    """Record events; return for each 200, 404 for no such server, 422 for one on no host."""
    return [_take(tx, ctx, one) for one in told]


def _take(tx: Tx, ctx: Context, told: Told) -> int:
    try:
        server = servers.server_of_anyone(tx, told.server_id)
    except NotFound:
        return 404
    if server.host is None:
        return 422
    servers.record(tx, ctx, server, told.name, tag=told.tag)
    return 200
