"""A volume plugged into a server, or out of it, whether it runs or not.

One workflow spans both services: what is recorded of the attachment and what the guest has end the
same, whatever fails.
"""

from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.services.compute import servers, volumes
from cumulo.services.compute.store import actions
from cumulo.services.compute.store import block_devices as store
from cumulo.services.compute.store import servers as server_store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import reached, tried
from cumulo.services.compute.workflows.volume_connections import cloud_of, connect_volumes
from cumulo.services.volume import public as volume
from cumulo.work import CANCELLED, Step, Workflow, Write
from cumulo.work import Run as _Run

_ATTACH, _DETACH = "compute_attach_volume", "compute_detach_volume"


class PlugVolume(msgspec.Struct, frozen=True, kw_only=True):
    """Which volume of which server, on which host."""

    server_id: str
    action: int
    device_id: str
    volume_id: str
    host: str


Run: TypeAlias = _Run[PlugVolume, Tools]


def connect(run: Run) -> None:
    """Let the host reach it."""
    run.db.write(_begin, run.params, _ATTACH)
    params = run.params
    connect_volumes(run, params.server_id, params.host, params.device_id)


def _begin(tx: Tx, params: PlugVolume, event: str) -> None:
    actions.event_start(tx, params.action, event, params.host)


def plug(run: Run) -> None:
    """Let the guest have it."""
    wanted = run.db.read(volumes.host_volumes, run.params.server_id)
    with reached(run, run.params.host) as node:
        node.ensure_volumes(run.params.server_id, volumes.with_secrets(run.tools, wanted))


def pull(run: Run) -> None:
    """Take it out again."""
    params = run.params
    left = run.db.read(volumes.host_volumes, params.server_id, without=params.device_id)
    with tried(run, params.host) as node:
        node.ensure_volumes(params.server_id, volumes.with_secrets(run.tools, left))


def attached(tx: Tx, run: Run) -> None:
    """Say that the server uses it."""
    device = volumes.device_of(tx, run.params.server_id, run.params.volume_id)
    volume.complete(tx, cloud_of(run), device.attachment_id)
    _end(tx, run, _ATTACH, "volume attached")


def give_back(run: Run) -> None:
    """Let the volume go and keep the reason."""
    run.db.write(_give_back, run)


def _give_back(tx: Tx, run: Run) -> None:
    params, told = run.params, run.error.message if run.error else "interrupted"
    actions.events_fail(tx, params.action, told)
    if run.error != CANCELLED:  # else the deletion of the server does it
        for device in store.devices_of(tx, params.server_id):
            if device.id == params.device_id:
                volumes.release(tx, cloud_of(run), device)


def unplug(run: Run) -> None:
    """Take it out of the guest."""
    params = run.params
    run.db.write(_begin, params, _DETACH)
    left = run.db.read(volumes.host_volumes, params.server_id, without=params.device_id)
    with reached(run, params.host) as node:
        node.ensure_volumes(params.server_id, volumes.with_secrets(run.tools, left))


def released(tx: Tx, run: Run) -> None:
    """Let the volume go."""
    for device in store.devices_of(tx, run.params.server_id):
        if device.id == run.params.device_id:
            volumes.release(tx, cloud_of(run), device)
    _end(tx, run, _DETACH, "volume detached")


def _end(tx: Tx, run: Run, event: str, words: str) -> None:
    actions.event_finish(tx, run.params.action, event)
    server = server_store.server_get(tx, run.params.server_id)
    servers.record(tx, run, server, words, volume=run.params.volume_id)


def put_back(run: Run) -> None:
    """Let the guest have it again."""
    wanted = run.db.read(volumes.host_volumes, run.params.server_id)
    with tried(run, run.params.host) as node:
        node.ensure_volumes(run.params.server_id, volumes.with_secrets(run.tools, wanted))


def keep(run: Run) -> None:
    """Leave the volume in use and keep the reason."""
    run.db.write(_keep, run)


def _keep(tx: Tx, run: Run) -> None:
    params, told = run.params, run.error.message if run.error else "interrupted"
    actions.events_fail(tx, params.action, told)
    for device in store.devices_of(tx, params.server_id):
        if device.id == params.device_id:
            volume.roll_release(tx, cloud_of(run), device.attachment_id)


ATTACH_VOLUME = Workflow(
    "compute.attach_volume",
    PlugVolume,
    [Step(connect), Step(plug, undo=pull), Write(attached)],
    failed=give_back,
)
DETACH_VOLUME = Workflow(
    "compute.detach_volume",
    PlugVolume,
    [Step(unplug, undo=put_back), Write(released)],
    failed=keep,
)
