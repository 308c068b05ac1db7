"""Floating IPs over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import floatingip_deletion, floatingips
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.floatingips import Details, FloatingIpChange, FloatingIpSpec
from cumulo.services.network.refusals import floatingip_not_found
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One floating IP, or many at once."""

    floatingip: FloatingIpSpec | UnsetType = UNSET
    floatingips: Annotated[list[FloatingIpSpec], within("floatingip")] | UnsetType = UNSET


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


class Forwarding(msgspec.Struct):
    """A port that a floating IP forwards, in short."""

    id: str
    protocol: str
    external_port: int
    internal_port: int
    internal_port_id: str
    internal_ip_address: str


class FloatingIpView(StandardView, kw_only=True, gc=False):
    """A floating IP as clients see it."""

    floating_network_id: str | UnsetType
    floating_ip_address: str | UnsetType
    router_id: str | UnsetType | None
    port_id: str | UnsetType | None
    fixed_ip_address: str | UnsetType | None
    status: str | UnsetType
    dns_name: str | UnsetType
    dns_domain: str | UnsetType
    qos_policy_id: str | UnsetType | None
    port_details: PortDetails | UnsetType | None
    port_forwardings: list[Forwarding] | UnsetType


@routes.get("/v2.0/floatingips", policy="regular_user")
def list_floatingips(call: Call[Tools]) -> Answer:
    """List the floating IPs of the project."""
    return FLOATINGIP.listed(call, floatingips.list_floatingips)


@routes.post("/v2.0/floatingips", policy="create_floatingip", status=201)
def create_floatingip(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a floating IP that leads to a port, or to none yet."""
    return FLOATINGIP.created(call, body, _create)


@routes.get("/v2.0/floatingips/{floatingip_id}", policy="regular_user")
def show_floatingip(call: Call[Tools], floatingip_id: str) -> Answer:
    """Show a floating IP."""
    return FLOATINGIP.shown(call, _details, floatingip_id)


@routes.put("/v2.0/floatingips/{floatingip_id}", policy="regular_user")
def update_floatingip(call: Call[Tools], floatingip_id: str, body: UpdateBody) -> Answer:
    """Lead a floating IP elsewhere, or nowhere."""
    return FLOATINGIP.changed(call, call.db.write(_update, call, floatingip_id, body.floatingip))


@routes.delete("/v2.0/floatingips/{floatingip_id}", policy="regular_user", status=204)
def delete_floatingip(call: Call[Tools], floatingip_id: str) -> None:
    """Delete a floating IP and free its address."""
    call.db.write(_delete, call, floatingip_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[FloatingIpSpec]) -> list[Details]:
    made = []
    for spec in specs:
        FLOATINGIP.check_create(call, spec)
        made.append(floatingips.create_floatingip(tx, call.ctx, call.tools.settings, spec))
    return floatingips.details(tx, made)


def _details(tx: Tx, call: Call[Tools], floatingip_id: str) -> Details:
    found = floatingips.floatingip_visible(tx, call.ctx, floatingip_id)
    return floatingips.details(tx, [found])[0]


def _update(tx: Tx, call: Call[Tools], floatingip_id: str, wanted: FloatingIpChange) -> Details:
    before = _details(tx, call, floatingip_id)
    revision = FLOATINGIP.check_update(call, before, wanted)
    after = floatingips.update_floatingip(tx, call.ctx, before.floatingip, wanted, revision)
    return floatingips.details(tx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], floatingip_id: str) -> None:
    found = _details(tx, call, floatingip_id)
    FLOATINGIP.check_delete(call, found)
    floatingips.check_forwards_none(found)
    floatingip_deletion.delete_floatingip(tx, call.ctx, found.floatingip)


def _view(call: Call[Tools], found: Details) -> FloatingIpView:
    floatingip = found.floatingip
    return FloatingIpView(
        **standard(floatingip, found.tags),
        floating_network_id=floatingip.floating_network_id,
        floating_ip_address=floatingip.floating_ip_address,
        router_id=floatingip.router_id,
        port_id=floatingip.port_id,
        fixed_ip_address=floatingip.fixed_ip_address,
        status=floatingip.status,
        dns_name=floatingip.dns_name,
        dns_domain=floatingip.dns_domain,
        qos_policy_id=floatingip.qos_policy_id,
        port_details=_port_details(found),
        port_forwardings=[
            Forwarding(
                id=one.id,
                protocol=one.protocol,
                external_port=one.external_port,
                internal_port=one.internal_port,
                internal_port_id=one.internal_port_id,
                internal_ip_address=one.internal_ip_address,
            )
            for one in found.forwardings
        ],
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


FLOATINGIP: Noun[Details] = Noun(
    "floatingip", "floatingips", lambda found: found.floatingip, _view, floatingip_not_found
)
