"""Floating IPs over HTTP."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import floatingip_deletion, floatingips, revisions
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import (
    expected_revision,
    log_create,
    log_delete,
    log_update,
    several,
)
from cumulo.services.network.floatingips import Details, FloatingIpChange, FloatingIpSpec
from cumulo.services.network.refusals import floatingip_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One floating IP, or many at once."""

    floatingip: FloatingIpSpec | UnsetType = UNSET
    floatingips: list[FloatingIpSpec] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    floatingip: FloatingIpChange


class PortDetails(msgspec.Struct):
    """The port that a floating IP leads to, in short."""

    name: str
    network_id: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str


class FloatingIpView(msgspec.Struct, kw_only=True):
    """A floating IP as clients see it."""

    id: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    floating_network_id: str | UnsetType
    floating_ip_address: str | UnsetType
    router_id: str | UnsetType | None
    port_id: str | UnsetType | None
    fixed_ip_address: str | UnsetType | None
    status: str | UnsetType
    port_details: PortDetails | UnsetType | None
    description: str | UnsetType
    tags: list[str] | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/floatingips", policy="regular_user")
def list_floatingips(call: Call[Tools]) -> Answer:
    """List the floating IPs of the project."""
    found = call.db.read(floatingips.list_floatingips, call.ctx, listing_of(call))
    return page(call, "floatingips", [d.floatingip for d in found], _shown(call, found))


@routes.post("/v2.0/floatingips", policy="create_floatingip", status=201)
def create_floatingip(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a floating IP that leads to a port, or to none yet."""
    specs = several(body.floatingip, body.floatingips, "floatingip")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"floatingips": views} if body.floatingip is UNSET else {"floatingip": views[0]}


@routes.get("/v2.0/floatingips/{floatingip_id}", policy="regular_user")
def show_floatingip(call: Call[Tools], floatingip_id: str) -> Answer:
    """Show a floating IP."""
    views = _shown(call, call.db.read(_details, call, floatingip_id))
    if not views:
        raise floatingip_not_found(floatingip_id)
    return {"floatingip": select(views[0], fields_of(call))}


@routes.put("/v2.0/floatingips/{floatingip_id}", policy="regular_user")
def update_floatingip(call: Call[Tools], floatingip_id: str, body: UpdateBody) -> Answer:
    """Lead a floating IP elsewhere, or nowhere."""
    found = call.db.write(_update, call, floatingip_id, body.floatingip)
    return {"floatingip": _shown(call, found)[0]}


@routes.delete("/v2.0/floatingips/{floatingip_id}", policy="regular_user", status=204)
def delete_floatingip(call: Call[Tools], floatingip_id: str) -> None:
    """Delete a floating IP and free its address."""
    call.db.write(_delete, call, floatingip_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[FloatingIpSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        check_create(ctx, "floatingip", spec, **ctx.own())
        floatingip = floatingips.create_floatingip(tx, ctx, call.tools.settings, spec)
        log_create(tx, ctx, "floatingip", floatingip)
        made.append(floatingip)
    return floatingips.details(tx, made)


def _details(tx: Tx, call: Call[Tools], floatingip_id: str) -> list[Details]:
    found = floatingips.floatingip_visible(tx, call.ctx, floatingip_id)
    return floatingips.details(tx, [found])


def _update(
    tx: Tx, call: Call[Tools], floatingip_id: str, wanted: FloatingIpChange
) -> list[Details]:
    ctx, revision = call.ctx, expected_revision(call)
    before = floatingips.floatingip_visible(tx, ctx, floatingip_id)
    check_update(ctx, "floatingip", wanted, project_id=before.project_id)
    revisions.check(before, revision)
    after = floatingips.update_floatingip(tx, ctx, before, wanted, revision)
    log_update(tx, ctx, "floatingip", before, after)
    return floatingips.details(tx, [after])


def _delete(tx: Tx, call: Call[Tools], floatingip_id: str) -> None:
    floatingip = floatingips.floatingip_visible(tx, call.ctx, floatingip_id)
    call.ctx.require("delete_floatingip", project_id=floatingip.project_id)
    revisions.check(floatingip, expected_revision(call))
    floatingip_deletion.delete_floatingip(tx, floatingip)
    log_delete(tx, call.ctx, "floatingip", floatingip)


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[FloatingIpView]:
    sight, views = Sight(call.ctx, "floatingip"), []
    for one in found:
        hidden = sight.hidden(project_id=one.floatingip.project_id)
        if hidden is not None:
            view = _view(one)
            hide(view, hidden)
            views.append(view)
    return views


def _view(found: Details) -> FloatingIpView:
    floatingip = found.floatingip
    return FloatingIpView(
        id=floatingip.id,
        tenant_id=floatingip.project_id,
        project_id=floatingip.project_id,
        floating_network_id=floatingip.floating_network_id,
        floating_ip_address=floatingip.floating_ip_address,
        router_id=floatingip.router_id,
        port_id=floatingip.port_id,
        fixed_ip_address=floatingip.fixed_ip_address,
        status=floatingip.status,
        port_details=_port_details(found),
        description=floatingip.description,
        tags=found.tags,
        created_at=iso_z(floatingip.created_at),
        updated_at=iso_z(floatingip.updated_at),
        revision_number=floatingip.revision_number,
    )


def _port_details(found: Details) -> PortDetails | None:
    port = found.port
    if port is None:
        return None
    return PortDetails(
        name=port.name,
        network_id=port.network_id,
        mac_address=port.mac_address,
        admin_state_up=port.admin_state_up,
        status=port.status,
        device_id=port.device_id,
        device_owner=port.device_owner,
    )
