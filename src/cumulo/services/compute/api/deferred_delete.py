"""/servers/{server_id}/action: forceDelete and restore, of servers that are deleted softly."""

from typing import TypeAlias

from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.deletion import delete_at_once, restore
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


@routes.post(
    _PATH, policy="os_compute_api:os-deferred-delete:force", status=202, action="forceDelete"
)
def force_delete_server(call: Call, server_id: str) -> None:
    """Delete a server at once, whatever state it is in."""
    call.db.write(delete_at_once, call.ctx, server_id)


@routes.post(
    _PATH, policy="os_compute_api:os-deferred-delete:restore", status=202, action="restore"
)
def restore_server(call: Call, server_id: str) -> None:
    """Bring back a server that was deleted softly."""
    call.db.write(restore, call.ctx, server_id)
