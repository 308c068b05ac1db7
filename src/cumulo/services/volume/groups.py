"""Groups of volumes, and snapshots of them.

A group that is being deleted goes with its last volume, and a snapshot of a group with the last
snapshot in it: `volumes.forget` and `snapshots.forget` call here.
"""

from collections.abc import Collection, Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.volume import group_types, quotas
from cumulo.services.volume.settings import VolumeSettings
from cumulo.services.volume.store import groups as store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import volumes as volume_store
from cumulo.services.volume.store.groups import Group as Group
from cumulo.services.volume.store.groups import GroupSnapshot as GroupSnapshot
from cumulo.services.volume.store.listing import Wanted
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.volume_types import type_visible
from cumulo.work import Caller, events

_STATUSES = ("available", "creating", "deleting", "error", "error_deleting", "updating")


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The group somebody wants."""

    group_type: str
    volume_types: list[str]
    name: str | None = None
    description: str | None = None
    availability_zone: str | None = None
    group_snapshot_id: str | None = None
    source_group_id: str | None = None


def group_visible(tx: Tx, ctx: Context, group_id: str) -> Group:
    """Return a group the caller may know of; to anyone else it does not exist."""
    group = store.group_find(tx, group_id)
    if group is None or (group.project_id != ctx.project_id and not ctx.is_admin):
        raise NotFound(f"Group {group_id} could not be found.", group_id=group_id)
    return group


def group_snapshot_visible(tx: Tx, ctx: Context, snapshot_id: str) -> GroupSnapshot:
    """Return a snapshot of a group the caller may know of."""
    found = store.group_snapshot_find(tx, snapshot_id)
    if found is None or (found.project_id != ctx.project_id and not ctx.is_admin):
        raise NotFound(f"GroupSnapshot {snapshot_id} could not be found.")
    return found


def list_groups(tx: Tx, wanted: Wanted) -> list[Group]:
    """Return a page of groups."""
    return store.group_list(tx, wanted)


def list_group_snapshots(tx: Tx, wanted: Wanted) -> list[GroupSnapshot]:
    """Return a page of snapshots of groups."""
    return store.group_snapshot_list(tx, wanted)


def volumes_of(tx: Tx, group_id: str) -> list[Volume]:
    """Return a group's volumes."""
    return volume_store.volumes_in_group(tx, group_id)


def new_group(
    tx: Tx, ctx: Context, settings: VolumeSettings, spec: NewGroup, *, status: str = "available"
) -> Group:
    """Record a group of the caller's project, and count it."""
    if ctx.project_id is None:
        raise Invalid("A group belongs to a project; use a token of one.")
    kind = group_types.type_visible(tx, ctx, spec.group_type)
    if not spec.volume_types:
        raise Invalid("volume_types must be provided to create group.", field="volume_types")
    types = [type_visible(tx, ctx, one).id for one in spec.volume_types]
    quotas.claim(tx, settings.quota, ctx.project_id, {"groups": 1})
    group = Group(
        id=new_id(),
        project_id=ctx.project_id,
        user_id=ctx.user_id,
        name=spec.name,
        description=spec.description,
        status=status,
        availability_zone=spec.availability_zone or settings.default_availability_zone,
        group_type_id=kind.id,
        volume_types=types,
        group_snapshot_id=spec.group_snapshot_id,
        source_group_id=spec.source_group_id,
        created_at=clock.now(),
    )
    store.group_insert(tx, group)
    _record(tx, ctx, group, "create")
    return group


def update_group(
    tx: Tx,
    ctx: Context,
    group_id: str,
    changes: dict[str, object],
    *,
    add: Sequence[str],
    remove: Sequence[str],
) -> None:
    """Change name or description, and which volumes are in the group."""
    group = group_visible(tx, ctx, group_id)
    if group.status != "available":
        raise Invalid(f"Invalid group: Group {group_id} status must be available.")
    for volume_id in remove:
        _check_member(tx, group, volume_id)
        volume_store.volume_update(tx, volume_id, group_id=None)
    for volume_id in add:
        _check_new_member(tx, group, volume_id)
        volume_store.volume_update(tx, volume_id, group_id=group_id)
    store.group_update(tx, group_id, **changes)
    _record(tx, ctx, group, "update")


def _check_member(tx: Tx, group: Group, volume_id: str) -> None:
    volume = volume_store.volume_find(tx, volume_id)
    if volume is None or volume.group_id != group.id:
        raise Invalid(
            f"Invalid volume: Cannot remove volume {volume_id} from group {group.id} because it "
            "is not in the group."
        )


def _check_new_member(tx: Tx, group: Group, volume_id: str) -> None:
    volume = volume_store.volume_find(tx, volume_id)
    reason = None
    if volume is None or volume.project_id != group.project_id:
        reason = "volume cannot be found"
    elif volume.group_id is not None:
        reason = f"it is already in group {volume.group_id}"
    elif volume.type_id not in group.volume_types:
        reason = "its volume type is not supported by the group"
    elif volume.status not in ("available", "in-use"):
        reason = f"it is {volume.status}"
    if reason is not None:
        raise Invalid(
            f"Invalid volume: Cannot add volume {volume_id} to group {group.id} because {reason}."
        )


def check_placed(tx: Tx, ctx: Context, group_id: str, type_id: str) -> None:
    """Refuse to make a volume of a type that its group does not take."""
    group = group_visible(tx, ctx, group_id)
    if type_id not in group.volume_types:
        raise Invalid(f"Invalid volume type: group {group_id} does not take volumes of it.")


