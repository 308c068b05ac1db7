"""Back on the floor: where the guest still is, or on a new host from the image of its disk."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.node.api import GuestSpec
from cumulo.services.compute import guests, networking, new_servers, servers, states, volumes
from cumulo.services.compute.scheduler.schedule import (
    NoValidHost,
    Wishes,
    keep_refusal,
    schedule,
)
from cumulo.services.compute.store import actions, shelves
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows import image_copies
from cumulo.services.compute.workflows.hosts import plug_in, reached, remove_guest, tried
from cumulo.services.compute.workflows.volume_connections import cloud_of, connect_volumes
from cumulo.services.image import public as images
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_unshelve_instance"


class UnshelveServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, and to which host if one was named."""

    server_id: str
    action: int
    host: str | None = None
    offloaded: bool


class Placed(msgspec.Struct, frozen=True):
    """Where it goes."""

    host: str


Run: TypeAlias = _Run[UnshelveServer, Tools]


def place(run: Run) -> Placed:
    """Find where the guest is, or choose a host and take the room there."""
    return run.db.write(_place, run.params, run.tools)


def _place(tx: Tx, params: UnshelveServer, tools: Tools) -> Placed:
    server = store.server_get(tx, params.server_id)
    host = server.host
    if host is None:
        wishes = Wishes(host=params.host, excluded=volumes.out_of_reach(tx, tools, server.id))
        host = schedule(tx, server, wishes, tools.health).name
        store.server_update(tx, server.id, host=host, task_state="spawning")
    actions.event_start(tx, params.action, _EVENT, host)
    return Placed(host)


def leave(run: Run) -> None:
    """Give the room back."""

    def leave_it(tx: Tx) -> None:
        if run.params.offloaded:
            placement.release(tx, run.params.server_id)
            store.server_update(tx, run.params.server_id, host=None)

    run.db.write(leave_it)


def plug(run: Run) -> None:
    """Bind the ports there."""
    if run.params.offloaded:
        plug_in(run, run.params.server_id, run.result_of(place).host)


def unplug(run: Run) -> None:
    """Bind them nowhere."""
    if run.params.offloaded:
        run.db.write(networking.unbind_ports, run.params.server_id)


def spawn(run: Run) -> None:
    """Start the guest, made from the image if it was gone."""
    host = run.result_of(place).host
    if run.params.offloaded:
        connect_volumes(run, run.params.server_id, host)
    with reached(run, host) as node:
        if run.params.offloaded:
            spec = run.db.read(_spec, run.params.server_id, run.tools)
            node.ensure_guest(guests.with_image(run.tools, spec))
        node.ensure_power(run.params.server_id, "running")


def _spec(tx: Tx, server_id: str, tools: Tools) -> GuestSpec:
    server, shelf = store.server_get(tx, server_id), shelves.shelf_find(tx, server_id)
    if server.image_id is None:  # its disk is a volume
        return guests.spec_for(tx, server, tools)
    image = images.find_image(tx, images.as_the_cloud(), shelf.image_id) if shelf else None
    if image is None:
        raise Conflict(
            f"Image {shelf.image_id if shelf else ''} of the shelved server is not there any more.",
            server_id=server_id,
        )
    facts = new_servers.image_facts(image)
    spec = guests.spec_for(tx, server, tools)
    source = guests.source_of(image.id, facts["image"], tools.images)  # type: ignore[arg-type]
    return msgspec.structs.replace(spec, image=source)


def stop(run: Run) -> None:
    """Remove the guest that was made, or stop the one that was there."""
    placed, server_id = run.find_result_of(place), run.params.server_id
    if placed is None:
        return
    if run.params.offloaded:
        remove_guest(run, placed.host, server_id)
    else:
        with tried(run, placed.host) as node:
            node.ensure_power(server_id, "stopped", 0)


def settle(run: Run) -> None:
    """Say that it runs; its image is not needed any more."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params = run.params
    shelf = shelves.shelf_find(tx, params.server_id)
    if shelf is not None:
        image_copies.forget(tx, shelf.image_id)
        shelves.shelf_clear(tx, params.server_id)
    store.server_update(
        tx,
        params.server_id,
        vm_state="active",
        power_state=states.RUNNING,
        task_state=None,
        launched_at=clock.now(),
    )
    if params.offloaded:
        volumes.complete(tx, cloud_of(run), params.server_id)
    actions.event_finish(tx, params.action, _EVENT)
    servers.record(tx, run, store.server_get(tx, params.server_id), "unshelved")


def give_up(run: Run) -> None:
    """Leave the server on its shelf and keep the reason."""

    def tell(tx: Tx) -> None:
        params, told = run.params, run.error.message if run.error else "interrupted"
        actions.events_fail(tx, params.action, told)
        try:
            server = store.server_get(tx, params.server_id)
        except NotFound:
            return
        if run.error and run.error.kind == NoValidHost.__name__:
            keep_refusal(tx, server, Wishes(host=params.host), run.tools.health)
        servers.note_fault(tx, server, told)
        expected = ["shelved", "shelved_offloaded"]
        store.server_move(tx, server.id, expected=expected, task_state=None)

    run.db.write(tell)


UNSHELVE_SERVER = Workflow(
    "compute.unshelve_server",
    UnshelveServer,
    [
        Step(place, undo=leave),
        Step(plug, undo=unplug),
        Step(spawn, undo=stop),
        Step(settle),
    ],
    failed=give_up,
)
