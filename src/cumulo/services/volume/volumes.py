"""Volumes: who may know of them, what may be done with them in which status."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.volume import groups, keys, quotas
from cumulo.services.volume.store import attachments as attachment_store
from cumulo.services.volume.store import backends as backend_store
from cumulo.services.volume.store import snapshots as snapshot_store
from cumulo.services.volume.store import tables
from cumulo.services.volume.store import types as type_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.attachments import Attachment as Attachment
from cumulo.services.volume.store.items import (
    IMAGE,
    METADATA,
    items_delete,
    items_forget,
    items_map,
    items_of,
    items_set,
)
from cumulo.services.volume.store.listing import Wanted as Wanted
from cumulo.services.volume.store.snapshots import Snapshot
from cumulo.services.volume.store.volumes import Volume as Volume
from cumulo.services.volume.store.volumes import volume_find as volume_find
from cumulo.services.volume.store.volumes import volume_get as volume_get
from cumulo.work import Caller, events

DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
_STATUSES = (
    *DELETABLE,
    "creating",
    "deleting",
    "error_deleting",
    "attaching",
    "detaching",
    "reserved",
    "in-use",
    "maintenance",
)
_ATTACH_STATUSES = ("attached", "detached")
_MIGRATION_STATUSES = ("migrating", "error", "success", "completing", "none", "starting")
_NOT_MIGRATING = (None, "deleting", "error", "success")


class Whole(msgspec.Struct, frozen=True):
    """Volumes with all that is shown of them."""

    volumes: list[Volume]
    attachments: Mapping[str, list[Attachment]]
    items: Mapping[tuple[str, str], dict[str, str]]
    types: Mapping[str, str]  # names, by id


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator says a volume's status is."""

    status: str | None = None
    attach_status: str | None = None
    migration_status: str | None = None


def volume_visible(tx: Tx, ctx: Context, volume_id: str) -> Volume:
    """Return a volume the caller may know of; to anyone else it does not exist."""
    volume = store.volume_get(tx, volume_id)
    if volume.project_id == ctx.project_id or ctx.is_admin:
        return volume
    raise NotFound(f"Volume {volume_id} could not be found.", volume_id=volume_id)


def whole(tx: Tx, volumes: Sequence[Volume]) -> Whole:
    """Return volumes with all that is shown of them, read in three statements."""
    ids = [volume.id for volume in volumes]
    attachments = attachment_store.attachments_map(tx, ids)
    return Whole(list(volumes), attachments, items_map(tx, ids), type_store.type_names(tx))


def whole_new(tx: Tx, volume: Volume, metadata: dict[str, str]) -> Whole:
    """Return a volume that this transaction made, as its creation answers; nobody has it yet."""
    return Whole([volume], {}, {(volume.id, METADATA): metadata}, type_store.type_names(tx))


def show(tx: Tx, ctx: Context, volume_id: str) -> Whole:
    """Return one volume with all that is shown of it."""
    return whole(tx, [volume_visible(tx, ctx, volume_id)])


def list_volumes(tx: Tx, wanted: Wanted) -> list[Volume]:
    """Return a page of volumes."""
    return store.volume_list(tx, wanted)


def list_whole(tx: Tx, wanted: Wanted) -> Whole:
    """Return a page of volumes with all that is shown of them."""
    return whole(tx, store.volume_list(tx, wanted))


def count_volumes(tx: Tx, wanted: Wanted) -> int:
    """Return how many volumes all pages hold."""
    return store.volume_count(tx, wanted)


def summary(tx: Tx, wanted: Wanted) -> tuple[int, int, dict[str, list[str]]]:
    """Return how many volumes there are, their size and every value of every metadata key."""
    count, size = store.volume_sizes(tx, wanted)
    everything = msgspec.structs.replace(wanted, limit=100_000)
    noted = items_map(tx, [one.id for one in store.volume_list(tx, everything)])
    values: dict[str, set[str]] = {}
    for (_, kind), pairs in noted.items():
        for key, value in pairs.items() if kind == METADATA else ():
            values.setdefault(key, set()).add(value)
    return count, size, {key: sorted(found) for key, found in sorted(values.items())}


def update_volume(
    tx: Tx,
    ctx: Context,
    volume_id: str,
    changes: Mapping[str, object],
    metadata: dict[str, str] | None,
) -> None:
    """Change name, description or metadata."""
    before = volume_visible(tx, ctx, volume_id)
    store.volume_update(tx, volume_id, **changes)
    if metadata is not None:
        check_metadata(metadata)
        items_set(tx, volume_id, METADATA, metadata, replace=True)
    record(tx, ctx, before, "update", **changes)


