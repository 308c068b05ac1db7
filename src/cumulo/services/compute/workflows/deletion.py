"""How a server is deleted: at once, or softly where the operator wants deletions to be undone."""

from datetime import timedelta

from cumulo.auth import Context
from cumulo.auth.context import system
from cumulo.db import Tx
from cumulo.kit import clock, log
from cumulo.services.compute import moves, servers, states
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.change_power import CHANGE_POWER, TASKS, ChangePower, Verb
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER, DeleteServer
from cumulo.work import Reconciler, start

LOG = log.get("compute")


def delete(tx: Tx, ctx: Context, tools: Tools, server_id: str) -> None:
    """Delete a server; softly, where that is wanted and it is one that runs or did."""
    server = servers.server_visible(tx, ctx, server_id)
    lives = server.host is not None and server.vm_state in states.allowed_states("softDelete")
    if tools.settings.reclaim_instance_interval and lives and server.task_state is None:
        _change(tx, ctx, server_id, "softDelete", log_as="delete")
    else:
        delete_at_once(tx, ctx, server_id)


def delete_at_once(tx: Tx, ctx: Context, server_id: str) -> None:
    """Delete a server, whatever state it is in."""
    server, action = servers.begin_delete(tx, ctx, server_id)
    _start(tx, ctx, server, action)


def restore(tx: Tx, ctx: Context, server_id: str) -> None:
    """Bring back a server that was deleted softly, if the quota has room for it."""
    _change(tx, ctx, server_id, "restore", log_as="restore")
    moves.claim_quota(tx, servers.server_visible(tx, ctx, server_id))


def reclaim_servers(tools: Tools) -> None:
    """Delete for good what was deleted softly long enough ago."""
    if tools.settings.reclaim_instance_interval:
        for server_id in tools.db.write(_reclaim, system(), tools):
            LOG.info("server reclaimed", server=server_id)


def _reclaim(tx: Tx, ctx: Context, tools: Tools) -> list[str]:
    lasts = timedelta(seconds=tools.settings.reclaim_instance_interval)
    due = store.servers_soft_deleted(tx, before=clock.now() - lasts)
    for server in due:
        _start(tx, ctx, server, servers.mark_deleted(tx, ctx, server))
    return [server.id for server in due]


def _start(tx: Tx, ctx: Context, server: Server, action: int) -> None:
    params = DeleteServer(server_id=server.id, action=action)
    start(tx, DELETE_SERVER, params, subject=server.id, cancel=True, ctx=ctx)


def _change(tx: Tx, ctx: Context, server_id: str, verb: Verb, *, log_as: str) -> None:
    server, action = servers.begin(tx, ctx, server_id, verb, task=TASKS[verb], log_as=log_as)
    params = ChangePower(server_id=server.id, action=action, verb=verb)
    start(tx, CHANGE_POWER, params, subject=server.id, ctx=ctx)


RECLAIM_SERVERS = Reconciler(reclaim_servers, every_s=60, name="compute.reclaim_servers")
