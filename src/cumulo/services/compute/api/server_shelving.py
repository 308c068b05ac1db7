"""/servers/{server_id}/action: shelve, shelveOffload and unshelve."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.compute import availability_zones, servers, snapshots
from cumulo.services.compute.api.server_bodies import Name
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.offload_server import OFFLOAD_SERVER, OffloadServer
from cumulo.services.compute.workflows.shelve_server import SHELVE_SERVER, ShelveServer
from cumulo.services.compute.workflows.unshelve_server import UNSHELVE_SERVER, UnshelveServer
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


class Unshelve(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to go; an availability zone of null is any."""

    availability_zone: Annotated[Name | UnsetType | None, since("2.77")] = UNSET
    host: Annotated[Name | None, since("2.91")] = None


@routes.post(_PATH, policy="os_compute_api:os-shelve:shelve", status=202, action="shelve")
def shelve_server(call: Call, server_id: str) -> None:
    """Stop a server and keep its disk as an image, so that its host is free."""
    call.db.write(_shelve, call.ctx, call.tools, server_id)


def _shelve(tx: Tx, ctx: Context, tools: Tools, server_id: str) -> None:
    server, action = servers.begin(tx, ctx, server_id, "shelve", task="shelving")
    image_id = None
    if server.image_id is not None:  # else what its disk holds is in its volume already
        name = f"{server.name}-shelved"
        image_id = snapshots.new_image(tx, ctx, tools, server, name, {"image_type": "snapshot"})
    params = ShelveServer(
        server_id=server.id,
        action=action,
        image_id=image_id,
        host=server.host or "",
        old_vm_state=server.vm_state,
    )
    start(tx, SHELVE_SERVER, params, subject=server.id, ctx=ctx)


@routes.post(
    _PATH, policy="os_compute_api:os-shelve:shelve_offload", status=202, action="shelveOffload"
)
def shelve_offload_server(call: Call, server_id: str) -> None:
    """Let a shelved server leave its host now."""
    call.db.write(_offload, call.ctx, server_id)


def _offload(tx: Tx, ctx: Context, server_id: str) -> None:
    server, action = servers.begin(tx, ctx, server_id, "shelveOffload", task="shelving_offloading")
    params = OffloadServer(server_id=server.id, action=action, host=server.host or "")
    start(tx, OFFLOAD_SERVER, params, subject=server.id, ctx=ctx)


@routes.post(_PATH, policy="os_compute_api:os-shelve:unshelve", status=202, action="unshelve")
def unshelve_server(call: Call, server_id: str, body: Unshelve | None) -> None:
    """Let a shelved server run again."""
    wanted = body or Unshelve()
    if wanted.host is not None:
        call.ctx.require("os_compute_api:os-shelve:unshelve_to_host")
    if body is not None and call.version < (2, 77):
        raise Invalid("Invalid input for field/attribute unshelve: it must be null.")
    call.db.write(_unshelve, call, server_id, wanted)


def _unshelve(tx: Tx, call: Call, server_id: str, wanted: Unshelve) -> None:
    ctx = call.ctx
    server, action = servers.begin(tx, ctx, server_id, "unshelve", task="unshelving")
    offloaded = server.vm_state == "shelved_offloaded"
    if not offloaded and (wanted.availability_zone is not UNSET or wanted.host is not None):
        raise Conflict(
            "Server status must be SHELVED_OFFLOADED when unshelving to a host or a zone; "
            f"it is {server.vm_state}.",
            server_id=server.id,
        )
    if wanted.availability_zone is not UNSET:
        zone = wanted.availability_zone
        if isinstance(zone, str):
            availability_zones.check_zone(tx, zone, call.tools.health)
        servers.update_server(tx, ctx, server_id, {"availability_zone": zone})
    params = UnshelveServer(
        server_id=server.id, action=action, host=wanted.host, offloaded=offloaded
    )
    start(tx, UNSHELVE_SERVER, params, subject=server.id, ctx=ctx)