def metadata_of(tx: Tx, ctx: Context, volume_id: str) -> dict[str, str]:
    """Return a volume's metadata."""
    return items_of(tx, volume_visible(tx, ctx, volume_id).id, METADATA)


def set_metadata(
    tx: Tx, ctx: Context, volume_id: str, metadata: dict[str, str], *, replace: bool
) -> dict[str, str]:
    """Add or change metadata, or replace it; return all of it."""
    volume = volume_visible(tx, ctx, volume_id)
    check_metadata(metadata)
    items_set(tx, volume_id, METADATA, metadata, replace=replace)
    record(tx, ctx, volume, "update", metadata=metadata)
    return items_of(tx, volume_id, METADATA)


def delete_metadata(tx: Tx, ctx: Context, volume_id: str, key: str) -> None:
    """Remove one key."""
    volume = volume_visible(tx, ctx, volume_id)
    if not items_delete(tx, volume_id, METADATA, [key]):
        raise NotFound(f"Volume {volume_id} has no metadata with key {key}.")
    record(tx, ctx, volume, "update", removed=key)


def image_metadata(tx: Tx, ctx: Context, volume_id: str) -> dict[str, str]:
    """Return what is known of the image that a volume was made from."""
    return items_of(tx, volume_visible(tx, ctx, volume_id).id, IMAGE)


def set_image_metadata(
    tx: Tx, ctx: Context, volume_id: str, metadata: dict[str, str]
) -> dict[str, str]:
    """Add or change it; return all of it."""
    volume = volume_visible(tx, ctx, volume_id)
    check_metadata(metadata)
    items_set(tx, volume_id, IMAGE, metadata)
    record(tx, ctx, volume, "update", image_metadata=metadata)
    return items_of(tx, volume_id, IMAGE)


