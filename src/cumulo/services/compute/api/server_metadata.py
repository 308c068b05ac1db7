"""/servers/{server_id}/metadata: what users note with their servers."""

from typing import TypeAlias

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import server_metadata
from cumulo.services.compute.api.server_bodies import Metadata
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_ALL = "/v2.1/servers/{server_id}/metadata"
_ONE = "/v2.1/servers/{server_id}/metadata/{key}"


class MetadataBody(msgspec.Struct, forbid_unknown_fields=True):
    """All items."""

    metadata: Metadata


class MetaBody(msgspec.Struct, forbid_unknown_fields=True):
    """One item."""

    meta: Metadata


@routes.get(_ALL, policy="os_compute_api:server-metadata:index")
def list_metadata(call: Call, server_id: str) -> MetadataBody:
    """List the metadata of a server."""
    return MetadataBody(call.db.read(server_metadata.get_all, call.ctx, server_id))


@routes.post(_ALL, policy="os_compute_api:server-metadata:create")
def add_metadata(call: Call, server_id: str, body: MetadataBody) -> MetadataBody:
    """Add metadata items, or change those that are there."""
    return MetadataBody(call.db.write(_change, call.ctx, server_id, body.metadata, False))


@routes.put(_ALL, policy="os_compute_api:server-metadata:update_all")
def replace_metadata(call: Call, server_id: str, body: MetadataBody) -> MetadataBody:
    """Replace all metadata items."""
    return MetadataBody(call.db.write(_change, call.ctx, server_id, body.metadata, True))


@routes.get(_ONE, policy="os_compute_api:server-metadata:show")
def show_metadata(call: Call, server_id: str, key: str) -> MetaBody:
    """Show one metadata item."""
    return MetaBody(call.db.read(server_metadata.get_one, call.ctx, server_id, key))


@routes.put(_ONE, policy="os_compute_api:server-metadata:update")
def set_metadata(call: Call, server_id: str, key: str, body: MetaBody) -> MetaBody:
    """Set one metadata item."""
    if len(body.meta) != 1 or key not in body.meta:
        raise Invalid("Request body and URI mismatch: meta must hold the key of the address only.")
    call.db.write(_change, call.ctx, server_id, body.meta, False)
    return body


def _change(
    tx: Tx, ctx: Context, server_id: str, items: dict[str, str], replace: bool
) -> dict[str, str]:
    return server_metadata.change(tx, ctx, server_id, items, replace=replace)


@routes.delete(_ONE, policy="os_compute_api:server-metadata:delete", status=204)
def delete_metadata(call: Call, server_id: str, key: str) -> None:
    """Remove one metadata item."""
    call.db.write(server_metadata.remove, call.ctx, server_id, key)
