"""/servers/{server_id}/action: what can be done with a server in one word."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.compute import networking, servers
from cumulo.services.compute.api.server_bodies import Name
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.change_power import CHANGE_POWER, TASKS, ChangePower, Verb
from cumulo.web import Call as _Call
from cumulo.web import LooseInt, Reply, Routes, since
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


class Reboot(msgspec.Struct, forbid_unknown_fields=True):
    """How to restart."""

    type: Literal["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]


class Lock(msgspec.Struct, forbid_unknown_fields=True):
    """Why to lock."""

    locked_reason: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None, since("2.73")
    ] = None


class Group(msgspec.Struct, forbid_unknown_fields=True):
    """A security group by name or id."""

    name: Name


class State(msgspec.Struct, forbid_unknown_fields=True):
    """What to call a server."""

    state: Literal["active", "error"]


class Length(msgspec.Struct, forbid_unknown_fields=True):
    """How many lines of the console to show; none or -1: all."""

    length: LooseInt | None = None


class Output(msgspec.Struct):
    """What the guest wrote to its console."""

    output: str


@routes.post(_PATH, policy="os_compute_api:servers:stop", status=202, action="os-stop")
def stop_server(call: Call, server_id: str) -> None:
    """Stop a server: its guest is asked to power off, and switched off if it does not."""
    call.db.write(_change, call.ctx, server_id, "stop")


@routes.post(_PATH, policy="os_compute_api:servers:start", status=202, action="os-start")
def start_server(call: Call, server_id: str) -> None:
    """Start a stopped server."""
    call.db.write(_change, call.ctx, server_id, "start")


@routes.post(_PATH, policy="os_compute_api:servers:reboot", status=202, action="reboot")
def reboot_server(call: Call, server_id: str, body: Reboot) -> None:
    """Restart a server, by asking its guest (SOFT) or by switching it off and on (HARD)."""
    hard = body.type.upper() == "HARD"
    call.db.write(_change, call.ctx, server_id, "reboot hard" if hard else "reboot")


@routes.post(_PATH, policy="os_compute_api:os-pause-server:pause", status=202, action="pause")
def pause_server(call: Call, server_id: str) -> None:
    """Stop a server's clock; its memory stays in the host."""
    call.db.write(_change, call.ctx, server_id, "pause")


@routes.post(_PATH, policy="os_compute_api:os-pause-server:unpause", status=202, action="unpause")
def unpause_server(call: Call, server_id: str) -> None:
    """Let a paused server go on."""
    call.db.write(_change, call.ctx, server_id, "unpause")


@routes.post(_PATH, policy="os_compute_api:os-suspend-server:suspend", status=202, action="suspend")
def suspend_server(call: Call, server_id: str) -> None:
    """Write a server's memory to disk and stop it."""
    call.db.write(_change, call.ctx, server_id, "suspend")


@routes.post(_PATH, policy="os_compute_api:os-suspend-server:resume", status=202, action="resume")
def resume_server(call: Call, server_id: str) -> None:
    """Let a suspended server go on where it was."""
    call.db.write(_change, call.ctx, server_id, "resume")


def _change(tx: Tx, ctx: Context, server_id: str, verb: Verb) -> None:
    log_as = verb.split()[0]
    server, action = servers.begin(tx, ctx, server_id, verb, task=TASKS[verb], log_as=log_as)
    params = ChangePower(server_id=server.id, action=action, verb=verb)
    start(tx, CHANGE_POWER, params, subject=server.id, ctx=ctx)


@routes.post(_PATH, policy="os_compute_api:os-lock-server:lock", status=202, action="lock")
def lock_server(call: Call, server_id: str, body: Lock | None) -> None:
    """Keep a server from being changed by its users."""
    reason = body.locked_reason if body else None
    call.db.write(servers.lock_server, call.ctx, server_id, reason)


@routes.post(_PATH, policy="os_compute_api:os-lock-server:unlock", status=202, action="unlock")
def unlock_server(call: Call, server_id: str) -> None:
    """Let a server be changed again."""
    call.db.write(servers.unlock_server, call.ctx, server_id)


@routes.post(
    _PATH, policy="os_compute_api:os-admin-actions:reset_state", status=202, action="os-resetState"
)
def reset_state(call: Call, server_id: str, body: State) -> None:
    """Call a server active or in error."""
    call.db.write(servers.reset_state, call.ctx, server_id, body.state)


@routes.post(
    _PATH,
    policy="os_compute_api:os-admin-actions:inject_network_info",
    status=202,
    action="injectNetworkInfo",
)
def inject_network_info(call: Call, server_id: str) -> None:
    """Have a guest told of its network; guests ask for themselves, and nothing is left to do."""
    call.db.write(servers.inject_network_info, call.ctx, server_id)


@routes.post(
    _PATH, policy="os_compute_api:os-security-groups:add", status=202, action="addSecurityGroup"
)
def add_security_group(call: Call, server_id: str, body: Group) -> None:
    """Put all ports of a server into a security group."""
    call.db.write(_add_group, call.ctx, call.tools, server_id, body.name)


def _add_group(tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str) -> None:
    server = servers.server_visible(tx, ctx, server_id)
    networking.add_security_group(tx, ctx, tools.network, server.id, name)
    servers.record(tx, ctx, server, "add_security_group", group=name)


@routes.post(
    _PATH,
    policy="os_compute_api:os-security-groups:remove",
    status=202,
    action="removeSecurityGroup",
)
def remove_security_group(call: Call, server_id: str, body: Group) -> None:
    """Take all ports of a server out of a security group."""
    call.db.write(_remove_group, call.ctx, call.tools, server_id, body.name)


def _remove_group(tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str) -> None:
    server = servers.server_visible(tx, ctx, server_id)
    networking.remove_security_group(tx, ctx, tools.network, server.id, name)
    servers.record(tx, ctx, server, "remove_security_group", group=name)


@routes.post(_PATH, policy="os_compute_api:os-console-output", action="os-getConsoleOutput")
def get_console_output(call: Call, server_id: str, body: Length) -> Reply:
    """Show what the guest wrote to its serial console."""
    server = call.db.read(servers.server_visible, call.ctx, server_id)
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready", server_id=server_id)
    lines = body.length if body.length is not None and body.length >= 0 else None
    try:
        log = call.tools.nodes.on(server.host).console_log(server_id, lines)
    except NotFound as error:
        raise Conflict(f"Instance {server_id} is not ready", server_id=server_id) from error
    return Reply(Output(_printable(log.decode("utf-8", "replace"))))


def _printable(text: str) -> str:
    """Return text without the control characters that JSON readers and terminals stumble over."""
    return "".join(c for c in text if c >= " " or c in "\n\r\t\x1b")
