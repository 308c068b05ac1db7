"""What takes longer than a request."""

from typing import Any

from cumulo.services.volume.workflows.create_backup import CREATE_BACKUP
from cumulo.services.volume.workflows.create_snapshot import CREATE_SNAPSHOT
from cumulo.services.volume.workflows.create_volume import CREATE_VOLUME
from cumulo.services.volume.workflows.delete_backup import DELETE_BACKUP
from cumulo.services.volume.workflows.delete_snapshot import DELETE_SNAPSHOT
from cumulo.services.volume.workflows.delete_volume import DELETE_VOLUME
from cumulo.services.volume.workflows.extend_volume import EXTEND_VOLUME
from cumulo.services.volume.workflows.manage import MANAGE, UNMANAGE
from cumulo.services.volume.workflows.move_attached import MOVE_ATTACHED
from cumulo.services.volume.workflows.move_volume import MOVE_VOLUME
from cumulo.services.volume.workflows.reimage_volume import REIMAGE_VOLUME
from cumulo.services.volume.workflows.restore_backup import RESTORE_BACKUP
from cumulo.services.volume.workflows.revert_volume import REVERT_VOLUME
from cumulo.services.volume.workflows.upload_volume import UPLOAD_VOLUME
from cumulo.work import Workflow

WORKFLOWS: list[Workflow[Any, Any]] = [
    CREATE_BACKUP,
    CREATE_SNAPSHOT,
    CREATE_VOLUME,
    DELETE_BACKUP,
    DELETE_SNAPSHOT,
    DELETE_VOLUME,
    EXTEND_VOLUME,
    MANAGE,
    MOVE_ATTACHED,
    MOVE_VOLUME,
    REIMAGE_VOLUME,
    RESTORE_BACKUP,
    REVERT_VOLUME,
    UNMANAGE,
    UPLOAD_VOLUME,
]
