"""The words that users note with a snapshot."""

from typing import TypeAlias

from cumulo.kit.errors import NotFound
from cumulo.services.volume import snapshots
from cumulo.services.volume.api.fields import MetaBody, MetadataBody, one_of
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL = "/v3/snapshots/{snapshot_id}/metadata"
_ONE = "/v3/snapshots/{snapshot_id}/metadata/{key}"


@routes.get(_ALL, policy="volume:get_snapshot_metadata")
def list_snapshot_metadata(call: Call, snapshot_id: str) -> MetadataBody:
    """List a snapshot's metadata."""
    return MetadataBody(call.db.read(snapshots.metadata_of, call.ctx, snapshot_id))


@routes.post(_ALL, policy="volume:update_snapshot_metadata")
def add_snapshot_metadata(call: Call, snapshot_id: str, body: MetadataBody) -> MetadataBody:
    """Add to a snapshot's metadata, or change it."""
    return MetadataBody(_set(call, snapshot_id, body.metadata, replace=False))


@routes.put(_ALL, policy="volume:update_snapshot_metadata")
def replace_snapshot_metadata(call: Call, snapshot_id: str, body: MetadataBody) -> MetadataBody:
    """Replace a snapshot's metadata."""
    return MetadataBody(_set(call, snapshot_id, body.metadata, replace=True))


@routes.get(_ONE, policy="volume:get_snapshot_metadata")
def show_snapshot_metadata_item(call: Call, snapshot_id: str, key: str) -> MetaBody:
    """Show one key of a snapshot's metadata."""
    found = call.db.read(snapshots.metadata_of, call.ctx, snapshot_id)
    if key not in found:
        raise NotFound(f"Snapshot {snapshot_id} has no metadata with key {key}.")
    return MetaBody({key: found[key]})


@routes.put(_ONE, policy="volume:update_snapshot_metadata")
def set_snapshot_metadata_item(call: Call, snapshot_id: str, key: str, body: MetaBody) -> MetaBody:
    """Set one key of a snapshot's metadata."""
    found = _set(call, snapshot_id, one_of(body.meta, key), replace=False)
    return MetaBody({key: found[key]})


@routes.delete(_ONE, policy="volume:delete_snapshot_metadata")
def delete_snapshot_metadata_item(call: Call, snapshot_id: str, key: str) -> None:
    """Remove one key of a snapshot's metadata."""
    call.db.write(snapshots.delete_metadata, call.ctx, snapshot_id, key)


def _set(
    call: Call, snapshot_id: str, metadata: dict[str, str], *, replace: bool
) -> dict[str, str]:
    return call.db.write(snapshots.set_metadata, call.ctx, snapshot_id, metadata, replace=replace)
