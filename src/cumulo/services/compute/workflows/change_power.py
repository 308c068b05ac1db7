"""Stop, start, pause, unpause, suspend, resume, reboot: one change of a guest's power.

A server that is deleted softly is one that is stopped and called otherwise.
"""

from typing import Literal, TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.node.api import Node, Power
from cumulo.services.compute import guests, moves, servers, states
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import reached
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow, Write

Verb: TypeAlias = Literal[
    "stop",
    "start",
    "pause",
    "unpause",
    "suspend",
    "resume",
    "reboot",
    "reboot hard",
    "softDelete",
    "restore",
]


class ChangePower(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with which server."""

    server_id: str
    action: int
    verb: Verb


class End(msgspec.Struct, frozen=True):
    """How a change ends: what the host is told, and what the server is then."""

    power: Power
    vm_state: str
    power_state: int
    event: str


ENDS: dict[str, End] = {
    "stop": End("stopped", "stopped", states.SHUTDOWN, "compute_stop_instance"),
    "start": End("running", "active", states.RUNNING, "compute_start_instance"),
    "pause": End("paused", "paused", states.PAUSED, "compute_pause_instance"),
    "unpause": End("running", "active", states.RUNNING, "compute_unpause_instance"),
    "suspend": End("suspended", "suspended", states.SUSPENDED, "compute_suspend_instance"),
    "resume": End("running", "active", states.RUNNING, "compute_resume_instance"),
    "reboot": End("running", "active", states.RUNNING, "compute_reboot_instance"),
    "reboot hard": End("running", "active", states.RUNNING, "compute_reboot_instance"),
    "softDelete": End("stopped", "soft-delete", states.SHUTDOWN, "compute_soft_delete_instance"),
    "restore": End("running", "active", states.RUNNING, "compute_restore_instance"),
}


# verb -> the task that clients see while it is under way
TASKS: dict[Verb, str] = {
    "stop": "powering-off",
    "start": "powering-on",
    "pause": "pausing",
    "unpause": "unpausing",
    "suspend": "suspending",
    "resume": "resuming",
    "reboot": "rebooting",
    "reboot hard": "rebooting_hard",
    "softDelete": "soft-deleting",
    "restore": "restoring",
}
_CHANGED = ["active", "stopped", "paused", "suspended", "error", "soft-delete"]

Run: TypeAlias = _Run[ChangePower, Tools]


def change(run: Run) -> None:
    """Bring the guest to where it should be."""
    host = run.db.write(_begin, run.params)
    with reached(run, host) as node:
        _change(node, run)


def _change(node: Node, run: Run) -> None:
    params = run.params
    if params.verb in ("start", "reboot hard", "restore"):
        # A guest that its host lost is made again from its disks.
        node.ensure_guest(run.db.read(guests.spec_of, params.server_id, run.tools))
    if params.verb.startswith("reboot"):
        node.reboot_guest(params.server_id, run.id, hard=params.verb == "reboot hard")
    else:
        timeout_s = run.tools.settings.shutdown_timeout
        node.ensure_power(params.server_id, ENDS[params.verb].power, timeout_s)


def _begin(tx: Tx, params: ChangePower) -> str:
    server = store.server_get(tx, params.server_id)
    if server.host is None:
        raise NotFound(f"Instance {server.id} is on no host.")
    actions.event_start(tx, params.action, ENDS[params.verb].event, server.host)
    return server.host


def settle(tx: Tx, run: Run) -> None:
    """Say what the server is now."""
    end = ENDS[run.params.verb]
    server = store.server_get(tx, run.params.server_id)
    is_first = store.server_move(
        tx,
        server.id,
        expected=_CHANGED,
        tasks=[TASKS[run.params.verb]],  # else this step ran before, or it is being deleted
        vm_state=end.vm_state,
        task_state=None,
        power_state=end.power_state,
    )
    if is_first and run.params.verb == "softDelete":
        moves.release_quota(tx, server)
    actions.event_finish(tx, run.params.action, end.event)
    servers.record(tx, run, server, f"{run.params.verb} done")


def give_up(run: Run) -> None:
    """Leave the server as it was and keep the reason with the action.

    Should its guest have been changed all the same, the reconciler finds it so.
    """

    def tell(tx: Tx) -> None:
        told = run.error.message if run.error else "interrupted"
        server = store.server_find(tx, run.params.server_id)
        is_first = store.server_move(
            tx,
            run.params.server_id,
            expected=_CHANGED,
            tasks=[TASKS[run.params.verb]],  # else it is being deleted
            task_state=None,
        )
        if is_first and server is not None and run.params.verb == "restore":
            moves.release_quota(tx, server)
        actions.event_finish(tx, run.params.action, ENDS[run.params.verb].event, error=told)

    run.db.write(tell)


CHANGE_POWER = Workflow(
    "compute.change_power", ChangePower, [Step(change), Write(settle)], failed=give_up
)
