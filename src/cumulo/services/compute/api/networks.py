"""/os-networks and /os-tenant-networks, for clients that do not ask Neutron."""

from typing import TypeAlias

import msgspec

from cumulo.services.compute import networking
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE, _TENANT_RULE = "os_compute_api:os-networks", "os_compute_api:os-tenant-networks"
# What networks had when they were Nova's own; of Neutron's, nothing of it is told.
_ONCE = (
    "bridge", "bridge_interface", "broadcast", "cidr", "cidr_v6", "created_at", "deleted",
    "deleted_at", "dhcp_server", "dhcp_start", "dns1", "dns2", "enable_dhcp", "gateway",
    "gateway_v6", "host", "injected", "mtu", "multi_host", "netmask", "netmask_v6", "priority",
    "project_id", "rxtx_base", "share_address", "updated_at", "vlan", "vpn_private_address",
    "vpn_public_address", "vpn_public_port",
)  # fmt: skip


class NetworkBody(msgspec.Struct):
    """One network."""

    network: dict[str, str | None]


class NetworksBody(msgspec.Struct):
    """Networks."""

    networks: list[dict[str, str | None]]


@routes.get("/v2.1/os-networks", policy=f"{_RULE}:list", until="2.35")
def list_networks(call: Call) -> NetworksBody:
    """List the networks that the caller may know of."""
    found = call.db.read(networking.networks_visible, call.ctx)
    return NetworksBody([_full(id_, name) for id_, name in found])


@routes.get("/v2.1/os-networks/{network_id}", policy=f"{_RULE}:show", until="2.35")
def show_network(call: Call, network_id: str) -> NetworkBody:
    """Show a network."""
    return NetworkBody(_full(*call.db.read(networking.network_visible, call.ctx, network_id)))


@routes.get("/v2.1/os-tenant-networks", policy=f"{_TENANT_RULE}:list", until="2.35")
def list_project_networks(call: Call) -> NetworksBody:
    """List the networks that the project may use."""
    found = call.db.read(networking.networks_visible, call.ctx)
    return NetworksBody([_short(id_, name) for id_, name in found])


@routes.get("/v2.1/os-tenant-networks/{network_id}", policy=f"{_TENANT_RULE}:show", until="2.35")
def show_project_network(call: Call, network_id: str) -> NetworkBody:
    """Show a network that the project may use."""
    return NetworkBody(_short(*call.db.read(networking.network_visible, call.ctx, network_id)))


def _full(network_id: str, name: str) -> dict[str, str | None]:
    return {"id": network_id, "label": name, **dict.fromkeys(_ONCE)}


def _short(network_id: str, name: str) -> dict[str, str | None]:
    return {"id": network_id, "label": name, "cidr": "None"}
