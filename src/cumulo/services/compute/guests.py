"""From a server's row to what its host must make."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from cumulo.db import Tx
from cumulo.node.api import EphemeralDisk, GuestSpec, ImageSource, MemoryNode, Power
from cumulo.services.compute import (
    guest_metadata,
    local_disks,
    networking,
    numa,
    servers,
    states,
    volumes,
)
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.image import public as images

_POWERS: dict[Power, int] = {
    "running": states.RUNNING,
    "paused": states.PAUSED,
    "suspended": states.SUSPENDED,
    "stopped": states.SHUTDOWN,
    "crashed": states.CRASHED,
}
# What a server is called when its guest is found so, if it was called otherwise.
_VM_STATES: dict[Power, str] = {
    "running": "active",
    "paused": "paused",
    "suspended": "suspended",
    "stopped": "stopped",
    "crashed": "stopped",
}
_SETTLED = ["active", "paused", "suspended", "stopped"]


def spec_of(tx: Tx, server_id: str, tools: Tools, admin_pass: str | None = None) -> GuestSpec:
    """Return all that a host must know to make the server's guest."""
    return spec_for(tx, store.server_get(tx, server_id), tools, admin_pass)


def spec_for(tx: Tx, server: Server, tools: Tools, admin_pass: str | None = None) -> GuestSpec:
    """Return the same for a server that is to be otherwise than it is stored."""
    flavor = server.flavor
    made = local_disks.disks_of(tx, server)
    drive: dict[str, bytes] = {}
    if server.config_drive:
        drive = guest_metadata.drive_of(tx, server, tools.settings, admin_pass)
    return GuestSpec(
        id=server.id,
        name=server.instance_name,
        display_name=server.name,
        project_id=server.project_id,
        vcpus=server.vcpus,
        memory_mib=server.memory_mib,
        root_gib=flavor["root_gib"],
        ephemeral_disks=[
            EphemeralDisk(size_gib=one.size or 0, format=one.format)
            for one in made
            if one.kind == "ephemeral"
        ],
        swap_mib=sum(one.size or 0 for one in made if one.kind == "swap"),
        image=_source(server, tools.images),
        nics=networking.nics_of(tx, server.id),
        volumes=volumes.host_volumes(tx, server.id),
        memory_nodes=[
            MemoryNode(cpus=cell.cpus, memory_mib=cell.memory_mib)
            for cell in numa.cells_of(flavor, server.image_properties)
        ],
        config_drive_bytes=drive,
        properties={**server.image_properties, **flavor["extra_specs"]},
    )


def _source(server: Server, directory: Path) -> ImageSource | None:
    if server.image_id is None:  # it boots from a volume
        return None
    return source_of(server.image_id, server.image, directory)


def source_of(image_id: str, facts: Mapping[str, Any], directory: Path) -> ImageSource:
    """Return an image, of which servers keep such facts, as hosts are told of it."""
    return ImageSource(
        image_id=image_id,
        path=str(images.path_of(directory, image_id)),
        disk_format="qcow2" if facts["disk_format"] == "qcow2" else "raw",
        size=facts["size"],
        virtual_size=facts["virtual_size"],
    )


def with_image(tools: Tools, spec: GuestSpec) -> GuestSpec:
    """Return what a host is told of a guest once its image lies where hosts take it from."""
    spec = with_secrets(tools, spec)
    for image in (spec.image, spec.rescue):
        if image is not None:
            images.bring(tools.image, image.image_id)
    return spec


def with_secrets(tools: Tools, spec: GuestSpec) -> GuestSpec:
    """Return what a host is told of a guest whose disks it gets from elsewhere."""
    return msgspec.structs.replace(spec, volumes=volumes.with_secrets(tools, spec.volumes))


def is_news(server: Server, power: Power | None) -> bool:
    """Say whether a guest was found otherwise than its settled server says; None: not at all."""
    if server.task_state is not None or server.vm_state not in _SETTLED:
        return False
    return power is None or (server.vm_state, server.power_state) != (
        _VM_STATES[power],
        _POWERS[power],
    )


def adopt_power(tx: Tx, server_id: str, power: Power | None, seen_at: datetime) -> Power | None:
    """Take down how a guest was found; return what its host should do about it, if anything.

    A guest that stopped by itself makes its server stopped; one that its host lost puts it in
    error.  One that runs although its server was stopped is stopped again, since nobody asked for
    it.  What was done to the server since the host was looked at is newer than what was seen.
    """
    server = store.server_find(tx, server_id)
    if server is None or server.is_deleted or server.updated_at >= seen_at:
        return None
    if not is_news(server, power):
        return None
    if power is None:
        told = f"Host {server.host} no longer has the guest of this server."
        servers.fail(tx, server, told, told)
    elif server.vm_state == "stopped" and power == "running":
        return "stopped"
    else:
        store.server_move(
            tx,
            server.id,
            expected=[server.vm_state],
            tasks=[None],
            power_state=_POWERS[power],
            vm_state=_VM_STATES[power],
        )
    servers.record(tx, None, server, "power", found=power or "gone")
    return None
