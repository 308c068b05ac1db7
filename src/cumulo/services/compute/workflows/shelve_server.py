"""Off the floor: the guest is stopped and its disk copied to an image, so that it can go."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.compute import servers, states
from cumulo.services.compute.store import actions, shelves
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows import image_copies
from cumulo.services.compute.workflows.hosts import reached, tried
from cumulo.services.compute.workflows.offload_server import OFFLOAD_SERVER, OffloadServer
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, start

_EVENT = "compute_shelve_instance"


class ShelveServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server goes into which image; none: it boots from a volume."""

    server_id: str
    action: int
    image_id: str | None
    host: str
    old_vm_state: str


Run: TypeAlias = _Run[ShelveServer, Tools]


def stop(run: Run) -> None:
    """Stop the guest."""
    params = run.params
    run.db.write(_begin, params)
    timeout_s = run.tools.settings.shutdown_timeout
    with reached(run, params.host) as node:
        node.ensure_power(params.server_id, "stopped", timeout_s)


def _begin(tx: Tx, params: ShelveServer) -> None:
    actions.event_start(tx, params.action, _EVENT, params.host)


def restart(run: Run) -> None:
    """Let it run again if it ran."""
    if run.params.old_vm_state in ("active", "paused"):
        with tried(run, run.params.host) as node:
            node.ensure_power(run.params.server_id, "running")


def copy(run: Run) -> None:
    """Copy the disk and hand it over, if the host has it."""
    params = run.params
    if params.image_id is None:
        return
    run.db.write(_move_on, params.server_id)
    image_copies.copy(run, params.host, params.server_id, params.image_id)


def _move_on(tx: Tx, server_id: str) -> None:
    store.server_update(tx, server_id, task_state="shelving_image_uploading")


def discard(run: Run) -> None:
    """Remove what was copied."""
    params = run.params
    if params.image_id is not None:
        image_copies.discard(run, params.host, params.server_id, params.image_id)


def settle(run: Run) -> None:
    """Say that it is shelved; unless it is to stay a while, it leaves its host too."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params = run.params
    offloads = params.image_id is None or run.tools.settings.shelved_offload_time == 0
    if params.image_id is not None:
        shelves.shelf_put(tx, params.server_id, params.image_id)
    store.server_update(
        tx,
        params.server_id,
        vm_state="shelved",
        power_state=states.SHUTDOWN,
        task_state="shelving_offloading" if offloads else None,
    )
    actions.event_finish(tx, params.action, _EVENT)
    if offloads:
        off = OffloadServer(server_id=params.server_id, action=params.action, host=params.host)
        start(tx, OFFLOAD_SERVER, off, subject=params.server_id, ctx=run)
    servers.record(tx, run, store.server_get(tx, params.server_id), "shelved")


def give_up(run: Run) -> None:
    """Delete the image, leave the server as it was or nearly so, and keep the reason."""

    def tell(tx: Tx) -> None:
        params, told = run.params, run.error.message if run.error else "interrupted"
        if params.image_id is not None:
            image_copies.forget(tx, params.image_id)
        actions.events_fail(tx, params.action, told)
        try:
            server = store.server_get(tx, params.server_id)
        except NotFound:
            return
        servers.note_fault(tx, server, told)
        ran = params.old_vm_state in ("active", "paused")
        store.server_move(
            tx,
            server.id,
            expected=[params.old_vm_state],
            vm_state="active" if ran else "stopped",
            power_state=states.RUNNING if ran else states.SHUTDOWN,
            task_state=None,
        )

    run.db.write(tell)


SHELVE_SERVER = Workflow(
    "compute.shelve_server",
    ShelveServer,
    [Step(stop, undo=restart), Step(copy, undo=discard), Step(settle)],
    failed=give_up,
)
