"""What groups of volumes have done, each volume by a workflow of its own."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.volume import groups
from cumulo.services.volume.groups import Group, GroupSnapshot, NewGroup
from cumulo.services.volume.new_volumes import NewVolume
from cumulo.services.volume.snapshots import NewSnapshot
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.create_snapshot import create_snapshot
from cumulo.services.volume.workflows.create_volume import create_volume
from cumulo.services.volume.workflows.delete_snapshot import remove_snapshot
from cumulo.services.volume.workflows.delete_volume import remove_volume


def create_group_from(tx: Tx, ctx: Context, tools: VolumeTools, spec: NewGroup) -> Group:
    """Make a group with a copy of each volume of another, or of a snapshot of one."""
    if spec.group_snapshot_id is not None:
        source, copies = _from_snapshot(tx, ctx, spec.group_snapshot_id)
    else:
        source = groups.group_visible(tx, ctx, spec.source_group_id or "")
        copies = [
            NewVolume(name=one.name, source_volume_id=one.id, type=one.type_id)
            for one in groups.volumes_of(tx, source.id)
        ]
    if not copies:
        raise Invalid(f"Invalid group: source group {source.id} is empty.")
    wanted = NewGroup(
        group_type=source.group_type_id,
        volume_types=source.volume_types,
        name=spec.name,
        description=spec.description,
        availability_zone=source.availability_zone,
        group_snapshot_id=spec.group_snapshot_id,
        source_group_id=spec.source_group_id,
    )
    made = groups.new_group(tx, ctx, tools.settings, wanted, status="creating")
    for copy in copies:
        volume = create_volume(tx, ctx, tools, copy)
        volume_store.volume_update(tx, volume.id, group_id=made.id)
    return made


def _from_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> tuple[Group, list[NewVolume]]:
    taken = groups.group_snapshot_visible(tx, ctx, snapshot_id)
    if taken.status != "available":
        raise Invalid(f"Invalid group snapshot: {taken.id} must be available.")
    inside = snapshot_store.snapshots_in_group(tx, taken.id)
    copies = [NewVolume(name=one.name, snapshot_id=one.id, type=one.type_id) for one in inside]
    return groups.group_visible(tx, ctx, taken.group_id), copies


def delete_group(tx: Tx, ctx: Context, group_id: str, *, with_volumes: bool) -> None:
    """Have a group deleted; it goes with its last volume."""
    for volume in groups.begin_delete(tx, ctx, group_id, with_volumes=with_volumes):
        if snapshot_store.snapshots_of(tx, volume.id):
            raise Invalid(f"Invalid group: volume {volume.id} has snapshots: delete them first.")
        volume_store.volume_update(tx, volume.id, status="deleting")
        remove_volume(tx, ctx, volume.id)


def create_group_snapshot(
    tx: Tx,
    ctx: Context,
    tools: VolumeTools,
    group_id: str,
    name: str | None,
    description: str | None,
) -> GroupSnapshot:
    """Take a snapshot of each volume of a group."""
    made, inside = groups.new_group_snapshot(tx, ctx, group_id, name, description)
    for volume in inside:
        spec = NewSnapshot(volume_id=volume.id, name=name, force=True, group_snapshot_id=made.id)
        create_snapshot(tx, ctx, tools, spec)
    return made


def delete_group_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> None:
    """Have a snapshot of a group deleted; it goes with the last snapshot in it."""
    for one in groups.begin_delete_snapshot(tx, ctx, snapshot_id):
        remove_snapshot(tx, ctx, one)
