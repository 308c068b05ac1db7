"""Pools of back ends: how much room they have, what they can."""

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_bare
from cumulo.services.volume import backends
from cumulo.services.volume.api.queries import flag
from cumulo.services.volume.backends import Backend
from cumulo.services.volume.scheduler import Request, refusal
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import type_visible
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()


class PoolView(msgspec.Struct):
    """A pool."""

    name: str
    capabilities: dict[str, Any] | UnsetType = UNSET


class PoolsBody(msgspec.Struct):
    """Pools."""

    pools: list[PoolView]


class CapabilitiesView(msgspec.Struct, kw_only=True):
    """What a back end can."""

    namespace: str
    vendor_name: str
    volume_backend_name: str
    pool_name: str | None
    driver_version: str
    storage_protocol: str
    display_name: str
    description: str
    visibility: str = "public"
    replication_targets: list[str] = []
    properties: dict[str, Any]


@routes.get("/v3/scheduler-stats/get_pools", policy="scheduler_extension:scheduler_stats:get_pools")
def list_pools(call: Call) -> PoolsBody:
    """List the pools that volumes can be put into."""
    given = {name: values[-1] for name, values in call.filters.items()}
    found = call.db.read(_pools, call, given)
    detail = flag("detail", given.get("detail", "false"))
    return PoolsBody([PoolView(one.pool, capabilities(one) if detail else UNSET) for one in found])


def _pools(tx: Tx, call: Call, given: dict[str, str]) -> list[Backend]:
    found = backends.list_backends(tx)
    if call.version >= (3, 28) and "name" in given:
        found = [one for one in found if one.pool == given["name"]]
    if call.version >= (3, 35) and "volume_type" in given:
        kind = type_visible(tx, call.ctx, given["volume_type"])
        request = Request(size_gib=0, specs=kind.extra_specs)
        found = [one for one in found if refusal(one, request) is None]
    return found


@routes.get("/v3/capabilities/{host}", policy="volume_extension:capabilities")
def show_capabilities(call: Call, host: str) -> CapabilitiesView:
    """Show what a back end can, for those who write types' extra specs."""
    one = call.db.read(backends.backend_get, host)
    told = one.capabilities
    return CapabilitiesView(
        namespace=f"OS::Storage::Capabilities::{one.host}",
        vendor_name=told["vendor_name"],
        volume_backend_name=told["volume_backend_name"],
        pool_name=one.pool.partition("#")[2],
        driver_version=told["driver_version"],
        storage_protocol=told["storage_protocol"],
        display_name=told["volume_backend_name"],
        description=f"Volumes by {told['storage_protocol']}",
        properties={
            "thin_provisioning": {
                "title": "Thin Provisioning",
                "description": "Volumes take room only for what was written.",
                "type": "boolean",
            }
        },
    )


def capabilities(one: Backend) -> dict[str, Any]:
    """Show a pool as the scheduler sees it."""
    return {
        **one.capabilities,
        "pool_name": one.pool.partition("#")[2],
        "total_capacity_gb": one.total_gib,
        "free_capacity_gb": one.free_gib,
        "allocated_capacity_gb": one.allocated_gib,
        "provisioned_capacity_gb": float(one.allocated_gib),
        "backend_state": "down" if one.trouble else "up",
        "timestamp": iso_bare(one.seen_at),
    }
