"""Servers made anew from an image: what changes with it, and what may not."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.compute import new_servers, quotas, servers
from cumulo.services.compute.flavors import Flavor
from cumulo.services.compute.scheduler import schedule
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.block_devices import devices_of
from cumulo.services.compute.store.servers import Server
from cumulo.services.volume import public as volume


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is to be rebuilt from and as; `values` are columns that describe it."""

    image_id: str
    values: Mapping[str, Any] = {}
    metadata: dict[str, str] | None = None  # None: as it is
    key_name: str | None = None
    changes_key: bool = False
    reimages: bool = False  # a server's volume, if that is what it boots from
    personality: list[dict[str, str]] | None = None


def begin_rebuild(tx: Tx, ctx: Context, server_id: str, wanted: Rebuild) -> tuple[Server, int]:
    """Check all of it, change what describes the server, and record the action."""
    server, action = servers.begin(tx, ctx, server_id, "rebuild", task="rebuilding")
    if server.host is None:
        raise Conflict(
            f"Cannot 'rebuild' instance {server.id} while it is in vm_state {server.vm_state}",
            server_id=server.id,
        )
    image = new_servers.image_of(tx, ctx, wanted.image_id)
    kept = {k: v for k, v in server.flavor.items() if k in Flavor.__struct_fields__}
    flavor = Flavor(**{"row": 0, **kept})
    new_servers.check_wishes(flavor, image)
    refusal = schedule.refusal_of_image(tx, server.host, server.flavor, image.properties)
    if refusal is not None:
        raise Invalid(f"No valid host was found. {server.host}: {refusal}.", server_id=server.id)
    values: dict[str, Any] = {**wanted.values, **new_servers.image_facts(image)}
    if server.image_id is not None:
        new_servers.check_open(image)
        new_servers.check_fit(flavor, image)
    else:
        new_servers.check_memory(flavor, image)
        values |= {"image_id": None, "image": {}}
    if wanted.changes_key:
        values |= new_servers.key_facts(new_servers.key_of(tx, ctx, wanted.key_name))
    if wanted.personality is not None:
        new_servers.check_files(quotas.limits(tx, server.project_id), wanted.personality)
        values |= {"personality": wanted.personality}
        values |= {"config_drive": server.config_drive or bool(wanted.personality)}
    if wanted.metadata is not None:
        most = quotas.limits(tx, server.project_id)["metadata_items"]
        new_servers.check_limit("metadata items", len(wanted.metadata), most)
        store.metadata_set(tx, server.id, wanted.metadata, replace=True)
    store.server_update(tx, server.id, **values)
    return store.server_get(tx, server.id), action


def volume_to_reimage(tx: Tx, ctx: Context, server: Server, wanted: Rebuild) -> str | None:
    """Return the volume that a server boots from, if it has to be written anew."""
    root = next((one for one in devices_of(tx, server.id) if one.boot_index == 0), None)
    if server.image_id is not None or root is None:
        return None
    facts = volume.image_metadata(tx, ctx, root.volume_id)
    if facts.get("image_id") == wanted.image_id:
        return None  # nova, too, leaves what such a volume holds
    if not wanted.reimages:
        raise Invalid(
            "Unable to rebuild with a different image for a volume-backed server: that needs "
            "version 2.93 of the API.",
            server_id=server.id,
        )
    volume.check_image(tx, ctx, volume.volume_get(tx, root.volume_id), wanted.image_id)
    return root.volume_id


def check_ephemeral(server: Server, *, preserve: bool) -> None:
    """Refuse to keep an ephemeral disk: a guest is made anew with all of its disks."""
    if preserve and server.flavor["ephemeral_gib"]:
        raise Invalid(
            "The current driver does not support preserving ephemeral partitions.",
            field="preserve_ephemeral",
        )
