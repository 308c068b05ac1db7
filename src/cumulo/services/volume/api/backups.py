"""Backups."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_bare
from cumulo.kit.errors import Invalid
from cumulo.services.volume import backups
from cumulo.services.volume.api.fields import Metadata, Name, Uuid, changes_of, stripped
from cumulo.services.volume.api.links import Link, Place, next_links
from cumulo.services.volume.api.queries import Lists, wanted_of, wants_count
from cumulo.services.volume.backups import Backup, NewBackup, Whole
from cumulo.services.volume.new_volumes import NewVolume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.workflows.create_backup import create_backup as create
from cumulo.services.volume.workflows.delete_backup import delete_backup as delete
from cumulo.services.volume.workflows.restore_backup import restore_backup as restore
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/backups", "/v3/backups/{backup_id}"
_ADMINS = "volume_extension:backup_admin_actions"

LISTS = Lists(
    filters={
        "id": "id",
        "name": "name",
        "status": "status",
        "volume_id": "volume_id",
        "snapshot_id": "snapshot_id",
        "parent_id": "parent_id",
    },
    noted={"metadata": "metadata"},
    sort_keys={
        "id": "id",
        "name": "name",
        "status": "status",
        "volume_id": "volume_id",
        "size": "size_gib",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
)


class BackupSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The backup wanted."""

    volume_id: Uuid
    name: Name | None = None
    description: Name | None = None
    container: Name | None = None
    incremental: LooseBool = False
    force: LooseBool = False
    snapshot_id: Uuid | None = None
    metadata: Annotated[Metadata | None, since("3.43")] = None
    availability_zone: Annotated[Name | None, since("3.51")] = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The backup wanted."""

    backup: BackupSpec


class BackupChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of a backup."""

    name: Name | UnsetType | None = UNSET
    description: Name | UnsetType | None = UNSET
    metadata: Annotated[Metadata | UnsetType, since("3.43")] = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed."""

    backup: BackupChange


class RestoreSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Into which volume; without one, into one that is made for it."""

    volume_id: Uuid | None = None
    name: Name | None = None


class RestoreBody(msgspec.Struct, forbid_unknown_fields=True):
    """Into which volume."""

    restore: RestoreSpec


class ResetStatus(msgspec.Struct, forbid_unknown_fields=True):
    """What the status is."""

    status: Name


class RecordView(msgspec.Struct, forbid_unknown_fields=True):
    """What another cloud must know to have a backup."""

    backup_service: str
    backup_url: str


class RecordBody(msgspec.Struct, forbid_unknown_fields=True):
    """What another cloud must know to have a backup."""

    record: RecordView = msgspec.field(name="backup-record")


class BackupSummary(msgspec.Struct, kw_only=True):
    """A backup in a list, or just begun."""

    id: str
    name: str | None
    links: list[Link]


class BackupView(msgspec.Struct, kw_only=True):
    """A backup."""

    id: str
    status: str
    size: int
    object_count: int
    availability_zone: str | None
    container: str | None
    created_at: str
    updated_at: str | None
    name: str | None
    description: str | None
    fail_reason: str | None
    volume_id: str
    links: list[Link]
    is_incremental: bool
    has_dependent_backups: bool
    snapshot_id: str | None
    data_timestamp: str
    project_id: Annotated[str | UnsetType, since("3.18")] = msgspec.field(
        name="os-backup-project-attr:project_id", default=UNSET
    )
    metadata: Annotated[dict[str, str], since("3.43")] = {}
    user_id: Annotated[str, since("3.56")] = ""
    encryption_key_id: Annotated[str | UnsetType, since("3.64")] = UNSET


class SummaryBody(msgspec.Struct):
    """A backup that was just begun."""

    backup: BackupSummary


class BackupBody(msgspec.Struct):
    """A backup."""

    backup: BackupView


class SummariesBody(msgspec.Struct, kw_only=True):
    """A page of backups."""

    backups: list[BackupSummary]
    backups_links: list[Link] | UnsetType = UNSET
    count: Annotated[int | UnsetType, since("3.45")] = UNSET


class BackupsBody(msgspec.Struct, kw_only=True):
    """A page of backups with their details."""

    backups: list[BackupView]
    backups_links: list[Link] | UnsetType = UNSET
    count: Annotated[int | UnsetType, since("3.45")] = UNSET


class Restored(msgspec.Struct):
    """A backup that is put into a volume."""

    backup_id: str
    volume_id: str
    volume_name: str | None


class RestoredBody(msgspec.Struct):
    """A backup that is put into a volume."""

    restore: Restored


@routes.get(_ALL, policy="backup:get_all")
def list_backups(call: Call) -> SummariesBody:
    """List backups."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(backups.list_backups, wanted).backups
    return SummariesBody(
        backups=[_summary(call, one) for one in found],
        backups_links=next_links(call, "backups", found, wanted.limit),
        count=call.db.read(backups.count_backups, wanted) if wants_count(call) else UNSET,
    )


@routes.get(f"{_ALL}/detail", policy="backup:get_all")
def list_backups_with_details(call: Call) -> BackupsBody:
    """List backups with their details."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(backups.list_backups, wanted)
    return BackupsBody(
        backups=[_view(call, one, found) for one in found.backups],
        backups_links=next_links(call, "backups/detail", found.backups, wanted.limit),
        count=call.db.read(backups.count_backups, wanted) if wants_count(call) else UNSET,
    )


