"""/servers/{server_id}/ips and os-security-groups: how a server is reached."""

from typing import TypeAlias

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.services.compute import servers
from cumulo.services.compute.api.server_views import addresses
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()


class Short(msgspec.Struct):
    """An address without what extensions add."""

    version: int
    addr: str


class AddressesBody(msgspec.Struct):
    """The addresses of a server by network."""

    addresses: dict[str, list[Short]]


def _short(call: Call, server_id: str) -> dict[str, list[Short]]:
    found = addresses(call.db.read(servers.see, call.ctx, server_id, call.tools.health))
    return {net: [Short(one.version, one.addr) for one in all_] for net, all_ in found.items()}


@routes.get("/v2.1/servers/{server_id}/ips", policy="os_compute_api:ips:index")
def list_addresses(call: Call, server_id: str) -> AddressesBody:
    """List the addresses of a server by network."""
    return AddressesBody(_short(call, server_id))


@routes.get("/v2.1/servers/{server_id}/ips/{network}", policy="os_compute_api:ips:show")
def show_addresses(call: Call, server_id: str, network: str) -> Reply:
    """List the addresses of a server in one network."""
    found = _short(call, server_id)
    if network not in found:
        raise NotFound("Network label is not found")
    return Reply({network: found[network]})
