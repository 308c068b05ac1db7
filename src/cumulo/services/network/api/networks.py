"""Networks over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import networks
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.networks import Details, NetworkChange, NetworkSpec
from cumulo.services.network.refusals import network_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One network, or many at once."""

    network: NetworkSpec | UnsetType = UNSET
    networks: Annotated[list[NetworkSpec], within("network")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    network: NetworkChange


class SegmentView(msgspec.Struct, kw_only=True):
    """One of several segments of a network as clients see it."""

    network_type: str = msgspec.field(name="provider:network_type")
    physical_network: str | None = msgspec.field(name="provider:physical_network")
    segmentation_id: int | None = msgspec.field(name="provider:segmentation_id")


class NetworkView(StandardView, kw_only=True, gc=False):
    """A network as clients see it."""

    admin_state_up: bool | UnsetType
    mtu: int | UnsetType
    status: str | UnsetType
    subnets: list[str] | UnsetType
    shared: bool | UnsetType
    availability_zone_hints: list[str] | UnsetType
    availability_zones: list[str] | UnsetType
    external: bool | UnsetType = msgspec.field(name="router:external")
    port_security_enabled: bool | UnsetType
    network_type: str | UnsetType | None = msgspec.field(name="provider:network_type")
    physical_network: str | UnsetType | None = msgspec.field(name="provider:physical_network")
    segmentation_id: int | UnsetType | None = msgspec.field(name="provider:segmentation_id")
    dns_domain: str | UnsetType
    qos_policy_id: str | UnsetType | None
    ipv4_address_scope: str | UnsetType | None
    ipv6_address_scope: str | UnsetType | None
    vlan_transparent: bool | UnsetType | None
    is_default: bool | UnsetType
    segments: list[SegmentView] | UnsetType = UNSET


@routes.get("/v2.0/networks", policy="regular_user")
def list_networks(call: Call[Tools]) -> Answer:
    """List the networks of the project, those shared with it and the external ones."""
    return NETWORK.listed(call, networks.list_networks)


@routes.post("/v2.0/networks", policy="create_network", status=201)
def create_network(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a network, or several at once."""
    return NETWORK.created(call, body, _create)


@routes.get("/v2.0/networks/{network_id}", policy="regular_user")
def show_network(call: Call[Tools], network_id: str) -> Answer:
    """Show a network."""
    return NETWORK.shown(call, _details, network_id)


@routes.put("/v2.0/networks/{network_id}", policy="regular_user")
def update_network(call: Call[Tools], network_id: str, body: UpdateBody) -> Answer:
    """Change a network."""
    return NETWORK.changed(call, call.db.write(_update, call, network_id, body.network))


@routes.delete("/v2.0/networks/{network_id}", policy="regular_user", status=204)
def delete_network(call: Call[Tools], network_id: str) -> None:
    """Delete a network that nothing is plugged into, with its subnets."""
    call.db.write(_delete, call, network_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[NetworkSpec]) -> list[Details]:
    made = []
    for spec in specs:
        NETWORK.check_create(call, spec)
        network = networks.create_network(tx, call.ctx, call.tools.settings, spec)
        made.append(networks.new_details(tx, network, spec))
    return made


def _details(tx: Tx, call: Call[Tools], network_id: str) -> Details:
    found = networks.network_visible(tx, call.ctx, network_id)
    return networks.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], network_id: str, wanted: NetworkChange) -> Details:
    ctx, before = call.ctx, _details(tx, call, network_id)
    revision = NETWORK.check_update(call, before, wanted)
    settings = call.tools.settings
    after = networks.update_network(tx, ctx, settings, before.network, wanted, revision)
    return networks.details(tx, ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], network_id: str) -> None:
    found = _details(tx, call, network_id)
    NETWORK.check_delete(call, found)
    networks.delete_network(tx, call.ctx, found.network)


def _facts(found: Details) -> dict[str, object]:
    return {"shared": found.shared, "router:external": found.network.external}


def _segments(found: Details) -> list[SegmentView]:
    return [
        SegmentView(
            network_type=one.network_type,
            physical_network=one.physical_network,
            segmentation_id=one.segmentation_id,
        )
        for one in found.segments
    ]


def _view(call: Call[Tools], found: Details) -> NetworkView:
    """Show a network: its provider's attributes, or its segments where there are several."""
    network, several = found.network, len(found.segments) > 1
    return NetworkView(
        **standard(network, found.tags),
        admin_state_up=network.admin_state_up,
        mtu=network.mtu,
        status=network.status,
        subnets=found.subnets,
        shared=found.shared,
        availability_zone_hints=network.availability_zone_hints,
        availability_zones=(
            [call.tools.settings.default_availability_zone] if found.subnets else []
        ),
        external=network.external,
        port_security_enabled=network.port_security_enabled,
        network_type=UNSET if several else network.network_type or None,
        physical_network=UNSET if several else network.physical_network,
        segmentation_id=UNSET if several else network.segmentation_id,
        segments=_segments(found) if several else UNSET,
        vlan_transparent=network.vlan_transparent,
        is_default=network.is_default,
        dns_domain=network.dns_domain,
        qos_policy_id=network.qos_policy_id,
        ipv4_address_scope=found.scopes.get(4),
        ipv6_address_scope=found.scopes.get(6),
    )


NETWORK: Noun[Details] = Noun(
    "network", "networks", lambda found: found.network, _view, network_not_found, _facts
)
