"""/servers/{server_id}/action: what is done to a running guest while the client waits."""

from typing import TypeAlias

import msgspec

from cumulo.services.compute import guest_affairs
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True):
    """The administrator's new password."""

    admin_pass: str = msgspec.field(name="adminPass")


@routes.post(_PATH, policy="os_compute_api:os-admin-password", status=202, action="changePassword")
def change_password(call: Call, server_id: str, body: ChangePassword) -> None:
    """Change the administrator's password through the agent inside the guest."""
    guest_affairs.change_password(call.tools, call.ctx, server_id, body.admin_pass)


@routes.post(
    _PATH,
    policy="os_compute_api:servers:trigger_crash_dump",
    status=202,
    action="trigger_crash_dump",
    since="2.17",
)
def trigger_crash_dump(call: Call, server_id: str) -> None:
    """Interrupt a server's guest, at which its kernel writes a crash dump if it was set up so."""
    guest_affairs.trigger_crash_dump(call.tools, call.ctx, server_id)
