"""A guest is started from another image, with its own disk to be mended; and back."""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.node.api import GuestSpec, Power
from cumulo.services.compute import guests, servers, states
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import reached, tried
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow

_RESCUE, _UNRESCUE = "compute_rescue_instance", "compute_unrescue_instance"


class Facts(msgspec.Struct, frozen=True):
    """An image, as far as hosts need to know it."""

    disk_format: str
    size: int
    virtual_size: int


class RescueServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, on which host, from which image; none: back to its own disk."""

    server_id: str
    action: int
    host: str
    old_vm_state: str
    image_id: str | None = None
    image: Facts | None = None
    admin_pass: str | None = None  # only where a config drive carries it


Run: TypeAlias = _Run[RescueServer, Tools]


def rescue(run: Run) -> None:
    """Start the guest from the image."""
    run.db.write(_begin, run.params, _RESCUE)
    spec = run.db.read(_rescue_spec, run.params, run.tools)
    _restart(run, guests.with_image(run.tools, spec), run.tools.settings.shutdown_timeout)


def unrescue(run: Run) -> None:
    """Start the guest from its own disk; what it was rescued with is cut off, as by Nova."""
    run.db.write(_begin, run.params, _UNRESCUE)
    _restart(run, run.db.read(guests.spec_of, run.params.server_id, run.tools), 0)


def _restart(run: Run, spec: GuestSpec, timeout_s: int) -> None:
    with reached(run, run.params.host) as node:
        node.ensure_shape(spec, timeout_s)
        node.ensure_power(spec.id, "running")


def _begin(tx: Tx, params: RescueServer, event: str) -> None:
    actions.event_start(tx, params.action, event, params.host)


def _rescue_spec(tx: Tx, params: RescueServer, tools: Tools) -> GuestSpec:
    assert params.image_id is not None
    assert params.image is not None
    spec = guests.spec_of(tx, params.server_id, tools, params.admin_pass)
    facts = msgspec.structs.asdict(params.image)
    source = guests.source_of(params.image_id, facts, tools.images)
    return msgspec.structs.replace(spec, rescue=source)


def go_back(run: Run) -> None:
    """Let the guest be what it was."""
    spec = run.db.read(guests.spec_of, run.params.server_id, run.tools)
    power: Power = "stopped" if run.params.old_vm_state == "stopped" else "running"
    with tried(run, run.params.host) as node:
        node.ensure_shape(spec, 0)
        node.ensure_power(spec.id, power, 0)


def rescued(run: Run) -> None:
    """Say that it can be mended."""
    run.db.write(_settle, run, "rescued", _RESCUE)


def unrescued(run: Run) -> None:
    """Say that it runs again."""
    run.db.write(_settle, run, "active", _UNRESCUE)


def _settle(tx: Tx, run: Run, vm_state: str, event: str) -> None:
    store.server_update(
        tx,
        run.params.server_id,
        vm_state=vm_state,
        power_state=states.RUNNING,
        task_state=None,
    )
    actions.event_finish(tx, run.params.action, event)
    servers.record(tx, run, store.server_get(tx, run.params.server_id), f"{vm_state} again")


def give_up(run: Run) -> None:
    """Leave the server as it was and keep the reason."""

    def tell(tx: Tx) -> None:
        params, told = run.params, run.error.message if run.error else "interrupted"
        actions.events_fail(tx, params.action, told)
        try:
            server = store.server_get(tx, params.server_id)
        except NotFound:
            return
        servers.note_fault(tx, server, told)
        store.server_move(tx, server.id, expected=[params.old_vm_state], task_state=None)

    run.db.write(tell)


RESCUE_SERVER = Workflow(
    "compute.rescue_server",
    RescueServer,
    [Step(rescue, undo=go_back), Step(rescued)],
    failed=give_up,
)
UNRESCUE_SERVER = Workflow(
    "compute.unrescue_server", RescueServer, [Step(unrescue), Step(unrescued)], failed=give_up
)
