"""/os-floating-ips and the actions addFloatingIp and removeFloatingIp, for old clients."""

from typing import TypeAlias

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.compute import floating_ips
from cumulo.services.compute.api.server_bodies import Ip4
from cumulo.services.compute.api.uuids import is_uuid
from cumulo.services.compute.floating_ips import FloatingIp
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_ALL, _ONE = "/v2.1/os-floating-ips", "/v2.1/os-floating-ips/{floating_ip_id}"
_ACTION = "/v2.1/servers/{server_id}/action"
_RULE = "os_compute_api:os-floating-ips"


class FloatingIpView(msgspec.Struct, kw_only=True):
    """A floating IP."""

    id: str
    ip: str
    fixed_ip: str | None
    instance_id: str | None
    pool: str


class FloatingIpBody(msgspec.Struct):
    """One floating IP."""

    floating_ip: FloatingIpView


class FloatingIpsBody(msgspec.Struct):
    """Floating IPs."""

    floating_ips: list[FloatingIpView]


class PoolChoice(msgspec.Struct):
    """The external network that the address is to be of; none: any."""

    pool: str | None = None


class AddFloatingIp(msgspec.Struct, forbid_unknown_fields=True):
    """Which floating IP is to lead here, and to which address."""

    address: Ip4
    fixed_address: Ip4 | None = None


class RemoveFloatingIp(msgspec.Struct, forbid_unknown_fields=True):
    """Which floating IP is not to lead here any more."""

    address: Ip4


@routes.get(_ALL, policy=f"{_RULE}:list", until="2.35")
def list_floating_ips(call: Call) -> FloatingIpsBody:
    """List the floating IPs of the project."""
    found = call.db.read(floating_ips.list_floating_ips, call.ctx)
    return FloatingIpsBody([_view(one) for one in found])


@routes.post(_ALL, policy=f"{_RULE}:create", until="2.35")
def create_floating_ip(call: Call, body: PoolChoice | None) -> FloatingIpBody:
    """Take a floating IP from a pool."""
    pool = body.pool if body else None
    return FloatingIpBody(_view(call.db.write(floating_ips.allocate, call.ctx, call.tools, pool)))


@routes.get(_ONE, policy=f"{_RULE}:show", until="2.35")
def show_floating_ip(call: Call, floating_ip_id: str) -> FloatingIpBody:
    """Show a floating IP."""
    _check_id(floating_ip_id)
    return FloatingIpBody(
        _view(call.db.read(floating_ips.show_floating_ip, call.ctx, floating_ip_id))
    )


@routes.delete(_ONE, policy=f"{_RULE}:delete", status=202, until="2.35")
def delete_floating_ip(call: Call, floating_ip_id: str) -> None:
    """Give a floating IP back, wherever it leads."""
    _check_id(floating_ip_id)
    call.db.write(floating_ips.release, call.ctx, floating_ip_id)


@routes.post(_ACTION, policy=f"{_RULE}:add", status=202, until="2.43", action="addFloatingIp")
def add_floating_ip(call: Call, server_id: str, body: AddFloatingIp) -> None:
    """Let a floating IP lead to a server."""
    fixed = body.fixed_address
    call.db.write(floating_ips.add_floating_ip, call.ctx, server_id, body.address, fixed)


@routes.post(_ACTION, policy=f"{_RULE}:remove", status=202, until="2.43", action="removeFloatingIp")
def remove_floating_ip(call: Call, server_id: str, body: RemoveFloatingIp) -> None:
    """Let a floating IP lead to a server no more."""
    call.db.write(floating_ips.remove_floating_ip, call.ctx, server_id, body.address)


def _check_id(text: str) -> None:
    if not is_uuid(text):
        raise Invalid(f"Invalid ID received {text}.", field="id")


def _view(found: FloatingIp) -> FloatingIpView:
    return FloatingIpView(
        id=found.id,
        ip=found.address,
        fixed_ip=found.fixed_ip,
        instance_id=found.server_id,
        pool=found.pool,
    )
