"""/servers/{server_id}/shares: shared file systems, of which this cloud has none to attach."""

from typing import Annotated, NoReturn, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.compute import servers, states
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.api.uuids import UUID_PATTERN
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-server-shares"
_PATH = "/v2.1/servers/{server_id}/shares"


class ShareView(msgspec.Struct):
    """A share that a server has."""

    share_id: str
    status: str
    tag: str


class SharesBody(msgspec.Struct):
    """The shares that a server has."""

    shares: list[ShareView]


class ShareBody(msgspec.Struct):
    """One of them."""

    share: ShareView


class ShareSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Which share to attach, and under which name the guest finds it."""

    share_id: Annotated[str, Meta(pattern=UUID_PATTERN)]
    tag: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-zA-Z0-9-]*$")] = ""


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The share to attach."""

    share: ShareSpec


@routes.get(_PATH, policy=f"{_RULE}:index", since="2.97")
def list_shares(call: Call, server_id: str) -> SharesBody:
    """List the shares that a server has."""
    check_known(call, since=(2, 97))
    call.db.read(servers.server_visible, call.ctx, server_id)
    return SharesBody([])


@routes.post(_PATH, policy=f"{_RULE}:create", status=201, since="2.97")
def attach_share(call: Call, server_id: str, body: CreateBody) -> ShareBody:
    """Refuse to attach a share: no host of this cloud can mount one."""
    server = call.db.read(servers.server_visible, call.ctx, server_id)
    states.check("create share", server.id, server.vm_state, None)
    raise Conflict(
        "Feature not supported because either compute or instance are not configured correctly.",
        share_id=body.share.share_id,
    )


@routes.get(f"{_PATH}/{{share_id}}", policy=f"{_RULE}:show", since="2.97")
def show_share(call: Call, server_id: str, share_id: str) -> ShareBody:
    """Show a share that a server has."""
    call.db.read(servers.server_visible, call.ctx, server_id)
    _refuse(share_id)


@routes.delete(f"{_PATH}/{{share_id}}", policy=f"{_RULE}:delete", since="2.97")
def detach_share(call: Call, server_id: str, share_id: str) -> None:
    """Take a share from a server."""
    server = call.db.read(servers.server_visible, call.ctx, server_id)
    states.check("delete share", server.id, server.vm_state, None)
    _refuse(share_id)


def _refuse(share_id: str) -> NoReturn:
    raise NotFound(f"Share {share_id} could not be found.", share_id=share_id)
