"""Consoles: tokens that open a server's screen or serial line for a while, and what they open.

A token is good until it expires, or until its server leaves the host that it was on.  Only its
hash is kept.
"""

import base64
import hashlib
import socket
from datetime import timedelta
from typing import Literal, TypeAlias

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, log
from cumulo.kit.errors import Conflict, Invalid, NotFound, Unauthorized
from cumulo.kit.ids import new_secret
from cumulo.node.api import ConsoleKind
from cumulo.services.compute import servers
from cumulo.services.compute.store import consoles as store
from cumulo.services.compute.store.consoles import ConsoleToken as ConsoleToken
from cumulo.services.compute.tools import Tools

LOG = log.get("compute")
Protocol: TypeAlias = Literal["vnc", "spice", "rdp", "serial", "mks"]
# What each protocol may be shown with; of those not named here there are none.
_TYPES: dict[str, str] = {"vnc": "novnc", "serial": "serial"}
_KINDS: dict[str, ConsoleKind] = {"vnc": "vnc", "serial": "serial"}


def open_console(
    tx: Tx, ctx: Context, tools: Tools, server_id: str, protocol: Protocol, shown_by: str
) -> str:
    """Return the address, with a token in it, at which a server's console is for a while."""
    server = servers.server_visible(tx, ctx, server_id)
    kind = _KINDS.get(protocol)
    if kind is None:
        raise Invalid(f"Unavailable console type {shown_by}.", field="type")
    if _TYPES[protocol] != shown_by:
        raise Invalid(f"Invalid console type {shown_by}", field="type")
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready", server_id=server_id)
    token = base64.urlsafe_b64encode(new_secret(32)).decode().rstrip("=")
    lasts = timedelta(seconds=tools.settings.token_ttl)
    new = ConsoleToken(
        hash=_hash(token),
        server_id=server.id,
        host=server.host,
        kind=kind,
        expires_at=clock.now() + lasts,
    )
    store.console_token_add(tx, new)
    servers.record(tx, ctx, server, "open_console", type=shown_by)
    if kind == "serial":
        return f"ws://{tools.consoles}/?token={token}"
    return f"http://{tools.consoles}/vnc_lite.html?path=%3Ftoken%3D{token}"


def opened_by(tx: Tx, token: str) -> ConsoleToken:
    """Return what a token opens."""
    found = store.console_token_find(tx, _hash(token))
    if found is None:
        raise NotFound("Token not found")
    return found


def connect_console(tools: Tools, token: str) -> socket.socket:
    """Return a connection to what a token opens."""
    found = tools.db.read(store.console_token_find, _hash(token))
    if found is None:
        raise Unauthorized("The token of a console is wrong, or no longer good.")
    connection = tools.nodes.on(found.host).open_console(found.server_id, found.kind)
    LOG.info("console opened", server=found.server_id, host=found.host, kind=found.kind)
    return connection


def close(tx: Tx, server_id: str) -> None:
    """Forget what opens a server that leaves its host: it may come back there."""
    store.console_tokens_delete(tx, server_id)


def forget_expired(tx: Tx) -> None:
    """Forget tokens that are good no more."""
    store.console_tokens_expire(tx)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
