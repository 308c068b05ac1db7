"""Back ends as operators see them, and what is told of those of this process."""

from datetime import timedelta
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import CloudError, NotFound
from cumulo.services.volume.drivers.base import Capacity
from cumulo.services.volume.settings import BackendSettings
from cumulo.services.volume.store import backends as store
from cumulo.services.volume.store.backends import Backend as Backend
from cumulo.services.volume.tools import Place, VolumeTools
from cumulo.work import events

SERVICE = "cinder-volume"
_DOWN_AFTER = timedelta(seconds=180)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides about a back end."""

    is_disabled: bool | None = None
    disabled_reason: str | None = None
    is_frozen: bool | None = None


def is_up(backend: Backend) -> bool:
    """Say whether a back end was heard of lately, and could be used."""
    return backend.trouble is None and clock.now() - backend.seen_at < _DOWN_AFTER


def list_backends(tx: Tx) -> list[Backend]:
    """Return every back end, by name."""
    return store.backend_list(tx)


def backend_get(tx: Tx, host: str) -> Backend:
    """Return a back end by its name, with or without its pool."""
    found = store.backend_find(tx, host.partition("#")[0])
    if found is None:
        raise NotFound(f"Service {SERVICE} could not be found on host {host}.", host=host)
    return found


def change(tx: Tx, ctx: Context, host: str, wanted: Change) -> Backend:
    """Enable, disable, freeze or thaw a back end."""
    before = backend_get(tx, host)
    values: dict[str, object] = {}
    if wanted.is_disabled is not None:
        reason = wanted.disabled_reason if wanted.is_disabled else None
        values = {"is_disabled": wanted.is_disabled, "disabled_reason": reason}
    if wanted.is_frozen is not None:
        values["is_frozen"] = wanted.is_frozen
    store.backend_set(tx, before.host, **values)
    after = backend_get(tx, host)
    events.record(
        tx,
        ctx,
        resource="volume_backend",
        resource_id=before.host,
        action="update",
        before=before,
        after=after,
    )
    return after


def report_backends(tools: VolumeTools) -> None:
    """Ask every back end of this process how it does, and let the scheduler know.

    One that settings do not name any more would look alive for minutes, and be given volumes.
    """
    tools.db.write(_report_departed, tools)
    for host, place in tools.places.items():
        room, trouble = Capacity(total_gib=0.0, free_gib=0.0), None
        try:
            room = place.driver.capacity()
        except CloudError as error:
            trouble = error.message
        tools.db.write(_report, tools, host, place, room, trouble)


def _report_departed(tx: Tx, tools: VolumeTools) -> None:
    for one in store.backend_list(tx):
        if one.host not in tools.places and one.trouble is None:
            store.backend_set(tx, one.host, trouble="settings do not name it any more")


def _report(
    tx: Tx, tools: VolumeTools, host: str, place: Place, room: Capacity, trouble: str | None
) -> None:
    before = store.backend_find(tx, host)
    name = place.settings.volume_backend_name or place.settings.name
    pool = f"{host}#{place.settings.name}"
    limit = int(room.total_gib * place.settings.max_over_subscription_ratio)
    found = Backend(
        host=host,
        pool=pool,
        uuid=before.uuid if before else ids.new_id(),
        capabilities=_capabilities(place.settings, name, place.driver.protocol),
        total_gib=round(room.total_gib, 2),
        free_gib=round(room.free_gib, 2),
        allocated_gib=0,
        limit_gib=limit,
        availability_zone=tools.settings.default_availability_zone,
        is_disabled=False,
        disabled_reason=None,
        is_frozen=False,
        trouble=trouble,
        seen_at=clock.now(),
    )
    store.backend_report(tx, found)


def _capabilities(settings: BackendSettings, name: str, protocol: str) -> dict[str, Any]:
    return {
        "volume_backend_name": name,
        "storage_protocol": protocol,
        "vendor_name": "Cumulo",
        "driver_version": "1.0",
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "multiattach": True,
        "QoS_support": True,
        "online_extend_support": True,
        "consistencygroup_support": False,
        "consistent_group_snapshot_enabled": False,
        "max_over_subscription_ratio": str(settings.max_over_subscription_ratio),
        "reserved_percentage": settings.reserved_percentage,
    }
