"""A shelved server leaves its host: what it was is in its image."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.services.compute import consoles, networking, servers, states, volumes
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import remove_guest
from cumulo.services.compute.workflows.volume_connections import cloud_of
from cumulo.services.placement import public as placement
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_EVENT = "compute_shelve_offload_instance"


class OffloadServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server leaves which host."""

    server_id: str
    action: int
    host: str


Run: TypeAlias = _Run[OffloadServer, Tools]


def remove(run: Run) -> None:
    """Remove the guest with its disks."""
    run.db.write(_begin, run.params)
    remove_guest(run, run.params.host, run.params.server_id)


def _begin(tx: Tx, params: OffloadServer) -> None:
    actions.event_start(tx, params.action, _EVENT, params.host)


def settle(run: Run) -> None:
    """Give the room back and say that it is nowhere."""
    run.db.write(_settle, run)


def _settle(tx: Tx, run: Run) -> None:
    params = run.params
    placement.release(tx, params.server_id)
    networking.unbind_ports(tx, params.server_id)
    consoles.close(tx, params.server_id)
    volumes.leave_host(tx, cloud_of(run), params.server_id)
    store.server_move(
        tx,
        params.server_id,
        expected=["shelved"],
        vm_state="shelved_offloaded",
        power_state=states.NOSTATE,
        task_state=None,
        host=None,
    )
    actions.event_finish(tx, params.action, _EVENT)
    servers.record(tx, run, store.server_get(tx, params.server_id), "offloaded")


def give_up(run: Run) -> None:
    """Leave the server shelved and keep the reason."""

    def tell(tx: Tx) -> None:
        params, told = run.params, run.error.message if run.error else "interrupted"
        store.server_move(tx, params.server_id, expected=["shelved"], task_state=None)
        actions.events_fail(tx, params.action, told)

    run.db.write(tell)


OFFLOAD_SERVER = Workflow(
    "compute.offload_server", OffloadServer, [Step(remove), Step(settle)], failed=give_up
)
