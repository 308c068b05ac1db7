"""/servers/{server_id}/os-interface: a server's ports, plugged in and out; fixed IPs of old."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import interfaces, networking
from cumulo.services.compute.api.server_bodies import DeviceTag, Uuid
from cumulo.services.compute.api.server_requests import checked_address
from cumulo.services.compute.interfaces import Interface
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.plug_interface import (
    ATTACH_INTERFACE,
    DETACH_INTERFACE,
    PlugInterface,
)
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/os-interface"
_RULE = "os_compute_api:os-attach-interfaces"


class FixedIp(msgspec.Struct, kw_only=True):
    """An address of an interface."""

    ip_address: str
    subnet_id: str


class InterfaceView(msgspec.Struct, kw_only=True):
    """A port of a server."""

    port_id: str
    net_id: str
    port_state: str
    mac_addr: str
    fixed_ips: list[FixedIp]
    tag: Annotated[str | UnsetType | None, since("2.70")] = UNSET


class InterfaceBody(msgspec.Struct):
    """One interface."""

    interface: InterfaceView = msgspec.field(name="interfaceAttachment")


class InterfacesBody(msgspec.Struct):
    """The interfaces of a server."""

    interfaces: list[InterfaceView] = msgspec.field(name="interfaceAttachments")


class WantedIp(msgspec.Struct, forbid_unknown_fields=True):
    """An address that a client asks for."""

    ip_address: str


class WantedInterface(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A network or a port to be plugged into; neither: the network there is."""

    net_id: Uuid | None = None
    port_id: Uuid | None = None
    fixed_ips: Annotated[list[WantedIp], Meta(min_length=1, max_length=1)] | None = None
    tag: Annotated[DeviceTag | None, since("2.49")] = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an attach request."""

    interface: WantedInterface = msgspec.field(
        name="interfaceAttachment", default_factory=WantedInterface
    )


class AddFixedIp(msgspec.Struct, forbid_unknown_fields=True):
    """The network to have one more address in."""

    network_id: str | int = msgspec.field(name="networkId")


class RemoveFixedIp(msgspec.Struct, forbid_unknown_fields=True):
    """The address to lose."""

    address: str


@routes.get(_PATH, policy=f"{_RULE}:list")
def list_interfaces(call: Call, server_id: str) -> InterfacesBody:
    """List the ports of a server."""
    found = call.db.read(interfaces.list_interfaces, call.ctx, server_id)
    return InterfacesBody([_view(one) for one in found])


@routes.get(f"{_PATH}/{{port_id}}", policy=f"{_RULE}:show")
def show_interface(call: Call, server_id: str, port_id: str) -> InterfaceBody:
    """Show a port of a server."""
    return InterfaceBody(
        _view(call.db.read(interfaces.show_interface, call.ctx, server_id, port_id))
    )


@routes.post(_PATH, policy=f"{_RULE}:create")
def create_interface(call: Call, server_id: str, body: CreateBody | None) -> InterfaceBody:
    """Plug a server into one more network, whether it runs or not."""
    wanted = _wanted(body.interface if body else WantedInterface())
    port_id = call.db.write(_attach, call.ctx, call.tools, server_id, wanted)
    return show_interface(call, server_id, port_id)


def _attach(
    tx: Tx,
    ctx: Context,
    tools: Tools,
    server_id: str,
    wanted: networking.RequestedNic | None,
) -> str:
    port_id, action = interfaces.begin_attach(tx, ctx, tools, server_id, wanted)
    params = PlugInterface(server_id=server_id, action=action, port_id=port_id)
    start(tx, ATTACH_INTERFACE, params, subject=server_id, ctx=ctx)
    return port_id


@routes.delete(f"{_PATH}/{{port_id}}", policy=f"{_RULE}:delete", status=202)
def delete_interface(call: Call, server_id: str, port_id: str) -> None:
    """Unplug a server from a port; one that was made for it is deleted."""
    call.db.write(_detach, call.ctx, server_id, port_id)


def _detach(tx: Tx, ctx: Context, server_id: str, port_id: str) -> None:
    action = interfaces.begin_detach(tx, ctx, server_id, port_id)
    params = PlugInterface(server_id=server_id, action=action, port_id=port_id)
    start(tx, DETACH_INTERFACE, params, subject=server_id, ctx=ctx)


@routes.post(
    "/v2.1/servers/{server_id}/action",
    policy="os_compute_api:os-multinic:add",
    status=202,
    action="addFixedIp",
    until="2.43",
)
def add_fixed_ip(call: Call, server_id: str, body: AddFixedIp) -> None:
    """Give a server one more address in a network that it is in."""
    call.db.write(interfaces.add_address, call.ctx, call.tools, server_id, str(body.network_id))


@routes.post(
    "/v2.1/servers/{server_id}/action",
    policy="os_compute_api:os-multinic:remove",
    status=202,
    action="removeFixedIp",
    until="2.43",
)
def remove_fixed_ip(call: Call, server_id: str, body: RemoveFixedIp) -> None:
    """Take an address from a server."""
    address = checked_address("address", body.address, None) or ""
    call.db.write(interfaces.remove_address, call.ctx, call.tools, server_id, address)


def _wanted(asked: WantedInterface) -> networking.RequestedNic | None:
    """Return what is asked for; what cannot be right is refused here."""
    if asked.fixed_ips and not asked.net_id:
        raise Invalid("Must input network_id when request IP address", field="fixed_ips")
    if asked.port_id and asked.net_id:
        raise Invalid("Must not input both network_id and port_id", field="port_id")
    if not (asked.port_id or asked.net_id):
        return networking.RequestedNic(tag=asked.tag) if asked.tag else None
    address = asked.fixed_ips[0].ip_address if asked.fixed_ips else None
    return networking.RequestedNic(
        network_id=asked.net_id,
        port_id=asked.port_id,
        fixed_ip=checked_address("ip_address", address, None),
        tag=asked.tag,
    )


def _view(one: Interface) -> InterfaceView:
    port = one.port
    return InterfaceView(
        port_id=port.id,
        net_id=port.network_id,
        port_state=port.status,
        mac_addr=port.mac,
        fixed_ips=[FixedIp(ip_address=a.address, subnet_id=a.subnet_id) for a in port.addresses],
        tag=one.tag,
    )
