"""Subnets over HTTP."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import networks, revisions, subnets
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import (
    expected_revision,
    log_create,
    log_delete,
    log_update,
    several,
)
from cumulo.services.network.refusals import subnet_not_found
from cumulo.services.network.subnet_views import Details, Pool, Route, details
from cumulo.services.network.subnet_views import list_subnets as find_subnets
from cumulo.services.network.subnets import SubnetChange, SubnetSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One subnet, or many at once."""

    subnet: SubnetSpec | UnsetType = UNSET
    subnets: list[SubnetSpec] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    subnet: SubnetChange


class SubnetView(msgspec.Struct, kw_only=True):
    """A subnet as clients see it."""

    id: str | UnsetType
    name: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    network_id: str | UnsetType
    ip_version: int | UnsetType
    cidr: str | UnsetType
    subnetpool_id: UnsetType | None = None
    gateway_ip: str | UnsetType | None
    enable_dhcp: bool | UnsetType
    ipv6_ra_mode: str | UnsetType | None
    ipv6_address_mode: str | UnsetType | None
    allocation_pools: list[Pool] | UnsetType
    dns_nameservers: list[str] | UnsetType
    host_routes: list[Route] | UnsetType
    external: bool | UnsetType = msgspec.field(name="router:external")
    description: str | UnsetType
    tags: list[str] | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/subnets", policy="regular_user")
def list_subnets(call: Call[Tools]) -> Answer:
    """List the subnets of the networks that the project may use."""
    found = call.db.read(find_subnets, call.ctx, listing_of(call))
    return page(call, "subnets", [d.subnet for d in found], _shown(call, found))


@routes.post("/v2.0/subnets", policy="regular_user", status=201)
def create_subnet(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a subnet, or several at once."""
    specs = several(body.subnet, body.subnets, "subnet")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"subnets": views} if body.subnet is UNSET else {"subnet": views[0]}


@routes.get("/v2.0/subnets/{subnet_id}", policy="regular_user")
def show_subnet(call: Call[Tools], subnet_id: str) -> Answer:
    """Show a subnet."""
    views = _shown(call, call.db.read(_details, call, subnet_id))
    if not views:
        raise subnet_not_found(subnet_id)
    return {"subnet": select(views[0], fields_of(call))}


@routes.put("/v2.0/subnets/{subnet_id}", policy="regular_user")
def update_subnet(call: Call[Tools], subnet_id: str, body: UpdateBody) -> Answer:
    """Change a subnet; its range stays."""
    return {"subnet": _shown(call, call.db.write(_update, call, subnet_id, body.subnet))[0]}


@routes.delete("/v2.0/subnets/{subnet_id}", policy="regular_user", status=204)
def delete_subnet(call: Call[Tools], subnet_id: str) -> None:
    """Delete a subnet in which no port has an address."""
    call.db.write(_delete, call, subnet_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[SubnetSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        network = networks.network_visible(tx, ctx, spec.network_id)
        target = {**ctx.own(), "network:project_id": network.project_id}
        check_create(ctx, "subnet", spec, **target)
        subnet = subnets.create_subnet(tx, ctx, call.tools.settings, network, spec)
        log_create(tx, ctx, "subnet", subnet)
        made.append(subnet)
    return details(tx, ctx, made)


def _details(tx: Tx, call: Call[Tools], subnet_id: str) -> list[Details]:
    return details(tx, call.ctx, [subnets.subnet_visible(tx, call.ctx, subnet_id)])


def _target(found: Details) -> dict[str, object]:
    return {
        "project_id": found.subnet.project_id,
        "network:project_id": found.network.project_id,
        "shared": found.shared,
        "router:external": found.network.external,
    }


def _update(tx: Tx, call: Call[Tools], subnet_id: str, wanted: SubnetChange) -> list[Details]:
    ctx, revision = call.ctx, expected_revision(call)
    found = _details(tx, call, subnet_id)[0]
    check_update(ctx, "subnet", wanted, **_target(found))
    revisions.check(found.subnet, revision)
    after = subnets.update_subnet(tx, call.tools.settings, found.subnet, wanted, revision)
    log_update(tx, ctx, "subnet", found.subnet, after)
    return details(tx, ctx, [after])


def _delete(tx: Tx, call: Call[Tools], subnet_id: str) -> None:
    found = _details(tx, call, subnet_id)[0]
    call.ctx.require("delete_subnet", **_target(found))
    revisions.check(found.subnet, expected_revision(call))
    subnets.delete_subnet(tx, call.tools.settings, found.subnet)
    log_delete(tx, call.ctx, "subnet", found.subnet)


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[SubnetView]:
    sight, views = Sight(call.ctx, "subnet"), []
    for one in found:
        hidden = sight.hidden(**_target(one))
        if hidden is not None:
            view = _view(one)
            hide(view, hidden)
            views.append(view)
    return views


def _view(found: Details) -> SubnetView:
    subnet = found.subnet
    return SubnetView(
        id=subnet.id,
        name=subnet.name,
        tenant_id=subnet.project_id,
        project_id=subnet.project_id,
        network_id=subnet.network_id,
        ip_version=subnet.ip_version,
        cidr=subnet.cidr,
        gateway_ip=subnet.gateway_ip,
        enable_dhcp=subnet.enable_dhcp,
        ipv6_ra_mode=subnet.ipv6_ra_mode,
        ipv6_address_mode=subnet.ipv6_address_mode,
        allocation_pools=subnet.allocation_pools,
        dns_nameservers=subnet.dns_nameservers,
        host_routes=subnet.host_routes,
        external=found.network.external,
        description=subnet.description,
        tags=found.tags,
        created_at=iso_z(subnet.created_at),
        updated_at=iso_z(subnet.updated_at),
        revision_number=subnet.revision_number,
    )
