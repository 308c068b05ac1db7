"""/servers/{server_id}/os-server-password: the password that a guest made up and encrypted."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.compute import servers
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/os-server-password"


class PasswordBody(msgspec.Struct):
    """The password, readable with the server's key; empty when there is none."""

    password: str


@routes.get(_PATH, policy="os_compute_api:os-server-password:show")
def show_password(call: Call, server_id: str) -> PasswordBody:
    """Show the password that the guest made up."""
    server = call.db.read(servers.server_visible, call.ctx, server_id)
    return PasswordBody(server.guest_password or "")


@routes.delete(_PATH, policy="os_compute_api:os-server-password:clear", status=204)
def clear_password(call: Call, server_id: str) -> None:
    """Forget the password; the guest keeps it, and may tell of another."""
    call.db.write(_clear, call.ctx, server_id)


def _clear(tx: Tx, ctx: Context, server_id: str) -> None:
    servers.update_server(tx, ctx, server_id, {"guest_password": None})
