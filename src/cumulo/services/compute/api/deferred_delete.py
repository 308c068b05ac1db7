"""/servers/{server_id}/action: forceDelete."""

from typing import TypeAlias

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.compute import servers
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER, DeleteServer
from cumulo.web import Call as _Call
from cumulo.web import Routes
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()


@routes.post(
    "/v2.1/servers/{server_id}/action",
    policy="os_compute_api:os-deferred-delete:force",
    status=202,
    action="forceDelete",
)
def force_delete_server(call: Call, server_id: str) -> None:
    """Delete a server at once, whatever state it is in."""
    call.db.write(_delete, call.ctx, server_id)


def _delete(tx: Tx, ctx: Context, server_id: str) -> None:
    server, action = servers.begin_delete(tx, ctx, server_id)
    params = DeleteServer(server_id=server.id, action=action)
    start(tx, DELETE_SERVER, params, subject=server.id, cancel=True, ctx=ctx)
