"""/servers/{server_id}/action: createImage and createBackup, images of servers."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.compute import snapshots
from cumulo.services.compute.api.server_bodies import Metadata, Name
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.snapshot_server import (
    SNAPSHOT_SERVER,
    Rotation,
    SnapshotServer,
)
from cumulo.services.compute.workflows.snapshot_volumes import SNAPSHOT_VOLUMES, SnapshotVolumes
from cumulo.web import Call as _Call
from cumulo.web import LooseInt, Reply, Routes
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


class CreateImage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The image's name, and more that is to be said of it."""

    name: Name
    metadata: Metadata = {}


class CreateBackup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The backup's name, of which row it is, and how many of that row are kept."""

    name: Name
    backup_type: Annotated[str, Meta(min_length=1, max_length=255)]
    rotation: Annotated[LooseInt, Meta(ge=0)]
    metadata: Metadata = {}


class ImageId(msgspec.Struct):
    """The image that was made."""

    image_id: str


@routes.post(_PATH, policy="os_compute_api:servers:create_image", status=202, action="createImage")
def create_image(call: Call, server_id: str, body: CreateImage) -> Reply:
    """Make an image of a server as it is now."""
    return _answer(call, call.db.write(_create_image, call.ctx, call.tools, server_id, body))


def _create_image(tx: Tx, ctx: Context, tools: Tools, server_id: str, wanted: CreateImage) -> str:
    begun = snapshots.begin_image(tx, ctx, tools, server_id, wanted.name, wanted.metadata)
    if begun.server.image_id is not None:
        _start(tx, ctx, begun, None)
        return begun.image_id
    params = SnapshotVolumes(
        server_id=begun.server.id,
        action=begun.action,
        image_id=begun.image_id,
        snapshots=begun.snapshots,
    )
    start(tx, SNAPSHOT_VOLUMES, params, subject=begun.server.id, ctx=ctx)
    return begun.image_id


@routes.post(_PATH, policy="os_compute_api:os-create-backup", status=202, action="createBackup")
def create_backup(call: Call, server_id: str, body: CreateBackup) -> Reply:
    """Make an image of a server and delete the oldest of its kind beyond so many."""
    return _answer(call, call.db.write(_create_backup, call.ctx, call.tools, server_id, body))


def _create_backup(tx: Tx, ctx: Context, tools: Tools, server_id: str, wanted: CreateBackup) -> str:
    metadata = {**wanted.metadata, "backup_type": wanted.backup_type}
    begun = snapshots.begin_backup(tx, ctx, tools, server_id, wanted.name, metadata)
    _start(tx, ctx, begun, Rotation(wanted.backup_type, wanted.rotation))
    return begun.image_id


def _start(tx: Tx, ctx: Context, begun: snapshots.Begun, rotation: Rotation | None) -> None:
    params = SnapshotServer(
        server_id=begun.server.id,
        action=begun.action,
        image_id=begun.image_id,
        host=begun.server.host or "",
        rotation=rotation,
    )
    start(tx, SNAPSHOT_SERVER, params, subject=begun.server.id, ctx=ctx)


def _answer(call: Call, image_id: str) -> Reply:
    if call.version >= (2, 45):
        return Reply(ImageId(image_id))
    return Reply(headers={"Location": f"{call.url}/images/{image_id}"})
