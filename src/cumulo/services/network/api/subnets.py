"""Subnets over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import networks, subnet_views, subnets
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.refusals import subnet_not_found
from cumulo.services.network.subnet_views import Details, Pool, Route
from cumulo.services.network.subnets import SubnetChange, SubnetSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One subnet, or many at once."""

    subnet: SubnetSpec | UnsetType = UNSET
    subnets: Annotated[list[SubnetSpec], within("subnet")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    subnet: SubnetChange


class SubnetView(StandardView, kw_only=True, gc=False):
    """A subnet as clients see it."""

    network_id: str | UnsetType
    ip_version: int | UnsetType
    cidr: str | UnsetType
    subnetpool_id: str | UnsetType | None
    service_types: list[str] | UnsetType
    gateway_ip: str | UnsetType | None
    enable_dhcp: bool | UnsetType
    ipv6_ra_mode: str | UnsetType | None
    ipv6_address_mode: str | UnsetType | None
    allocation_pools: list[Pool] | UnsetType
    dns_nameservers: list[str] | UnsetType
    host_routes: list[Route] | UnsetType
    segment_id: str | UnsetType | None
    external: bool | UnsetType = msgspec.field(name="router:external")


@routes.get("/v2.0/subnets", policy="regular_user")
def list_subnets(call: Call[Tools]) -> Answer:
    """List the subnets of the networks that the project may use."""
    return SUBNET.listed(call, subnet_views.list_subnets)


@routes.post("/v2.0/subnets", policy="regular_user", status=201)
def create_subnet(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a subnet, or several at once."""
    return SUBNET.created(call, body, _create)


@routes.get("/v2.0/subnets/{subnet_id}", policy="regular_user")
def show_subnet(call: Call[Tools], subnet_id: str) -> Answer:
    """Show a subnet."""
    return SUBNET.shown(call, _details, subnet_id)


@routes.put("/v2.0/subnets/{subnet_id}", policy="regular_user")
def update_subnet(call: Call[Tools], subnet_id: str, body: UpdateBody) -> Answer:
    """Change a subnet; its range stays."""
    return SUBNET.changed(call, call.db.write(_update, call, subnet_id, body.subnet))


@routes.delete("/v2.0/subnets/{subnet_id}", policy="regular_user", status=204)
def delete_subnet(call: Call[Tools], subnet_id: str) -> None:
    """Delete a subnet in which no port has an address."""
    call.db.write(_delete, call, subnet_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[SubnetSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        network = networks.network_visible(tx, ctx, spec.network_id)
        SUBNET.check_create(call, spec, **{"network:project_id": network.project_id})
        made.append(subnets.create_subnet(tx, ctx, call.tools.settings, network, spec))
    return subnet_views.details(tx, ctx, made)


def _details(tx: Tx, call: Call[Tools], subnet_id: str) -> Details:
    found = subnets.subnet_visible(tx, call.ctx, subnet_id)
    return subnet_views.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], subnet_id: str, wanted: SubnetChange) -> Details:
    ctx, before = call.ctx, _details(tx, call, subnet_id)
    revision = SUBNET.check_update(call, before, wanted)
    settings = call.tools.settings
    after = subnets.update_subnet(tx, ctx, settings, before.subnet, wanted, revision)
    return subnet_views.details(tx, ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], subnet_id: str) -> None:
    found = _details(tx, call, subnet_id)
    SUBNET.check_delete(call, found)
    subnets.delete_subnet(tx, call.ctx, call.tools.settings, found.subnet)


def _facts(found: Details) -> dict[str, object]:
    return {
        "network:project_id": found.network.project_id,
        "shared": found.shared,
        "router:external": found.network.external,
    }


def _view(call: Call[Tools], found: Details) -> SubnetView:
    subnet = found.subnet
    return SubnetView(
        **standard(subnet, found.tags),
        network_id=subnet.network_id,
        ip_version=subnet.ip_version,
        cidr=subnet.cidr,
        subnetpool_id=subnet.subnetpool_id,
        service_types=subnet.service_types,
        gateway_ip=subnet.gateway_ip,
        enable_dhcp=subnet.enable_dhcp,
        ipv6_ra_mode=subnet.ipv6_ra_mode,
        ipv6_address_mode=subnet.ipv6_address_mode,
        allocation_pools=subnet.allocation_pools,
        dns_nameservers=subnet.dns_nameservers,
        host_routes=subnet.host_routes,
        segment_id=subnet.segment_id,
        external=found.network.external,
    )


SUBNET: Noun[Details] = Noun(
    "subnet", "subnets", lambda found: found.subnet, _view, subnet_not_found, _facts
)
