"""The words that users note with a volume."""

from typing import TypeAlias

from cumulo.kit.errors import NotFound
from cumulo.services.volume import volumes
from cumulo.services.volume.api.fields import MetaBody, MetadataBody, one_of
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL = "/v3/volumes/{volume_id}/metadata"
_ONE = "/v3/volumes/{volume_id}/metadata/{key}"


@routes.get(_ALL, policy="volume:get_volume_metadata")
def list_volume_metadata(call: Call, volume_id: str) -> MetadataBody:
    """List a volume's metadata."""
    return MetadataBody(call.db.read(volumes.metadata_of, call.ctx, volume_id))


@routes.post(_ALL, policy="volume:create_volume_metadata")
def add_volume_metadata(call: Call, volume_id: str, body: MetadataBody) -> MetadataBody:
    """Add to a volume's metadata, or change it."""
    return MetadataBody(_set(call, volume_id, body.metadata, replace=False))


@routes.put(_ALL, policy="volume:update_volume_metadata")
def replace_volume_metadata(call: Call, volume_id: str, body: MetadataBody) -> MetadataBody:
    """Replace a volume's metadata."""
    return MetadataBody(_set(call, volume_id, body.metadata, replace=True))


@routes.get(_ONE, policy="volume:get_volume_metadata")
def show_volume_metadata_item(call: Call, volume_id: str, key: str) -> MetaBody:
    """Show one key of a volume's metadata."""
    found = call.db.read(volumes.metadata_of, call.ctx, volume_id)
    if key not in found:
        raise NotFound(f"Volume {volume_id} has no metadata with key {key}.")
    return MetaBody({key: found[key]})


@routes.put(_ONE, policy="volume:update_volume_metadata")
def set_volume_metadata_item(call: Call, volume_id: str, key: str, body: MetaBody) -> MetaBody:
    """Set one key of a volume's metadata."""
    found = _set(call, volume_id, one_of(body.meta, key), replace=False)
    return MetaBody({key: found[key]})


@routes.delete(_ONE, policy="volume:delete_volume_metadata")
def delete_volume_metadata_item(call: Call, volume_id: str, key: str) -> None:
    """Remove one key of a volume's metadata."""
    call.db.write(volumes.delete_metadata, call.ctx, volume_id, key)


def _set(call: Call, volume_id: str, metadata: dict[str, str], *, replace: bool) -> dict[str, str]:
    return call.db.write(volumes.set_metadata, call.ctx, volume_id, metadata, replace=replace)
