"""/manageable_volumes and /manageable_snapshots, and their older names: what back ends hold."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.volume import managing, snapshots, volumes
from cumulo.services.volume.api.fields import Metadata, Name, Uuid, stripped
from cumulo.services.volume.api.snapshots import SummaryBody, summary_of
from cumulo.services.volume.api.volume_views import Viewer, VolumeBody
from cumulo.services.volume.managing import Adoption, Stranger
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.manage import (
    manage_snapshot,
    manage_volume,
    unmanage_snapshot,
    unmanage_volume,
)
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, LooseInt, Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_VOLUMES = (("/v3/manageable_volumes", "3.8"), ("/v3/os-volume-manage", None))
_SNAPSHOTS = (("/v3/manageable_snapshots", "3.8"), ("/v3/os-snapshot-manage", None))
_LISTS = {
    "volume": "volume_extension:list_manageable",
    "snapshot": "snapshot_extension:list_manageable",
}


class VolumeSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The volume to take in, by what it is called where it lies."""

    ref: dict[str, str]
    host: Annotated[str, Meta(min_length=1, max_length=255)]
    name: Name | None = None
    description: Name | None = None
    volume_type: Name | None = None
    availability_zone: Name | None = None
    bootable: LooseBool = False
    metadata: Metadata | None = None


class SnapshotSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The snapshot to take in, of a volume that is ours."""

    ref: dict[str, str]
    volume_id: Uuid
    name: Name | None = None
    description: Name | None = None
    metadata: Metadata | None = None


class VolumeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request to take in a volume."""

    volume: VolumeSpec


class SnapshotRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request to take in a snapshot."""

    snapshot: SnapshotSpec


class StrangerView(msgspec.Struct, kw_only=True):
    """Something that could be taken in."""

    reference: dict[str, str]
    size: int
    safe_to_manage: bool = True
    source_reference: dict[str, str] | UnsetType = UNSET
    reason_not_safe: str | UnsetType | None = UNSET
    cinder_id: str | UnsetType | None = UNSET
    extra_info: str | UnsetType | None = UNSET


class VolumesBody(msgspec.Struct):
    """Volumes that could be taken in."""

    found: list[StrangerView] = msgspec.field(name="manageable-volumes")


class SnapshotsBody(msgspec.Struct):
    """Snapshots that could be taken in."""

    found: list[StrangerView] = msgspec.field(name="manageable-snapshots")


class Query(msgspec.Struct, kw_only=True):
    """Of which back end, and which page."""

    host: str = ""
    limit: Annotated[LooseInt, Meta(ge=0)] = 1000
    offset: Annotated[LooseInt, Meta(ge=0)] = 0
    marker: str | None = None
    sort: str = "size:desc"


def _found(call: Call, query: Query, *, snapshots: bool) -> list[Stranger]:
    if not query.host:
        raise Invalid("The host of which to list is missing: name it by host.", field="host")
    keys = {"size": lambda one: one.size_gib, "reference": lambda one: one.name}
    key, _, direction = query.sort.partition(":")
    if key not in keys or direction not in ("", "asc", "desc"):
        raise Invalid("Invalid sort: it is size or reference, with :asc or :desc.", field="sort")
    found = [
        one
        for one in managing.strangers(call.tools, query.host)
        if (one.volume_id is not None) == snapshots
    ]
    found.sort(key=keys[key], reverse=direction != "asc")
    if query.marker is not None:
        names = [one.name for one in found]
        if query.marker not in names:
            raise Invalid(f"marker {query.marker} is not among them.", field="marker")
        found = found[names.index(query.marker) + 1 :]
    return found[query.offset : query.offset + query.limit]


def _view(one: Stranger, *, details: bool) -> StrangerView:
    view = StrangerView(reference={"source-name": one.name}, size=one.size_gib)
    if one.volume_id is not None:
        view.source_reference = {"source-id": one.volume_id}
    if details:
        view.reason_not_safe = view.cinder_id = view.extra_info = None
    return view


def list_volumes(call: Call, query: Query) -> VolumesBody:
    """List volumes that a back end holds and that are not ours."""
    return VolumesBody([_view(one, details=False) for one in _found(call, query, snapshots=False)])


def list_volumes_with_details(call: Call, query: Query) -> VolumesBody:
    """List volumes that a back end holds and that are not ours, with all that is known."""
    return VolumesBody([_view(one, details=True) for one in _found(call, query, snapshots=False)])


def take_in_volume(call: Call, body: VolumeRequest) -> VolumeBody:
    """Take in a volume that a back end holds already."""
    spec = body.volume
    wanted = Adoption(
        host=spec.host,
        reference=_name_in(spec.ref),
        name=stripped(spec.name),
        description=stripped(spec.description),
        type=spec.volume_type,
        availability_zone=spec.availability_zone,
        is_bootable=spec.bootable,
        metadata=spec.metadata or {},
    )
    found = call.db.write(_volume, call, wanted)
    return VolumeBody(Viewer(call, found).bare(found.volumes[0]))


def _volume(tx: Tx, call: Call, wanted: Adoption) -> volumes.Whole:
    return volumes.whole(tx, [manage_volume(tx, call.ctx, call.tools, wanted)])


def list_snapshots(call: Call, query: Query) -> SnapshotsBody:
    """List snapshots of our volumes that a back end holds and that are not ours."""
    return SnapshotsBody([_view(one, details=False) for one in _found(call, query, snapshots=True)])


def list_snapshots_with_details(call: Call, query: Query) -> SnapshotsBody:
    """List snapshots of our volumes that are not ours, with all that is known."""
    return SnapshotsBody([_view(one, details=True) for one in _found(call, query, snapshots=True)])


def take_in_snapshot(call: Call, body: SnapshotRequest) -> SummaryBody:
    """Take in a snapshot that a back end holds already."""
    spec = body.snapshot
    wanted = Adoption(
        host="",
        volume_id=spec.volume_id,
        reference=_name_in(spec.ref),
        name=stripped(spec.name),
        description=stripped(spec.description),
        metadata=spec.metadata or {},
    )
    return summary_of(call.db.write(_snapshot, call, wanted))


def _snapshot(tx: Tx, call: Call, wanted: Adoption) -> snapshots.Whole:
    made = manage_snapshot(tx, call.ctx, call.tools, wanted)
    return snapshots.show(tx, call.ctx, made.id)


def _name_in(reference: dict[str, str]) -> str:
    name = reference.get("source-name")
    if not name or len(name) > 255:
        raise Invalid("Reference must contain source-name, as lists of them show it.", field="ref")
    return name


@routes.post(
    "/v3/volumes/{volume_id}/action",
    policy="volume_extension:volume_unmanage",
    status=202,
    action="os-unmanage",
)
def let_volume_go(call: Call, volume_id: str) -> None:
    """Forget a volume, and leave its bytes in the back end."""
    call.db.write(unmanage_volume, call.ctx, call.tools, volume_id)


@routes.post(
    "/v3/snapshots/{snapshot_id}/action",
    policy="snapshot_extension:snapshot_unmanage",
    status=202,
    action="os-unmanage",
)
def let_snapshot_go(call: Call, snapshot_id: str) -> None:
    """Forget a snapshot, and leave what it kept in the back end."""
    call.db.write(unmanage_snapshot, call.ctx, call.tools, snapshot_id)


def _route(path: str, since: str | None, noun: str, run: dict[str, Any]) -> None:
    kind = "volume_extension:volume" if noun == "volume" else "snapshot_extension:snapshot"
    routes.get(path, policy=_LISTS[noun], since=since)(run["list"])
    routes.get(f"{path}/detail", policy=_LISTS[noun], since=since)(run["detail"])
    routes.post(path, policy=f"{kind}_manage", status=202, since=since)(run["take_in"])


for _path, _since in _VOLUMES:
    _runs = {"list": list_volumes, "detail": list_volumes_with_details, "take_in": take_in_volume}
    _route(_path, _since, "volume", _runs)
for _path, _since in _SNAPSHOTS:
    _runs = {
        "list": list_snapshots,
        "detail": list_snapshots_with_details,
        "take_in": take_in_snapshot,
    }
    _route(_path, _since, "snapshot", _runs)
