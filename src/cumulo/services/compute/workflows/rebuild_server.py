"""The same server from an image anew: its place, its ports and its names remain."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute import guests, servers, states
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import reached
from cumulo.services.volume import public as volume
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_rebuild_instance"


class RebuildServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, and whether it is left stopped; which volume of its is written anew."""

    server_id: str
    action: int
    host: str
    stopped: bool
    admin_pass: str | None = None  # only where a config drive carries it
    volume_id: str | None = None
    image_id: str | None = None


Run: TypeAlias = _Run[RebuildServer, Tools]


def clear(run: Run) -> None:
    """Remove the guest with its disks."""
    run.db.write(_begin, run.params)
    with reached(run, run.params.host) as node:
        node.remove_guest(run.params.server_id)


def _begin(tx: Tx, params: RebuildServer) -> None:
    actions.event_start(tx, params.action, _EVENT, params.host)


def reimage(run: Run) -> None:
    """Write the volume that it boots from anew, if that is wanted."""
    volume_id, image_id = run.params.volume_id, run.params.image_id
    if volume_id is not None and image_id is not None:
        run.db.write(_rewrite, run.params.server_id, volume_id)
        volume.write_image(run.tools.volume, volume_id, image_id)
        run.db.write(volume.end_reimage, volume_id)


def _rewrite(tx: Tx, server_id: str, volume_id: str) -> None:
    store.server_update(tx, server_id, task_state="rebuild_block_device_mapping")
    volume.begin_reimage(tx, volume_id)


def spawn(run: Run) -> None:
    """Make it from the image, and leave it stopped if it was."""
    params = run.params
    run.db.write(_move_on, params.server_id)
    spec = run.db.read(guests.spec_of, params.server_id, run.tools, params.admin_pass)
    with reached(run, params.host) as node:
        node.ensure_guest(guests.with_image(run.tools, spec))
        if params.stopped:
            node.ensure_power(spec.id, "stopped", 0)


def _move_on(tx: Tx, server_id: str) -> None:
    store.server_update(tx, server_id, task_state="rebuild_spawning")


def settle(run: Run) -> None:
    """Say what the server is now."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params = run.params
    store.server_update(
        tx,
        params.server_id,
        vm_state="stopped" if params.stopped else "active",
        power_state=states.SHUTDOWN if params.stopped else states.RUNNING,
        task_state=None,
        launched_at=clock.now(),
        fault_code=None,
        fault_message=None,
        fault_details=None,
        fault_at=None,
    )
    actions.event_finish(tx, params.action, _EVENT)
    servers.record(tx, run, store.server_get(tx, params.server_id), "rebuilt")


def give_up(run: Run) -> None:
    """Put the server in error: what it was is gone."""

    def tell(tx: Tx) -> None:
        told = run.error.message if run.error else "interrupted"
        if run.params.volume_id is not None:
            volume.end_reimage(tx, run.params.volume_id)
        try:
            server = store.server_get(tx, run.params.server_id)
        except NotFound:
            return
        servers.fail(tx, server, told, told)
        actions.events_fail(tx, run.params.action, told)

    run.db.write(tell)


REBUILD_SERVER = Workflow(
    "compute.rebuild_server",
    RebuildServer,
    [Step(clear), Step(reimage), Step(spawn), Step(settle)],
    failed=give_up,
)
