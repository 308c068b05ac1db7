"""Volumes and snapshots that back ends hold already: taken in, let go, and told of before."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_id
from cumulo.services.volume import snapshots, volumes
from cumulo.services.volume.backends import backend_get
from cumulo.services.volume.drivers.base import Adopts
from cumulo.services.volume.drivers.base import Stranger as Stranger
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.items import METADATA, items_set
from cumulo.services.volume.store.snapshots import Snapshot
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import default_type, encryption_of, type_visible


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken in, and what it is to be called."""

    host: str  # the back end; of a snapshot, empty
    reference: str
    name: str | None = None
    description: str | None = None
    type: str | None = None
    availability_zone: str | None = None
    is_bootable: bool = False
    volume_id: str = ""  # of a snapshot
    metadata: dict[str, str] = {}


def strangers(tools: VolumeTools, host: str) -> list[Stranger]:
    """Return what a back end holds besides what is ours."""
    return adopting(tools, host).strangers()


def adopting(tools: VolumeTools, pool: str) -> Adopts:
    """Return the driver of a back end that may hold more than what is ours."""
    driver = tools.driver(pool)
    if not isinstance(driver, Adopts):
        raise Invalid(f"Back end {pool} holds nothing but what was made there.", field="host")
    return driver


def new_volume(tx: Tx, ctx: Context, tools: VolumeTools, wanted: Adoption) -> Volume:
    """Record a volume that is being taken in; how large it is shows then."""
    volumes.check_metadata(wanted.metadata)
    backend = backend_get(tx, wanted.host)
    adopting(tools, backend.pool)
    find = type_visible(tx, ctx, wanted.type) if wanted.type else None
    kind = find or default_type(tx, ctx, tools.settings)
    if encryption_of(tx, kind.id) is not None:
        raise Invalid(
            f"Invalid volume type: {kind.name} is encrypted: what is taken in has no key here.",
            field="volume_type",
        )
    volume = Volume(
        id=new_id(),
        project_id=ctx.project_id or "",
        user_id=ctx.user_id,
        size_gib=0,
        status="managing",
        attach_status="detached",
        availability_zone=wanted.availability_zone or backend.availability_zone,
        type_id=kind.id,
        created_at=clock.now(),
        name=wanted.name,
        description=wanted.description,
        host=backend.pool,
        is_bootable=wanted.is_bootable,
        consumes_quota=False,  # until its size is known
    )
    store.volume_insert(tx, volume)
    items_set(tx, volume.id, METADATA, wanted.metadata)
    volumes.record(tx, ctx, volume, "manage_begin", reference=wanted.reference)
    return volume


def new_snapshot(tx: Tx, ctx: Context, tools: VolumeTools, wanted: Adoption) -> Snapshot:
    """Record a snapshot that is being taken in."""
    volumes.check_metadata(wanted.metadata)
    volume = volumes.volume_visible(tx, ctx, wanted.volume_id)
    adopting(tools, volume.host or "")
    spec = snapshots.NewSnapshot(
        volume_id=volume.id,
        name=wanted.name,
        description=wanted.description,
        metadata=wanted.metadata,
    )
    snapshot = snapshots.insert(tx, ctx, volume, spec, consumes_quota=False)
    snapshots.record(tx, ctx, snapshot, "manage_begin", reference=wanted.reference)
    return snapshot


def begin_release_volume(tx: Tx, ctx: Context, tools: VolumeTools, volume_id: str) -> Volume:
    """Let a volume that nobody has be let go from now on."""
    volume = volumes.volume_visible(tx, ctx, volume_id)
    if volume.encryption_key_id is not None:
        raise Invalid("Invalid volume: Unmanaging encrypted volumes is not supported.")
    if snapshot_store.snapshots_of(tx, volume_id):
        raise Invalid(f"Invalid volume: Volume {volume_id} still has snapshots: unmanage them.")
    adopting(tools, volume.host or "")
    expected = ["available", "error", "error_managing"]
    volumes.move_or_refuse(tx, volume, "unmanaging", doing="unmanage", expected=expected)
    return volume


def begin_release_snapshot(tx: Tx, ctx: Context, tools: VolumeTools, snapshot_id: str) -> Snapshot:
    """Let a snapshot be let go from now on."""
    snapshot = snapshots.snapshot_visible(tx, ctx, snapshot_id)
    adopting(tools, store.volume_get(tx, snapshot.volume_id).host or "")
    if not snapshot_store.snapshot_move(
        tx, snapshot_id, "unmanaging", expected=["available", "error"]
    ):
        raise Invalid(
            f"Invalid snapshot: Snapshot {snapshot_id} must be available or error, but is "
            f"{snapshot.status}."
        )
    return snapshot
