"""/servers/{server_id}/action: rebuild, a server made anew from an image."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.compute import new_servers, rebuilds, servers
from cumulo.services.compute.api.server_bodies import (
    Description,
    FileWish,
    Hostname,
    Metadata,
    Name,
    Uuid,
)
from cumulo.services.compute.api.server_changes import BriefRebuiltView, brief_rebuilt
from cumulo.services.compute.api.server_requests import (
    checked_address,
    checked_file,
    checked_hostname,
    checked_name,
    checked_user_data,
)
from cumulo.services.compute.api.server_views import ServerView, Shower
from cumulo.services.compute.rebuilds import Rebuild
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.rebuild_server import REBUILD_SERVER, RebuildServer
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Reply, Routes, since, until
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()


class RebuildSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client says about the server made anew; what is left out stays."""

    image_ref: Uuid = msgspec.field(name="imageRef")
    name: Name | UnsetType = UNSET
    admin_pass: str | None = msgspec.field(name="adminPass", default=None)
    metadata: Metadata | None = None
    preserve_ephemeral: LooseBool = False
    access_ip_v4: str | UnsetType | None = msgspec.field(name="accessIPv4", default=UNSET)
    access_ip_v6: str | UnsetType | None = msgspec.field(name="accessIPv6", default=UNSET)
    disk_config: Literal["AUTO", "MANUAL"] | UnsetType = msgspec.field(
        name="OS-DCF:diskConfig", default=UNSET
    )
    personality: Annotated[list[FileWish] | None, until("2.56")] = None
    description: Annotated[Description | UnsetType | None, since("2.19")] = UNSET
    key_name: Annotated[Name | UnsetType | None, since("2.54")] = UNSET
    user_data: Annotated[str | UnsetType | None, since("2.57")] = UNSET
    trusted_image_certificates: Annotated[None, since("2.63")] = None
    hostname: Annotated[Hostname | UnsetType, since("2.90")] = UNSET


class RebuiltView(ServerView, kw_only=True):
    """A server with its new password."""

    plain_user_data: str | None = msgspec.field(name="user_data")
    admin_pass: str = msgspec.field(name="adminPass")


class RebuiltBody(msgspec.Struct):
    """The answer to a rebuild."""

    server: RebuiltView


class BriefRebuiltBody(msgspec.Struct):
    """The answer to a rebuild before 2.75."""

    server: BriefRebuiltView


@routes.post(
    "/v2.1/servers/{server_id}/action",
    policy="os_compute_api:servers:rebuild",
    status=202,
    action="rebuild",
)
def rebuild_server(call: Call, server_id: str, body: RebuildSpec) -> Reply:
    """Make a server anew from an image; its ports, its place and its id remain."""
    wanted = _wanted(call, body)
    password = new_servers.admin_password(body.admin_pass)
    call.db.write(_rebuild, call.ctx, server_id, wanted, (password, body.preserve_ephemeral))
    seen = call.db.read(servers.see, call.ctx, server_id, call.tools.health)
    full, user_data = Shower(call).full(seen), seen.server.user_data
    headers = {"Location": full.links[0].href}
    if call.version < (2, 75):
        brief = brief_rebuilt(full, user_data, password)
        return Reply(BriefRebuiltBody(brief), headers=headers)
    shown = {**msgspec.structs.asdict(full), "user_data": UNSET}
    view = RebuiltView(**shown, plain_user_data=user_data, admin_pass=password)
    return Reply(RebuiltBody(view), headers=headers)


def _rebuild(tx: Tx, ctx: Context, server_id: str, wanted: Rebuild, how: tuple[str, bool]) -> None:
    before = servers.server_visible(tx, ctx, server_id)
    password, preserve = how
    rebuilds.check_ephemeral(before, preserve=preserve)
    volume_id = rebuilds.volume_to_reimage(tx, ctx, before, wanted)
    server, action = rebuilds.begin_rebuild(tx, ctx, server_id, wanted)
    params = RebuildServer(
        server_id=server.id,
        action=action,
        host=server.host or "",
        stopped=before.vm_state == "stopped",
        admin_pass=password if server.config_drive else None,
        volume_id=volume_id,
        image_id=wanted.image_id if volume_id is not None else None,
    )
    start(tx, REBUILD_SERVER, params, subject=server.id, ctx=ctx)


def _wanted(call: Call, spec: RebuildSpec) -> Rebuild:
    values: dict[str, Any] = {}
    if spec.name is not UNSET:
        values["name"] = checked_name(str(spec.name))
    if spec.access_ip_v4 is not UNSET:
        values["access_ip_v4"] = checked_address("accessIPv4", spec.access_ip_v4, 4)
    if spec.access_ip_v6 is not UNSET:
        values["access_ip_v6"] = checked_address("accessIPv6", spec.access_ip_v6, 6)
    if spec.disk_config is not UNSET:
        values["disk_config"] = spec.disk_config
    if spec.description is not UNSET:
        values["description"] = spec.description
    if isinstance(spec.hostname, str):
        values["hostname"] = checked_hostname(call, spec.hostname)
    if spec.user_data is not UNSET:
        values["user_data"] = checked_user_data(spec.user_data or None)
    files = spec.personality
    return Rebuild(
        image_id=spec.image_ref,
        values=values,
        metadata=spec.metadata,
        key_name=spec.key_name if isinstance(spec.key_name, str) else None,
        changes_key=spec.key_name is not UNSET,
        reimages=call.version >= (2, 93),
        personality=None if files is None else [checked_file(f.path, f.contents) for f in files],
    )