def begin_delete(tx: Tx, ctx: Context, group_id: str, *, with_volumes: bool) -> list[Volume]:
    """Let a group be deleted; return the volumes that are to go with it."""
    group = group_visible(tx, ctx, group_id)
    found = volumes_of(tx, group_id)
    if store.group_snapshots_of(tx, group_id):
        raise Invalid(f"Invalid group: Group {group_id} still has dependent group snapshots.")
    if found and not with_volumes:
        raise Invalid(
            f"Invalid group: Group {group_id} still contains volumes. The delete-volumes flag is "
            "required to delete it."
        )
    if any(one.attach_status == "attached" for one in found):
        raise Invalid(f"Invalid group: a volume in group {group_id} is attached: detach it first.")
    expected = ["available", "error", "error_deleting"]
    if not store.group_move(tx, group_id, "deleting", expected=expected):
        raise Invalid(f"Invalid group: Group status must be available or error: {group.status}.")
    _record(tx, ctx, group, "delete_begin")
    if not found:
        settle(tx, ctx, group_id)
    return found


def settle(tx: Tx, caller: Caller, group_id: str | None) -> None:
    """Let a group's status follow from its volumes: all made, all gone, or some that failed."""
    group = store.group_find(tx, group_id) if group_id is not None else None
    if group is None:
        return
    inside = {one.status for one in volumes_of(tx, group.id)}
    if group.status == "deleting" and not inside:
        store.group_delete(tx, group.id)
        quotas.release(tx, group.project_id, {"groups": 1})
        _record(tx, caller, group, "delete")
    elif group.status == "deleting" and "deleting" not in inside:
        store.group_move(tx, group.id, "error_deleting", expected=["deleting"])
    elif group.status == "creating" and not inside & {"creating", "downloading"}:
        to = "error" if "error" in inside else "available"
        store.group_move(tx, group.id, to, expected=["creating"])


def new_group_snapshot(
    tx: Tx, ctx: Context, group_id: str, name: str | None, description: str | None
) -> tuple[GroupSnapshot, list[Volume]]:
    """Record a snapshot of a group; return it with the volumes to be taken."""
    group = group_visible(tx, ctx, group_id)
    found = volumes_of(tx, group_id)
    if not found:
        raise Invalid(f"Invalid group: Source group {group_id} is empty: it needs volumes.")
    made = GroupSnapshot(
        id=new_id(),
        group_id=group_id,
        group_type_id=group.group_type_id,
        project_id=group.project_id,
        user_id=ctx.user_id,
        name=name,
        description=description,
        status="creating",
        created_at=clock.now(),
    )
    store.group_snapshot_insert(tx, made)
    return made, found


def begin_delete_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> list[str]:
    """Let a snapshot of a group be deleted; return the snapshots that go with it."""
    found = group_snapshot_visible(tx, ctx, snapshot_id)
    if found.status not in ("available", "error", "error_deleting"):
        raise Invalid(
            f"Invalid group snapshot: GroupSnapshot status must be available or error, but is "
            f"{found.status}."
        )
    store.group_snapshot_update(tx, snapshot_id, "deleting")
    inside = snapshot_store.snapshots_in_group(tx, snapshot_id)
    for one in inside:
        snapshot_store.snapshot_update(tx, one.id, status="deleting")
    if not inside:
        store.group_snapshot_delete(tx, snapshot_id)
    return [one.id for one in inside]


def settle_snapshot(tx: Tx, snapshot_id: str | None) -> None:
    """Let the status of a snapshot of a group follow from what is in it."""
    found = store.group_snapshot_find(tx, snapshot_id) if snapshot_id is not None else None
    if found is None:
        return
    inside = [one.status for one in snapshot_store.snapshots_in_group(tx, found.id)]
    if not inside and found.status == "deleting":
        store.group_snapshot_delete(tx, found.id)
    elif found.status == "creating" and "creating" not in inside:
        status = "error" if "error" in inside else "available"
        store.group_snapshot_update(tx, found.id, status)
    elif found.status == "deleting" and "error_deleting" in inside:
        store.group_snapshot_update(tx, found.id, "error_deleting")


def reset_status(tx: Tx, ctx: Context, group_id: str, status: str) -> None:
    """Let an administrator say what a group's status is, whatever it was."""
    group = group_visible(tx, ctx, group_id)
    _check_status(status, _STATUSES)
    store.group_update(tx, group_id, status=status)
    _record(tx, ctx, group, "reset_status")


def reset_snapshot_status(tx: Tx, ctx: Context, snapshot_id: str, status: str) -> None:
    """The same of a snapshot of a group."""
    group_snapshot_visible(tx, ctx, snapshot_id)
    _check_status(status, _STATUSES)
    store.group_snapshot_update(tx, snapshot_id, status)


def _check_status(status: str, allowed: Collection[str]) -> None:
    if status not in allowed:
        raise Invalid(
            f"Invalid input for field/attribute status: '{status[:40]}' is not one of "
            f"{', '.join(sorted(allowed))}.",
            field="status",
        )


def _record(tx: Tx, caller: Caller, group: Group, action: str) -> None:
    events.record(
        tx,
        caller,
        resource="volume_group",
        resource_id=group.id,
        action=action,
        before={"status": group.status},
        project_id=group.project_id,
    )
