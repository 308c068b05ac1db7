"""One more, or one less, interface of a guest, whether it runs or not."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute import networking, servers
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import plug_in, reached, tried
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_ATTACH, _DETACH = "compute_attach_interface", "compute_detach_interface"


class PlugInterface(msgspec.Struct, frozen=True, kw_only=True):
    """Which port of which server."""

    server_id: str
    action: int
    port_id: str


Run: TypeAlias = _Run[PlugInterface, Tools]


def attach(run: Run) -> None:
    """Bind the port where the guest is, then plug it in."""
    host = run.db.write(_begin, run.params, _ATTACH)
    plug_in(run, run.params.server_id, host)
    nics = run.db.read(networking.nics_of, run.params.server_id)
    with reached(run, host) as node:
        node.ensure_nics(run.params.server_id, nics)


def pull(run: Run) -> None:
    """Pull it out again."""
    server = run.db.read(store.server_get, run.params.server_id)
    nics = run.db.read(networking.nics_of, server.id)
    left = [nic for nic in nics if nic.port_id != run.params.port_id]
    with tried(run, server.host or "") as node:
        node.ensure_nics(server.id, left)


def _begin(tx: Tx, params: PlugInterface, event: str) -> str:
    server = store.server_get(tx, params.server_id)
    if server.host is None:
        raise NotFound(f"Instance {server.id} is on no host.")
    actions.event_start(tx, params.action, event, server.host)
    return server.host


def attached(run: Run) -> None:
    """Say that it is there."""
    run.db.write(_end, run, _ATTACH, "attach_interface")


def give_back(run: Run) -> None:
    """Delete the port if it was made for this, else let go of it, and keep the reason."""

    def tell(tx: Tx) -> None:
        params, told = run.params, run.error.message if run.error else "interrupted"
        networking.release_port(tx, params.server_id, params.port_id)
        actions.events_fail(tx, params.action, told)

    run.db.write(tell)


def detach(run: Run) -> None:
    """Pull the interface out of the guest."""
    host = run.db.write(_begin, run.params, _DETACH)
    nics = run.db.read(networking.nics_of, run.params.server_id)
    left = [nic for nic in nics if nic.port_id != run.params.port_id]
    with reached(run, host) as node:
        node.ensure_nics(run.params.server_id, left)


def release(run: Run) -> None:
    """Delete the port if it was made for the server, else let go of it."""

    def let_go(tx: Tx) -> None:
        networking.release_port(tx, run.params.server_id, run.params.port_id)
        _end(tx, run, _DETACH, "detach_interface")

    run.db.write(let_go)


def _end(tx: Tx, run: Run, event: str, words: str) -> None:
    actions.event_finish(tx, run.params.action, event)
    server = store.server_get(tx, run.params.server_id)
    servers.record(tx, run, server, words, port=run.params.port_id)


def keep(run: Run) -> None:
    """Leave the interface plugged in and keep the reason."""
    told = run.error.message if run.error else "interrupted"
    run.db.write(actions.events_fail, run.params.action, told)


ATTACH_INTERFACE = Workflow(
    "compute.attach_interface",
    PlugInterface,
    [Step(attach, undo=pull), Step(attached)],
    failed=give_back,
)
DETACH_INTERFACE = Workflow(
    "compute.detach_interface", PlugInterface, [Step(detach), Step(release)], failed=keep
)