def unset_image_metadata(tx: Tx, ctx: Context, volume_id: str, key: str) -> None:
    """Remove one key."""
    volume = volume_visible(tx, ctx, volume_id)
    if not items_delete(tx, volume_id, IMAGE, [key]):
        raise NotFound(f"Volume {volume_id} has no image metadata with key {key}.")
    record(tx, ctx, volume, "update", removed=key)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse keys and values that are too long, or no keys at all."""
    for key, value in metadata.items():
        if not key:
            raise Invalid("Metadata property key blank.", field="metadata")
        if len(key) > 255 or len(value) > 255:
            raise Invalid(
                f"Metadata property {key[:40]!r}: keys and values have at most 255 characters.",
                field="metadata",
            )


def set_bootable(tx: Tx, ctx: Context, volume_id: str, *, is_bootable: bool) -> None:
    """Say whether servers may start from it."""
    volume = volume_visible(tx, ctx, volume_id)
    store.volume_update(tx, volume_id, is_bootable=is_bootable)
    record(tx, ctx, volume, "update", is_bootable=is_bootable)


def set_readonly(tx: Tx, ctx: Context, volume_id: str, *, is_readonly: bool) -> None:
    """Say whether servers may write to it, while none has it."""
    volume = volume_visible(tx, ctx, volume_id)
    if not store.volume_move(
        tx, volume_id, "available", expected=["available"], values={"is_readonly": is_readonly}
    ):
        raise _wrong(volume, "update readonly flag of", ["available"])
    record(tx, ctx, volume, "update", is_readonly=is_readonly)


def reset_status(tx: Tx, ctx: Context, volume_id: str, reset: Reset) -> None:
    """Let an administrator say what the status is, whatever it was."""
    volume = volume_visible(tx, ctx, volume_id)
    _check_one_of("status", reset.status, _STATUSES)
    _check_one_of("attach_status", reset.attach_status, _ATTACH_STATUSES)
    _check_one_of("migration_status", reset.migration_status, _MIGRATION_STATUSES)
    if (reset.status, reset.attach_status, reset.migration_status) == (None, None, None):
        raise Invalid("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    values: dict[str, object] = {k: v for k, v in msgspec.structs.asdict(reset).items() if v}
    if reset.migration_status == "none":
        values["migration_status"] = None
    if reset.attach_status == "detached":
        for attachment in attachment_store.attachments_of(tx, volume_id):
            attachment_store.attachment_delete(tx, attachment.id)
    store.volume_update(tx, volume_id, **values)
    record(tx, ctx, volume, "reset_status", **values)


def is_free(tx: Tx, volume_id: str) -> bool:
    """Say whether there is such a volume, and nothing that needs it."""
    volume = store.volume_find(tx, volume_id)
    if volume is None or volume.attach_status == "attached" or volume.status == "deleting":
        return False
    return not snapshot_store.snapshots_of(tx, volume_id)


def begin_delete(
    tx: Tx, ctx: Context, volume_id: str, *, cascade: bool = False, force: bool = False
) -> Volume:
    """Let a volume be deleted from now on; its snapshots too, with `cascade`."""
    volume = volume_visible(tx, ctx, volume_id)
    snapshots = snapshot_store.snapshots_of(tx, volume_id)
    if not force or volume.attach_status == "attached":
        _check_deletable(volume, snapshots, cascade=cascade)
    if force and snapshots and not cascade:
        raise Invalid(f"Volume {volume_id} still has {len(snapshots)} dependent snapshots.")
    for snapshot in snapshots:
        snapshot_store.snapshot_update(tx, snapshot.id, status="deleting")
    unattached = tables.volume.c.attach_status != "attached"
    expected = [volume.status] if force else DELETABLE
    values = {"previous_status": volume.status}
    if not store.volume_move(
        tx, volume_id, "deleting", expected=expected, also=[unattached], values=values
    ):
        raise _not_deletable()
    record(tx, ctx, volume, "delete_begin")
    return volume


def _check_deletable(volume: Volume, snapshots: Collection[Snapshot], *, cascade: bool) -> None:
    blocked = (
        volume.status not in DELETABLE
        or volume.attach_status == "attached"
        or volume.migration_status not in _NOT_MIGRATING
        or volume.group_id is not None
        or (snapshots and not cascade)
    )
    if blocked:
        raise _not_deletable()
    if any(one.status not in ("available", "error", "deleting") for one in snapshots):
        raise Invalid(
            f"Failed to update snapshot: a snapshot of {volume.id} is busy; wait until each is "
            "available or error."
        )


def _not_deletable() -> Invalid:
    return Invalid(
        f"Invalid volume: Volume status must be {' or '.join(DELETABLE)} and must not be "
        "migrating, attached, belong to a group, have snapshots or be disassociated from snapshots "
        "after volume transfer."
    )


def forget(tx: Tx, caller: Caller, volume_id: str) -> None:
    """Give back what a deleted volume counted for, and forget it; also for the second time."""
    volume = store.volume_find(tx, volume_id)
    if volume is None:
        return
    for attachment in attachment_store.attachments_of(tx, volume_id):
        attachment_store.attachment_delete(tx, attachment.id)
    items_forget(tx, [volume_id])
    keys.forget_key(tx, volume.encryption_key_id)
    store.volume_delete(tx, volume_id)
    if volume.consumes_quota:
        given_back = {"volumes": 1, "gigabytes": volume.size_gib}
        quotas.release(tx, volume.project_id, given_back, volume.type_id)
    if volume.host is not None:
        backend_store.room_give_back(tx, volume.host, volume.size_gib)
    groups.settle(tx, caller, volume.group_id)
    record(tx, caller, volume, "delete")


def record(tx: Tx, caller: Caller | None, volume: Volume, action: str, **after: object) -> None:
    """Log a change of a volume."""
    events.record(
        tx,
        caller,
        resource="volume",
        resource_id=volume.id,
        action=action,
        before={"status": volume.status, "size": volume.size_gib},
        after=after,
        project_id=volume.project_id,
    )


def move_or_refuse(  # noqa: PLR0913 - a refusal says all of it
    tx: Tx,
    volume: Volume,
    to: str,
    *,
    doing: str,
    expected: Collection[str],
    values: Mapping[str, object] | None = None,
    also: Sequence[sa.ColumnElement[bool]] = (),
) -> None:
    """Change the status if it is one of `expected`, else say which it would have to be."""
    if not store.volume_move(tx, volume.id, to, expected=expected, values=values, also=also):
        raise _wrong(volume, doing, expected)


def _wrong(volume: Volume, doing: str, expected: Collection[str]) -> Invalid:
    return Invalid(
        f"Invalid volume: Unable to {doing} volume {volume.id}: its status must be "
        f"{' or '.join(sorted(expected))}, but is {volume.status}.",
        volume_id=volume.id,
    )


def _check_one_of(name: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise Invalid(
            f"Invalid input for field/attribute {name}. Value: {value[:40]}. "
            f"'{value[:40]}' is not one of {', '.join(sorted(allowed))}.",
            field=name,
        )


def type_name_of(tx: Tx, volume: Volume) -> str:
    """Return the name of a volume's type."""
    return type_store.type_names(tx)[volume.type_id]
