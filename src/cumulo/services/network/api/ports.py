"""Ports over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import names, networks, port_changes, port_views, ports
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.bandwidth import ResourceGroup
from cumulo.services.network.names import Assignment
from cumulo.services.network.port_views import (
    AddressPair,
    Details,
    DhcpOption,
    FixedIp,
    TrunkDetails,
)
from cumulo.services.network.ports import PortChange, PortSpec
from cumulo.services.network.refusals import port_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One port, or many at once."""

    port: PortSpec | UnsetType = UNSET
    ports: Annotated[list[PortSpec], within("port")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    port: PortChange


class ResourceRequest(msgspec.Struct):
    """What a port asks of placement for its server."""

    request_groups: list[ResourceGroup]
    same_subtree: list[str]


class PortView(StandardView, kw_only=True, gc=False):
    """A port as clients see it."""

    network_id: str | UnsetType
    mac_address: str | UnsetType
    admin_state_up: bool | UnsetType
    status: str | UnsetType
    device_id: str | UnsetType
    device_owner: str | UnsetType
    fixed_ips: list[FixedIp] | UnsetType
    allowed_address_pairs: list[AddressPair] | UnsetType
    extra_dhcp_opts: list[DhcpOption] | UnsetType
    security_groups: list[str] | UnsetType
    vnic_type: str | UnsetType = msgspec.field(name="binding:vnic_type")
    profile: dict[str, object] | UnsetType = msgspec.field(name="binding:profile")
    host_id: str | UnsetType = msgspec.field(name="binding:host_id")
    vif_type: str | UnsetType = msgspec.field(name="binding:vif_type")
    vif_details: dict[str, object] | UnsetType = msgspec.field(name="binding:vif_details")
    port_security_enabled: bool | UnsetType
    dns_name: str | UnsetType
    dns_domain: str | UnsetType
    trunk_details: TrunkDetails | UnsetType
    qos_policy_id: str | UnsetType | None
    dns_assignment: list[Assignment] | UnsetType
    resource_request: ResourceRequest | UnsetType | None


@routes.get("/v2.0/ports", policy="regular_user")
def list_ports(call: Call[Tools]) -> Answer:
    """List the ports of the project and those in its networks."""
    return PORT.listed(call, port_views.list_ports)


@routes.post("/v2.0/ports", policy="regular_user", status=201)
def create_port(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a port, or several at once."""
    return PORT.created(call, body, _create)


@routes.get("/v2.0/ports/{port_id}", policy="regular_user")
def show_port(call: Call[Tools], port_id: str) -> Answer:
    """Show a port."""
    return PORT.shown(call, _details, port_id)


@routes.put("/v2.0/ports/{port_id}", policy="regular_user")
def update_port(call: Call[Tools], port_id: str, body: UpdateBody) -> Answer:
    """Change a port, its addresses, its security groups."""
    return PORT.changed(call, call.db.write(_update, call, port_id, body.port))


@routes.delete("/v2.0/ports/{port_id}", policy="regular_user", status=204)
def delete_port(call: Call[Tools], port_id: str) -> None:
    """Delete a port that is no part of the network itself."""
    call.db.write(_delete, call, port_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[PortSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        network = networks.network_visible(tx, ctx, spec.network_id)
        facts = {
            "network:project_id": network.project_id,
            "shared": networks.is_shared(tx, ctx, network),
            "device_owner": spec.device_owner,
        }
        PORT.check_create(call, spec, **facts)
        made.append(ports.create_port(tx, ctx, call.tools.settings, network, spec))
    return made


def _details(tx: Tx, call: Call[Tools], port_id: str) -> Details:
    return port_views.details(tx, [ports.port_visible(tx, call.ctx, port_id)])[0]


def _update(tx: Tx, call: Call[Tools], port_id: str, wanted: PortChange) -> Details:
    ctx, before = call.ctx, _details(tx, call, port_id)
    network = networks.network_get(tx, before.port.network_id)
    facts = {
        "shared": networks.is_shared(tx, ctx, network),
        "device_owner": wanted.device_owner or before.port.device_owner,
    }
    revision = PORT.check_update(call, before, wanted, **facts)
    settings = call.tools.settings
    after = port_changes.update_port(tx, ctx, settings, before.port, wanted, revision)
    return port_views.details(tx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], port_id: str) -> None:
    found = _details(tx, call, port_id)
    PORT.check_delete(call, found, device_owner=found.port.device_owner)
    port_changes.delete_port(tx, call.ctx, call.tools.settings, found.port)


def _view(call: Call[Tools], found: Details) -> PortView:
    port = found.port
    return PortView(
        **standard(port, found.tags),
        network_id=port.network_id,
        mac_address=port.mac_address,
        admin_state_up=port.admin_state_up,
        status=port.status,
        device_id=port.device_id,
        device_owner=port.device_owner,
        fixed_ips=found.fixed_ips,
        allowed_address_pairs=port.allowed_address_pairs,
        extra_dhcp_opts=port.extra_dhcp_opts,
        security_groups=found.security_groups,
        vnic_type=port.vnic_type,
        profile=port.profile,
        host_id=port.host,
        vif_type=port_views.vif_type(port),
        vif_details=port_views.vif_details(port),
        port_security_enabled=port.port_security_enabled,
        dns_name=port.dns_name,
        dns_domain=port.dns_domain,
        trunk_details=UNSET if found.trunk is None else found.trunk,
        qos_policy_id=port.qos_policy_id,
        dns_assignment=names.assignments(call.tools.settings, found),
        resource_request=(
            ResourceRequest([found.group], [found.group.id]) if found.group else None
        ),
    )


PORT: Noun[Details] = Noun(
    "port",
    "ports",
    lambda found: found.port,
    _view,
    port_not_found,
    lambda found: {"network:project_id": found.network_project_id},
)
