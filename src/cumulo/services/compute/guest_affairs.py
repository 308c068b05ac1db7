"""What is done to a running guest while the client waits: a new password, an interrupt."""

import base64
from typing import cast

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import CloudError, Conflict, NotFound
from cumulo.node.api import HostError
from cumulo.node.properties import is_on
from cumulo.services.compute import servers, states
from cumulo.services.compute.servers import Server
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools

_AGENT = "hw_qemu_guest_agent"
_PADDING_BYTES = 11  # that PKCS 1 adds to what it encrypts


def change_password(tools: Tools, ctx: Context, server_id: str, password: str) -> None:
    """Have the agent inside a server's guest set its administrator's password.

    The password is kept only in so far as the server's RSA key can encrypt it.
    """
    server = tools.db.read(_with_agent, ctx, server_id)
    try:
        node = tools.nodes.on(cast(str, server.host))
        node.set_password(server.id, _administrator(server), password)
    except (Conflict, HostError, NotFound) as error:
        tools.db.write(_note, ctx, server, _PASSWORD, error)
        raise Conflict(
            f"Failed to set admin password on {server_id} because error setting admin password: "
            f"{error.message}",
            server_id=server_id,
        ) from error
    tools.db.write(_note, ctx, server, _PASSWORD, None)
    tools.db.write(_keep, server.id, _sealed(server, password))


def trigger_crash_dump(tools: Tools, ctx: Context, server_id: str) -> None:
    """Send a server's guest an interrupt at which its kernel, if told so, writes a crash dump."""
    server = tools.db.read(_ready, ctx, server_id, "trigger_crash_dump")
    try:
        tools.nodes.on(cast(str, server.host)).interrupt_guest(server.id)
    except (Conflict, HostError, NotFound) as error:
        tools.db.write(_note, ctx, server, _CRASH_DUMP, error)
        raise Conflict(error.message, server_id=server_id) from error
    tools.db.write(_note, ctx, server, _CRASH_DUMP, None)


_PASSWORD = ("changePassword", "compute_set_admin_password")
_CRASH_DUMP = ("trigger_crash_dump", "compute_trigger_crash_dump")


def _with_agent(tx: Tx, ctx: Context, server_id: str) -> Server:
    server = _ready(tx, ctx, server_id, "changePassword")
    if not is_on(server.image_properties.get(_AGENT)):
        raise Conflict(
            f"Guest agent is not enabled for the instance: its image lacks {_AGENT}=yes.",
            server_id=server_id,
        )
    return server


def _ready(tx: Tx, ctx: Context, server_id: str, action: str) -> Server:
    server = servers.server_visible(tx, ctx, server_id)
    servers.check_unlocked(ctx, server)
    states.check(action, server.id, server.vm_state, server.task_state)
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready", server_id=server_id)
    return server


def _note(
    tx: Tx, ctx: Context, server: Server, names: tuple[str, str], error: CloudError | None
) -> None:
    """Record what was done, and how it ended."""
    action, event = names
    number = actions.action_insert(tx, server.id, action, servers.doer(ctx))
    actions.event_start(tx, number, event, server.host)
    actions.event_finish(tx, number, event, error=error.message if error else None)
    servers.record(tx, ctx, server, action)


def _keep(tx: Tx, server_id: str, sealed: str | None) -> None:
    if sealed is not None:
        store.server_update(tx, server_id, guest_password=sealed)


def _administrator(server: Server) -> str:
    properties = server.image_properties
    usual = "Administrator" if properties.get("os_type") == "windows" else "root"
    return properties.get("os_admin_user") or usual


def _sealed(server: Server, password: str) -> str | None:
    """Return the password as only the owner of the server's key can read it, where that can be."""
    if not server.key_data or not server.key_data.startswith("ssh-rsa "):
        return None
    key = load_ssh_public_key(server.key_data.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    if len(password.encode()) > key.key_size // 8 - _PADDING_BYTES:
        return None
    return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()
