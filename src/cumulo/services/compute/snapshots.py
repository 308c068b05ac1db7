"""Images made of servers: what they are called and what they say of where they come from."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.compute import servers
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.image import public as images

# What is said of an image, not of what is in it.
_NOT_INHERITED = frozenset(
    {"cache_in_nova", "bittorrent", "img_signature", "img_signature_hash_method"}
)


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A server that goes into an image, and the action that tells of it."""

    server: Server
    action: int
    image_id: str


def begin_image(
    tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str, metadata: dict[str, str]
) -> Begun:
    """Record an image that the server's disk will be copied to."""
    server, action = servers.begin(tx, ctx, server_id, "createImage", task="image_snapshot_pending")
    image_id = new_image(tx, ctx, tools, server, name, {"image_type": "snapshot", **metadata})
    return Begun(server=server, action=action, image_id=image_id)


def begin_backup(
    tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str, metadata: dict[str, str]
) -> Begun:
    """Record an image that is one of a row of backups."""
    server, action = servers.begin(tx, ctx, server_id, "createBackup", task="image_backup")
    image_id = new_image(tx, ctx, tools, server, name, {"image_type": "backup", **metadata})
    return Begun(server=server, action=action, image_id=image_id)


def new_image(
    tx: Tx, ctx: Context, tools: Tools, server: Server, name: str, metadata: dict[str, str]
) -> str:
    """Record an image without bytes for a server's disk; return its id."""
    servers.check_own_disk(server, "copy the disk of")
    if server.host is None:
        raise Conflict(f"Instance {server.id} has no disk to copy.", server_id=server.id)
    inherited = {k: v for k, v in server.image_properties.items() if k not in _NOT_INHERITED}
    own = {
        "instance_uuid": server.id,
        "user_id": server.user_id,
        "owner_id": server.project_id,
        "base_image_ref": server.image_id or "",
    }
    spec = images.ImageSpec(
        name=name,
        visibility="private",
        disk_format="qcow2",
        container_format="bare",
        min_disk=server.flavor["root_gib"],
        properties={**inherited, **own, **metadata},
    )
    return images.new_image(tx, ctx, spec, tools.image.image_limits)
