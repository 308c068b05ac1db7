"""Networks over HTTP."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import networks, revisions
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import (
    expected_revision,
    log_create,
    log_delete,
    log_update,
    several,
)
from cumulo.services.network.networks import Details, NetworkChange, NetworkSpec
from cumulo.services.network.refusals import network_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One network, or many at once."""

    network: NetworkSpec | UnsetType = UNSET
    networks: list[NetworkSpec] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    network: NetworkChange


class NetworkView(msgspec.Struct, kw_only=True):
    """A network as clients see it."""

    id: str | UnsetType
    name: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    admin_state_up: bool | UnsetType
    mtu: int | UnsetType
    status: str | UnsetType
    subnets: list[str] | UnsetType
    shared: bool | UnsetType
    availability_zone_hints: list[str] | UnsetType
    availability_zones: list[str] | UnsetType
    external: bool | UnsetType = msgspec.field(name="router:external")
    description: str | UnsetType
    port_security_enabled: bool | UnsetType
    network_type: str | UnsetType = msgspec.field(name="provider:network_type")
    physical_network: str | UnsetType | None = msgspec.field(name="provider:physical_network")
    segmentation_id: int | UnsetType | None = msgspec.field(name="provider:segmentation_id")
    tags: list[str] | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/networks", policy="regular_user")
def list_networks(call: Call[Tools]) -> Answer:
    """List the networks of the project, those shared with it and the external ones."""
    found = call.db.read(networks.list_networks, call.ctx, listing_of(call))
    return page(call, "networks", [d.network for d in found], _shown(call, found))


@routes.post("/v2.0/networks", policy="create_network", status=201)
def create_network(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a network, or several at once."""
    specs = several(body.network, body.networks, "network")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"networks": views} if body.network is UNSET else {"network": views[0]}


@routes.get("/v2.0/networks/{network_id}", policy="regular_user")
def show_network(call: Call[Tools], network_id: str) -> Answer:
    """Show a network."""
    views = _shown(call, call.db.read(_details, call, network_id))
    if not views:
        raise network_not_found(network_id)
    return {"network": select(views[0], fields_of(call))}


@routes.put("/v2.0/networks/{network_id}", policy="regular_user")
def update_network(call: Call[Tools], network_id: str, body: UpdateBody) -> Answer:
    """Change a network."""
    found = call.db.write(_update, call, network_id, body.network)
    return {"network": _shown(call, found)[0]}


@routes.delete("/v2.0/networks/{network_id}", policy="regular_user", status=204)
def delete_network(call: Call[Tools], network_id: str) -> None:
    """Delete a network that nothing is plugged into, with its subnets."""
    call.db.write(_delete, call, network_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[NetworkSpec]) -> list[Details]:
    made = []
    for spec in specs:
        check_create(call.ctx, "network", spec, **call.ctx.own())
        network = networks.create_network(tx, call.ctx, call.tools.settings, spec)
        log_create(tx, call.ctx, "network", network)
        made.append(network)
    return networks.details(tx, call.ctx, made)


def _details(tx: Tx, call: Call[Tools], network_id: str) -> list[Details]:
    network = networks.network_visible(tx, call.ctx, network_id)
    return networks.details(tx, call.ctx, [network])


def _update(tx: Tx, call: Call[Tools], network_id: str, wanted: NetworkChange) -> list[Details]:
    ctx, revision = call.ctx, expected_revision(call)
    before = networks.network_visible(tx, ctx, network_id)
    check_update(ctx, "network", wanted, project_id=before.project_id)
    revisions.check(before, revision)
    after = networks.update_network(tx, call.tools.settings, before, wanted, revision)
    log_update(tx, ctx, "network", before, after)
    return networks.details(tx, ctx, [after])


def _delete(tx: Tx, call: Call[Tools], network_id: str) -> None:
    network = networks.network_visible(tx, call.ctx, network_id)
    call.ctx.require("delete_network", project_id=network.project_id)
    revisions.check(network, expected_revision(call))
    networks.delete_network(tx, network)
    log_delete(tx, call.ctx, "network", network)


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[NetworkView]:
    sight, zone = Sight(call.ctx, "network"), call.tools.settings.default_availability_zone
    views = []
    for details in found:
        target = {
            "project_id": details.network.project_id,
            "shared": details.shared,
            "router:external": details.network.external,
        }
        hidden = sight.hidden(**target)
        if hidden is not None:
            view = _view(details, zone)
            hide(view, hidden)
            views.append(view)
    return views


def _view(details: Details, zone: str) -> NetworkView:
    network = details.network
    return NetworkView(
        id=network.id,
        name=network.name,
        tenant_id=network.project_id,
        project_id=network.project_id,
        admin_state_up=network.admin_state_up,
        mtu=network.mtu,
        status=network.status,
        subnets=details.subnets,
        shared=details.shared,
        availability_zone_hints=network.availability_zone_hints,
        availability_zones=[zone] if details.subnets else [],
        external=network.external,
        description=network.description,
        port_security_enabled=network.port_security_enabled,
        network_type=network.network_type,
        physical_network=network.physical_network,
        segmentation_id=network.segmentation_id,
        tags=details.tags,
        created_at=iso_z(network.created_at),
        updated_at=iso_z(network.updated_at),
        revision_number=network.revision_number,
    )
