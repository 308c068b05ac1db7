"""From a server to nothing: whatever state it is in, this succeeds in the end."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute import (
    moves,
    networking,
    new_servers,
    server_groups,
    servers,
    states,
    volumes,
)
from cumulo.services.compute.store import actions, shelves
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows import image_copies
from cumulo.services.compute.workflows.hosts import remove_guest
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.services.placement import public as placement
from cumulo.work import CANCELLED, Failure, Step, Workflow, Write
from cumulo.work import Run as _Run

_EVENT = "compute_terminate_instance"


class DeleteServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server to remove."""

    server_id: str
    action: int


Run: TypeAlias = _Run[DeleteServer, Tools]


def destroy(run: Run) -> None:
    """Remove the guest; a host that is down removes it when it comes back."""
    for host in run.db.write(_hosts, run.params):
        remove_guest(run, host, run.params.server_id)


def _hosts(tx: Tx, params: DeleteServer) -> list[str]:
    server = store.server_find(tx, params.server_id)
    if server is None:
        return []
    actions.event_start(tx, params.action, _EVENT, server.host)
    return sorted(moves.hosts_of(tx, server))


def forget(tx: Tx, run: Run) -> None:
    """Give back the ports, the room and the quota, and mark the row."""
    try:
        server = store.server_get(tx, run.params.server_id)
    except NotFound:
        return  # this step has run before
    networking.release_ports(tx, server.id)
    volumes.release_all(tx, cloud_of(run), server.id)
    placement.release(tx, server.id)
    new_servers.release_quota(tx, server)
    moves.forget(tx, server.id)
    _clear_shelf(tx, server.id)
    server_groups.remove_member(tx, server.id)
    now = clock.now()
    store.server_update(
        tx,
        server.id,
        is_deleted=True,
        vm_state="deleted",
        task_state=None,
        power_state=states.NOSTATE,
        terminated_at=now,
        updated_at=now,
    )
    actions.event_start(tx, run.params.action, _EVENT, server.host)
    actions.event_finish(tx, run.params.action, _EVENT)
    servers.record(tx, run, server, "delete")


def _clear_shelf(tx: Tx, server_id: str) -> None:
    """Delete the image of a server that was shelved; nobody else knows of it."""
    shelf = shelves.shelf_find(tx, server_id)
    if shelf is not None:
        image_copies.forget(tx, shelf.image_id)
        shelves.shelf_clear(tx, server_id)


def give_up(run: Run) -> None:
    """Say that it could not be deleted, so that it does not look as if it still were to be."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    server = store.server_find(tx, run.params.server_id)
    if server is None or server.is_deleted:
        return
    error = run.error or Failure("Interrupted", "The deletion was interrupted.")
    actions.event_start(tx, run.params.action, _EVENT, server.host)
    actions.event_finish(tx, run.params.action, _EVENT, error=error.message)
    if error != CANCELLED:  # a later deletion took its place
        servers.fail(tx, server, error.message, f"{error.kind} in step {error.step}")
        servers.record(tx, run, server, "error", reason=error.message)


DELETE_SERVER = Workflow(
    "compute.delete_server", DeleteServer, [Step(destroy), Write(forget)], failed=give_up
)
