"""/servers/{server_id}/action: rescue and unrescue."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.compute import new_servers, servers
from cumulo.services.compute.api.server_bodies import Uuid
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.rescue_server import (
    RESCUE_SERVER,
    UNRESCUE_SERVER,
    Facts,
    RescueServer,
)
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


class Rescue(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The image to start from, by default the server's own, and its password."""

    admin_pass: Annotated[str, Meta(min_length=1)] | None = msgspec.field(
        name="adminPass", default=None
    )
    image: Uuid | None = msgspec.field(name="rescue_image_ref", default=None)


class Password(msgspec.Struct):
    """The password of the rescue system."""

    admin_pass: str = msgspec.field(name="adminPass")


@routes.post(_PATH, policy="os_compute_api:os-rescue", action="rescue")
def rescue_server(call: Call, server_id: str, body: Rescue | None) -> Reply:
    """Start a server from another image, with its own disk to be mended."""
    wanted = body or Rescue()
    password = new_servers.admin_password(wanted.admin_pass)
    call.db.write(_rescue, call, server_id, wanted.image, password)
    return Reply(Password(password))


def _rescue(tx: Tx, call: Call, server_id: str, image_id: str | None, password: str) -> None:
    ctx = call.ctx
    server, action = servers.begin(tx, ctx, server_id, "rescue", task="rescuing")
    facts, properties = server.image, {}
    if image_id is not None:
        image = new_servers.image_of(tx, ctx, image_id)
        facts, properties = msgspec.structs.asdict(image), image.properties
    if server.image_id is None:
        _check_stable(call, server.id, properties)
    if server.host is None:
        raise Conflict(f"Instance {server.id} is on no host.", server_id=server.id)
    params = RescueServer(
        server_id=server.id,
        action=action,
        host=server.host,
        old_vm_state=server.vm_state,
        image_id=image_id or server.image_id,
        image=Facts(facts["disk_format"], facts["size"], facts["virtual_size"]),
        admin_pass=password if server.config_drive else None,
    )
    start(tx, RESCUE_SERVER, params, subject=server.id, ctx=ctx)


def _check_stable(call: Call, server_id: str, properties: Mapping[str, str]) -> None:
    """Refuse to rescue a server on a volume, unless its disks stay where they are."""
    is_stable = "hw_rescue_bus" in properties or "hw_rescue_device" in properties
    if call.version < (2, 87) or not is_stable:
        raise Invalid(
            f"Instance {server_id} cannot be rescued: Cannot rescue a volume-backed instance: that "
            "needs version 2.87 of the API and an image with hw_rescue_device or hw_rescue_bus.",
            server_id=server_id,
        )


@routes.post(_PATH, policy="os_compute_api:os-unrescue", status=202, action="unrescue")
def unrescue_server(call: Call, server_id: str) -> None:
    """Start a rescued server from its own disk again."""
    call.db.write(_unrescue, call.ctx, server_id)


def _unrescue(tx: Tx, ctx: Context, server_id: str) -> None:
    server, action = servers.begin(tx, ctx, server_id, "unrescue", task="unrescuing")
    params = RescueServer(
        server_id=server.id, action=action, host=server.host or "", old_vm_state="rescued"
    )
    start(tx, UNRESCUE_SERVER, params, subject=server.id, ctx=ctx)
