"""From a row to a running guest: choose a host, plug the ports in, make the guest."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.node.api import GuestSpec
from cumulo.services.compute import guests, networking, servers, states, volumes
from cumulo.services.compute.scheduler.schedule import (
    NoValidHost,
    Wishes,
    keep_refusal,
    schedule,
)
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import await_network, reached, remove_guest
from cumulo.services.compute.workflows.volume_connections import cloud_of, connect_volumes
from cumulo.services.placement import public as placement
from cumulo.work import CANCELLED, Step, Workflow, Write, start
from cumulo.work import Run as _Run

_EVENT = "compute__do_build_and_run_instance"
_MOST_ATTEMPTS = 3


class CreateServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server to make, and where it may not go."""

    server_id: str
    action: int
    host: str | None = None
    forced: bool = False
    attempt: int = 1
    excluded: dict[str, str] = {}
    admin_pass: str | None = None  # only where a config drive carries it


class Placed(msgspec.Struct, frozen=True):
    """Where it goes."""

    host: str


class Plugged(msgspec.Struct, frozen=True):
    """The networks whose metadata the host must answer."""

    networks: list[str]


Run: TypeAlias = _Run[CreateServer, Tools]


def place(tx: Tx, run: Run) -> Placed:
    """Choose a host, take the room there and bind the ports to it."""
    params = run.params
    server = store.server_get(tx, params.server_id)
    excluded = {**volumes.out_of_reach(tx, run.tools, server.id), **params.excluded}
    wishes = Wishes(host=params.host, forced=params.forced, excluded=excluded)
    host = schedule(tx, server, wishes, run.tools.health)
    task = "networking" if server.task_state == "scheduling" else server.task_state
    store.server_update(tx, server.id, host=host.name, task_state=task)
    networking.bind_ports(tx, server.id, host.name)
    actions.event_start(tx, params.action, _EVENT, host.name)
    return Placed(host.name)


def leave(run: Run) -> None:
    """Unbind the ports and give the room back."""

    def leave_it(tx: Tx) -> None:
        networking.unbind_ports(tx, run.params.server_id)
        placement.release(tx, run.params.server_id)
        store.server_update(tx, run.params.server_id, host=None)

    run.db.write(leave_it)


def plug(run: Run) -> Plugged:
    """Wait until the network knows where the ports are."""
    return Plugged(await_network(run, run.params.server_id, run.result_of(place).host))


def spawn(run: Run) -> None:
    """Make the guest and start it."""
    params, host = run.params, run.result_of(place).host
    connect_volumes(run, params.server_id, host)
    spec = run.db.write(_move_on, params, run.tools)
    with reached(run, host) as node:
        node.ensure_guest(guests.with_image(run.tools, spec))


def _move_on(tx: Tx, params: CreateServer, tools: Tools) -> GuestSpec:
    """Show what comes now, and return all that the host must know for it."""
    tasks, server_id = ["networking", "scheduling"], params.server_id
    store.server_move(tx, server_id, expected=["building"], tasks=tasks, task_state="spawning")
    return guests.spec_of(tx, server_id, tools, params.admin_pass)


def destroy(run: Run) -> None:
    """Remove the guest."""
    placed = run.find_result_of(place)
    if placed is not None:
        remove_guest(run, placed.host, run.params.server_id)


def activate(tx: Tx, run: Run) -> None:
    """Say that it runs."""
    now = clock.now()
    moved = store.server_move(
        tx,
        run.params.server_id,
        expected=["building"],
        tasks=["spawning"],  # else it is being deleted
        vm_state="active",
        task_state=None,
        power_state=states.RUNNING,
        launched_at=now,
        fault_code=None,
        fault_message=None,
        fault_details=None,
        fault_at=None,
    )
    actions.event_finish(tx, run.params.action, _EVENT)
    if moved:
        volumes.complete(tx, cloud_of(run), run.params.server_id)
        server = store.server_get(tx, run.params.server_id)
        servers.record(tx, run, server, "active", host=server.host)


def give_up(run: Run) -> None:
    """Try on another host if this one was to blame; else put the server in error."""
    run.db.write(_give_up, run)


def _give_up(tx: Tx, run: Run) -> None:
    params, error = run.params, run.error
    try:
        server = store.server_get(tx, params.server_id)
    except NotFound:
        return
    told = error.message if error else "The build was interrupted."
    if error == CANCELLED:  # by its deletion, which takes the rest away and is not to look failed
        actions.event_finish(tx, params.action, _EVENT, error=told)
        return
    placed = run.find_result_of(place)
    if error and error.kind == "HostError" and placed and params.attempt < _MOST_ATTEMPTS:
        again = msgspec.structs.replace(
            params,
            attempt=params.attempt + 1,
            excluded={**params.excluded, placed.host: told},
        )
        start(tx, CREATE_SERVER, again, subject=server.id, ctx=run)
        return
    if error and error.kind == NoValidHost.__name__:
        excluded = {**volumes.out_of_reach(tx, run.tools, server.id), **params.excluded}
        wishes = Wishes(host=params.host, forced=params.forced, excluded=excluded)
        keep_refusal(tx, server, wishes, run.tools.health)
    networking.release_ports(tx, server.id)
    volumes.release_all(tx, cloud_of(run), server.id)
    servers.fail(tx, server, told, f"{error.kind} in step {error.step}: {told}" if error else told)
    actions.event_finish(tx, params.action, _EVENT, error=told)
    servers.record(tx, run, server, "error", reason=told)


CREATE_SERVER = Workflow(
    "compute.create_server",
    CreateServer,
    [
        Write(place, undo=leave),
        Step(plug),
        Step(spawn, undo=destroy),
        Write(activate),
    ],
    failed=give_up,
)
