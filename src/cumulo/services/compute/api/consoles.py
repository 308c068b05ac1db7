"""/servers/{server_id}/remote-consoles, the actions it replaced, and /os-console-auth-tokens."""

from typing import Annotated, Literal, NoReturn, TypeAlias

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.compute import consoles
from cumulo.services.compute.consoles import ConsoleToken, Protocol
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.web.errors import Gone

Call: TypeAlias = _Call[Tools]
routes = Routes()
_ACTION = "/v2.1/servers/{server_id}/action"
_RULE = "os_compute_api:os-remote-consoles"
_PLACE = "/v2.1/os-console-auth-tokens/{console_token}"
_RULE_PLACES = "os_compute_api:os-console-auth-tokens"
_Type: TypeAlias = Literal[
    "novnc", "xvpvnc", "spice-html5", "spice-direct", "rdp-html5", "serial", "webmks"
]


class RemoteConsole(msgspec.Struct, forbid_unknown_fields=True):
    """Which console, and what it is to be shown by."""

    protocol: Protocol
    type: _Type


class RemoteConsoleRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request for a console."""

    remote_console: RemoteConsole


class ShownRemoteConsole(msgspec.Struct):
    """Where a console is, for a while."""

    protocol: str
    type: str
    url: str


class RemoteConsoleBody(msgspec.Struct):
    """One console."""

    remote_console: ShownRemoteConsole


class VncType(msgspec.Struct, forbid_unknown_fields=True):
    """What shows a screen over VNC."""

    type: Literal["novnc", "xvpvnc"]


class SpiceType(msgspec.Struct, forbid_unknown_fields=True):
    """What shows a screen over SPICE."""

    type: Literal["spice-html5"]


class SerialType(msgspec.Struct, forbid_unknown_fields=True):
    """What shows a serial line."""

    type: Literal["serial"]


class ShownConsole(msgspec.Struct):
    """Where a console is, for a while."""

    type: str
    url: str


class ConsoleBody(msgspec.Struct):
    """One console, as the first versions spell it."""

    console: ShownConsole


class ShownConnection(msgspec.Struct):
    """What a token opens; hosts have no ports for it, so that none are told."""

    instance_uuid: str
    host: str
    port: int | None
    internal_access_path: str | None
    tls_port: Annotated[int | None, since("2.99")]


class ConnectionBody(msgspec.Struct):
    """What one token opens."""

    console: ShownConnection


@routes.post("/v2.1/servers/{server_id}/remote-consoles", policy=_RULE, since="2.6")
def create_remote_console(
    call: Call, server_id: str, body: RemoteConsoleRequest
) -> RemoteConsoleBody:
    """Make an address at which a server's screen or serial console can be used for a while."""
    wanted = body.remote_console
    url = _open(call, server_id, wanted.protocol, wanted.type)
    return RemoteConsoleBody(ShownRemoteConsole(wanted.protocol, wanted.type, url))


@routes.post(_ACTION, policy=_RULE, until="2.5", action="os-getVNCConsole")
def get_vnc_console(call: Call, server_id: str, body: VncType) -> ConsoleBody:
    """Make an address at which a server's screen can be used for a while."""
    return ConsoleBody(ShownConsole(body.type, _open(call, server_id, "vnc", body.type)))


@routes.post(_ACTION, policy=_RULE, until="2.5", action="os-getSPICEConsole")
def get_spice_console(call: Call, server_id: str, body: SpiceType) -> ConsoleBody:
    """Make an address of a SPICE console, which servers here have none of."""
    return ConsoleBody(ShownConsole(body.type, _open(call, server_id, "spice", body.type)))


@routes.post(_ACTION, policy=_RULE, until="2.5", action="os-getSerialConsole")
def get_serial_console(call: Call, server_id: str, body: SerialType) -> ConsoleBody:
    """Make an address at which a server's serial console can be used for a while."""
    return ConsoleBody(ShownConsole(body.type, _open(call, server_id, "serial", body.type)))


@routes.post(_ACTION, policy=_RULE, until="2.5", action="os-getRDPConsole")
def get_rdp_console(call: Call, server_id: str) -> NoReturn:
    """Say that consoles over RDP were removed for good."""
    raise Gone("os-getRDPConsole was removed from the API and will not come back.")


def _open(call: Call, server_id: str, protocol: Protocol, shown_by: str) -> str:
    return call.db.write(consoles.open_console, call.ctx, call.tools, server_id, protocol, shown_by)


@routes.get(_PLACE, policy=_RULE_PLACES, until="2.30", has_secret_path=True)
def show_rdp_console_token(call: Call, console_token: str) -> NoReturn:
    """Say that tokens of consoles over RDP, which this was for, are no more."""
    raise Invalid("Only tokens of rdp-html5 consoles are shown before 2.31: there are none.")


@routes.get(_PLACE, policy=_RULE_PLACES, since="2.31", has_secret_path=True)
def show_console_token(call: Call, console_token: str) -> ConnectionBody:
    """Show which server's console a token opens."""
    return ConnectionBody(_connection(call.db.read(consoles.opened_by, console_token)))


def _connection(found: ConsoleToken) -> ShownConnection:
    return ShownConnection(
        instance_uuid=found.server_id,
        host=found.host,
        port=None,
        internal_access_path=None,
        tls_port=None,
    )
