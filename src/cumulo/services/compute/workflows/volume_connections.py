"""Connecting the volumes of a server to the host that it is, or is to be, on."""

import dataclasses
from typing import Any

from cumulo.auth import Context
from cumulo.node.api import Volume as HostVolume
from cumulo.services.compute import volumes
from cumulo.services.compute.store import block_devices as store
from cumulo.services.compute.tools import Tools
from cumulo.services.volume import public as volume
from cumulo.work import Run


def connect_volumes(
    run: Run[Any, Tools], server_id: str, host: str, only: str | None = None
) -> None:
    """Wait until the volumes, or `only` one device's, are there; note how the host reaches each.

    An operator may have put another volume of the server in error, which is no obstacle to one.
    """
    devices = run.db.read(store.devices_of, server_id)
    for device in (one for one in devices if only in (None, one.id)):
        found = run.db.read(volume.volume_get, device.volume_id)
        volumes.check_made(found)
        told = run.tools.volume.driver(found.host).connect(found.id)
        target = HostVolume(
            volume_id=found.id,
            size_gib=found.size_gib,
            is_shared=found.is_multiattach,
            header=volume.header_of(run.tools.volume, found.id),
            limits=run.db.read(volume.limits_of, found.type_id, found.size_gib),
            **told.target,
        )
        run.db.write(volumes.connected, cloud_of(run), device, host, target)


def cloud_of(run: Run[Any, Tools]) -> Context:
    """Return the context in which a run handles volumes, whosever they are."""
    ctx = volume.as_the_cloud()
    return dataclasses.replace(ctx, request_id=run.request_id or ctx.request_id)
