"""Ports over HTTP."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import networks, port_changes, port_views, ports, revisions
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import (
    expected_revision,
    log_create,
    log_delete,
    log_update,
    several,
)
from cumulo.services.network.port_views import AddressPair, Details, DhcpOption, FixedIp
from cumulo.services.network.ports import PortChange, PortSpec
from cumulo.services.network.refusals import port_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One port, or many at once."""

    port: PortSpec | UnsetType = UNSET
    ports: list[PortSpec] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    port: PortChange


class PortView(msgspec.Struct, kw_only=True, gc=False):
    """A port as clients see it."""

    id: str | UnsetType
    name: str | UnsetType
    network_id: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    mac_address: str | UnsetType
    admin_state_up: bool | UnsetType
    status: str | UnsetType
    device_id: str | UnsetType
    device_owner: str | UnsetType
    fixed_ips: list[FixedIp] | UnsetType
    allowed_address_pairs: list[AddressPair] | UnsetType
    extra_dhcp_opts: list[DhcpOption] | UnsetType
    security_groups: list[str] | UnsetType
    description: str | UnsetType
    vnic_type: str | UnsetType = msgspec.field(name="binding:vnic_type")
    profile: dict[str, object] | UnsetType = msgspec.field(name="binding:profile")
    host_id: str | UnsetType = msgspec.field(name="binding:host_id")
    vif_type: str | UnsetType = msgspec.field(name="binding:vif_type")
    vif_details: dict[str, object] | UnsetType = msgspec.field(name="binding:vif_details")
    port_security_enabled: bool | UnsetType
    tags: list[str] | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/ports", policy="regular_user")
def list_ports(call: Call[Tools]) -> Answer:
    """List the ports of the project and those in its networks."""
    found = call.db.read(port_views.list_ports, call.ctx, listing_of(call))
    return page(call, "ports", [d.port for d in found], _shown(call, found))


@routes.post("/v2.0/ports", policy="regular_user", status=201)
def create_port(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a port, or several at once."""
    specs = several(body.port, body.ports, "port")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"ports": views} if body.port is UNSET else {"port": views[0]}


@routes.get("/v2.0/ports/{port_id}", policy="regular_user")
def show_port(call: Call[Tools], port_id: str) -> Answer:
    """Show a port."""
    views = _shown(call, [call.db.read(_details, call, port_id)])
    if not views:
        raise port_not_found(port_id)
    return {"port": select(views[0], fields_of(call))}


@routes.put("/v2.0/ports/{port_id}", policy="regular_user")
def update_port(call: Call[Tools], port_id: str, body: UpdateBody) -> Answer:
    """Change a port, its addresses, its security groups."""
    return {"port": _shown(call, call.db.write(_update, call, port_id, body.port))[0]}


@routes.delete("/v2.0/ports/{port_id}", policy="regular_user", status=204)
def delete_port(call: Call[Tools], port_id: str) -> None:
    """Delete a port that is no part of the network itself."""
    call.db.write(_delete, call, port_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[PortSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        network = networks.network_visible(tx, ctx, spec.network_id)
        target = {
            **ctx.own(),
            "network:project_id": network.project_id,
            "shared": networks.is_shared(tx, ctx, network),
            "device_owner": spec.device_owner,
        }
        check_create(ctx, "port", spec, **target)
        port = ports.create_port(tx, ctx, call.tools.settings, network, spec)
        log_create(tx, ctx, "port", port)
        made.append(port)
    return port_views.details(tx, made)


def _details(tx: Tx, call: Call[Tools], port_id: str) -> Details:
    return port_views.details(tx, [ports.port_visible(tx, call.ctx, port_id)])[0]


def _update(tx: Tx, call: Call[Tools], port_id: str, wanted: PortChange) -> list[Details]:
    ctx, revision = call.ctx, expected_revision(call)
    found = _details(tx, call, port_id)
    before = found.port
    network = networks.network_get(tx, before.network_id)
    target = {
        "project_id": before.project_id,
        "network:project_id": found.network_project_id,
        "shared": networks.is_shared(tx, ctx, network),
        "device_owner": wanted.device_owner or before.device_owner,
    }
    check_update(ctx, "port", wanted, **target)
    revisions.check(before, revision)
    after = port_changes.update_port(tx, ctx, call.tools.settings, before, wanted, revision)
    log_update(tx, ctx, "port", before, after)
    return port_views.details(tx, [after])


def _delete(tx: Tx, call: Call[Tools], port_id: str) -> None:
    found = _details(tx, call, port_id)
    target = {
        "project_id": found.port.project_id,
        "network:project_id": found.network_project_id,
        "device_owner": found.port.device_owner,
    }
    call.ctx.require("delete_port", **target)
    revisions.check(found.port, expected_revision(call))
    port_changes.delete_port(tx, found.port)
    log_delete(tx, call.ctx, "port", found.port)


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[PortView]:
    sight, views = Sight(call.ctx, "port"), []
    for one in found:
        target = {
            "project_id": one.port.project_id,
            "network:project_id": one.network_project_id,
        }
        hidden = sight.hidden(**target)
        if hidden is not None:
            view = _view(one)
            hide(view, hidden)
            views.append(view)
    return views


def _view(found: Details) -> PortView:
    port = found.port
    return PortView(
        id=port.id,
        name=port.name,
        network_id=port.network_id,
        tenant_id=port.project_id,
        project_id=port.project_id,
        mac_address=port.mac_address,
        admin_state_up=port.admin_state_up,
        status=port.status,
        device_id=port.device_id,
        device_owner=port.device_owner,
        fixed_ips=found.fixed_ips,
        allowed_address_pairs=port.allowed_address_pairs,
        extra_dhcp_opts=port.extra_dhcp_opts,
        security_groups=found.security_groups,
        description=port.description,
        vnic_type=port.vnic_type,
        profile=port.profile,
        host_id=port.host,
        vif_type=port_views.vif_type(port),
        vif_details=port_views.vif_details(port),
        port_security_enabled=port.port_security_enabled,
        tags=found.tags,
        created_at=iso_z(port.created_at),
        updated_at=iso_z(port.updated_at),
        revision_number=port.revision_number,
    )
