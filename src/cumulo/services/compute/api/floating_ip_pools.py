"""/os-floating-ip-pools: where floating IPs come from, for clients that do not ask Neutron."""

from typing import TypeAlias

import msgspec

from cumulo.services.compute import networking
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()


class Pool(msgspec.Struct):
    """An external network."""

    name: str


class PoolsBody(msgspec.Struct):
    """All pools."""

    floating_ip_pools: list[Pool]


@routes.get(
    "/v2.1/os-floating-ip-pools", policy="os_compute_api:os-floating-ip-pools", until="2.35"
)
def list_floating_ip_pools(call: Call) -> PoolsBody:
    """List the external networks that floating IPs come from."""
    names = call.db.read(networking.floating_ip_pools, call.ctx)
    return PoolsBody([Pool(name) for name in names])