@routes.post(_ALL, policy="backup:create", status=202)
def create_backup(call: Call, body: CreateBody) -> SummaryBody:
    """Make a backup of a volume, full or of what changed since the last."""
    spec = body.backup
    wanted = NewBackup(
        volume_id=spec.volume_id,
        name=stripped(spec.name),
        description=stripped(spec.description),
        container=spec.container,
        is_incremental=spec.incremental,
        force=spec.force,
        snapshot_id=spec.snapshot_id,
        availability_zone=spec.availability_zone,
        metadata=spec.metadata or {},
    )
    made = call.db.write(create, call.ctx, call.tools, wanted)
    return SummaryBody(_summary(call, made))


@routes.post(f"{_ALL}/import_record", policy="backup:backup-import", status=201)
def import_record(call: Call, body: RecordBody) -> SummaryBody:
    """Have a backup that another cloud made in the same store."""
    keeper = call.tools.backups
    if body.record.backup_service != keeper.name:
        raise Invalid(
            f"Invalid backup: backups of {body.record.backup_service[:80]} cannot be imported "
            f"here, only those of {keeper.name}.",
            field="backup_service",
        )
    told = backups.read_record(body.record.backup_url)
    if told.id not in {name for name, _ in keeper.present()}:
        raise Invalid(f"Invalid backup: the store has no backup {told.id[:64]}.")
    made = call.db.write(backups.import_record, call.ctx, call.tools.settings.quota, told)
    return SummaryBody(_summary(call, made))


@routes.get(_ONE, policy="backup:get")
def show_backup(call: Call, backup_id: str) -> BackupBody:
    """Show a backup."""
    return _shown(call, call.db.read(backups.show, call.ctx, backup_id))


@routes.put(_ONE, policy="backup:update", since="3.9")
def update_backup(call: Call, backup_id: str, body: UpdateBody) -> SummaryBody:
    """Change a backup's name, description or metadata."""
    changes = changes_of(body.backup, name="name", description="description")
    metadata = body.backup.metadata
    noted = None if isinstance(metadata, UnsetType) else metadata
    if not changes and noted is None:
        raise Invalid("Name one of name, description and metadata in backup.", field="backup")
    found = call.db.write(_updated, call, backup_id, changes, noted)
    return SummaryBody(_summary(call, found.backups[0]))


def _updated(
    tx: Tx, call: Call, backup_id: str, changes: dict[str, object], metadata: Any
) -> Whole:
    backups.update_backup(tx, call.ctx, backup_id, changes, metadata)
    return backups.show(tx, call.ctx, backup_id)


@routes.delete(_ONE, policy="backup:delete", status=202)
def delete_backup(call: Call, backup_id: str) -> None:
    """Delete a backup that no other builds on."""
    call.db.write(delete, call.ctx, backup_id)


@routes.post(f"{_ONE}/restore", policy="backup:restore", status=202)
def restore_backup(call: Call, backup_id: str, body: RestoreBody) -> RestoredBody:
    """Put a backup into a volume."""
    name = body.restore.name
    spec = NewVolume(name=name) if name else None
    volume_id = body.restore.volume_id
    volume = call.db.write(restore, call.ctx, call.tools, backup_id, volume_id, spec)
    return RestoredBody(Restored(backup_id, volume.id, volume.name))


@routes.get(f"{_ONE}/export_record", policy="backup:export-import")
def export_record(call: Call, backup_id: str) -> RecordBody:
    """Tell of a backup what another cloud must know."""
    told = call.db.read(backups.export_record, call.ctx, backup_id)
    return RecordBody(RecordView(call.tools.backups.name, told))


@routes.post(
    f"{_ONE}/action", policy=f"{_ADMINS}:reset_status", status=202, action="os-reset_status"
)
def reset_backup_status(call: Call, backup_id: str, body: ResetStatus) -> None:
    """Say what a backup's status is, whatever it was."""
    call.db.write(backups.reset_status, call.ctx, backup_id, body.status)


@routes.post(
    f"{_ONE}/action", policy=f"{_ADMINS}:force_delete", status=202, action="os-force_delete"
)
def force_delete_backup(call: Call, backup_id: str) -> None:
    """Delete a backup in whatever status it is."""
    call.db.write(delete, call.ctx, backup_id, force=True)


def _summary(call: Call, one: Backup) -> BackupSummary:
    return BackupSummary(id=one.id, name=one.name, links=Place(call, "backups").links(one.id))


def _shown(call: Call, found: Whole) -> BackupBody:
    return BackupBody(_view(call, found.backups[0], found))


def _view(call: Call, one: Backup, found: Whole) -> BackupView:
    shows_project = call.ctx.may("backup:backup_project_attribute")
    return BackupView(
        id=one.id,
        status=one.status,
        size=one.size_gib,
        object_count=one.object_count,
        availability_zone=one.availability_zone,
        container=one.container,
        created_at=iso_bare(one.created_at),
        updated_at=iso_bare(one.updated_at) if one.updated_at else None,
        name=one.name,
        description=one.description,
        fail_reason=one.fail_reason,
        volume_id=one.volume_id,
        links=Place(call, "backups").links(one.id),
        is_incremental=one.parent_id is not None,
        has_dependent_backups=one.id in found.parents,
        snapshot_id=one.snapshot_id,
        data_timestamp=iso_bare(one.data_timestamp),
        project_id=one.project_id if shows_project else UNSET,
        metadata=found.items.get((one.id, "metadata"), {}),
        user_id=one.user_id,
        encryption_key_id=one.encryption_key_id or UNSET,
    )
