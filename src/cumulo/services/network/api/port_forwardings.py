"""Port forwardings of floating IPs over HTTP."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import floatingips, port_forwarding_deletion, port_forwardings
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun
from cumulo.services.network.api.requests import within
from cumulo.services.network.port_forwardings import (
    PortForwarding,
    PortForwardingChange,
    PortForwardingSpec,
)
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
_ALL = "/v2.0/floatingips/{floatingip_id}/port_forwardings"
_ONE = f"{_ALL}/{{port_forwarding_id}}"


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One port forwarding, or many at once."""

    port_forwarding: PortForwardingSpec | UnsetType = UNSET
    port_forwardings: Annotated[list[PortForwardingSpec], within("port_forwarding")] | UnsetType = (
        UNSET
    )


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    port_forwarding: PortForwardingChange


class PortForwardingView(msgspec.Struct, kw_only=True):
    """A port forwarding as clients see it."""

    id: str | UnsetType
    protocol: str | UnsetType
    external_port: int | UnsetType
    internal_port: int | UnsetType
    internal_port_id: str | UnsetType
    internal_ip_address: str | UnsetType
    description: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    revision_number: int | UnsetType


@routes.get(_ALL, policy="regular_user")
def list_port_forwardings(call: Call[Tools], floatingip_id: str) -> Answer:
    """List the ports that a floating IP forwards."""
    find = partial(port_forwardings.list_forwardings, floatingip_id=floatingip_id)
    return PORT_FORWARDING.listed(call, find)


@routes.post(_ALL, policy="regular_user", status=201)
def create_port_forwarding(call: Call[Tools], floatingip_id: str, body: CreateBody) -> Answer:
    """Let a port of a floating IP lead to a port of a guest."""
    return PORT_FORWARDING.created(call, body, partial(_create, floatingip_id=floatingip_id))


@routes.get(_ONE, policy="regular_user")
def show_port_forwarding(call: Call[Tools], floatingip_id: str, port_forwarding_id: str) -> Answer:
    """Show a port forwarding."""
    found = partial(_visible, floatingip_id=floatingip_id)
    return PORT_FORWARDING.shown(call, found, port_forwarding_id)


@routes.put(_ONE, policy="regular_user")
def update_port_forwarding(
    call: Call[Tools], floatingip_id: str, port_forwarding_id: str, body: UpdateBody
) -> Answer:
    """Forward another port, or to another."""
    wanted = body.port_forwarding
    found = call.db.write(_update, call, port_forwarding_id, floatingip_id, wanted)
    return PORT_FORWARDING.changed(call, found)


@routes.delete(_ONE, policy="regular_user", status=204)
def delete_port_forwarding(call: Call[Tools], floatingip_id: str, port_forwarding_id: str) -> None:
    """Forward a port no more."""
    call.db.write(_delete, call, port_forwarding_id, floatingip_id)


def _create(
    tx: Tx, call: Call[Tools], specs: Sequence[PortForwardingSpec], floatingip_id: str
) -> list[PortForwarding]:
    made = []
    for spec in specs:
        floatingip = floatingips.floatingip_visible(tx, call.ctx, floatingip_id)
        PORT_FORWARDING.check_create(call, spec, **_parent(floatingip.project_id))
        made.append(port_forwardings.create_forwarding(tx, call.ctx, floatingip, spec))
    return made


def _visible(tx: Tx, call: Call[Tools], forwarding_id: str, floatingip_id: str) -> PortForwarding:
    return port_forwardings.forwarding_visible(tx, call.ctx, floatingip_id, forwarding_id)


def _update(
    tx: Tx,
    call: Call[Tools],
    forwarding_id: str,
    floatingip_id: str,
    wanted: PortForwardingChange,
) -> PortForwarding:
    before = _visible(tx, call, forwarding_id, floatingip_id)
    revision = PORT_FORWARDING.check_update(call, before, wanted)
    return port_forwardings.update_forwarding(tx, call.ctx, before, wanted, revision)


def _delete(tx: Tx, call: Call[Tools], forwarding_id: str, floatingip_id: str) -> None:
    found = _visible(tx, call, forwarding_id, floatingip_id)
    PORT_FORWARDING.check_delete(call, found)
    port_forwarding_deletion.delete_forwarding(tx, call.ctx, found)


def _parent(project_id: str) -> dict[str, object]:
    return {"ext_parent:project_id": project_id}


def _view(call: Call[Tools], found: PortForwarding) -> PortForwardingView:
    return PortForwardingView(
        id=found.id,
        protocol=found.protocol,
        external_port=found.external_port,
        internal_port=found.internal_port,
        internal_port_id=found.internal_port_id,
        internal_ip_address=found.internal_ip_address,
        description=found.description,
        tenant_id=found.project_id,
        project_id=found.project_id,
        revision_number=found.revision_number,
    )


PORT_FORWARDING: Noun[PortForwarding] = Noun(
    "port_forwarding",
    "port_forwardings",
    lambda found: found,
    _view,
    port_forwardings.not_found,
    lambda found: _parent(found.project_id),
    rule="floatingip_port_forwarding",
)
