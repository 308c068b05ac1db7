"""What the project may have and has, in the words of this resource."""

from typing import TypeAlias

import msgspec

from cumulo.services.volume import quotas
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()


class Absolute(msgspec.Struct, kw_only=True, rename="camel"):
    """Limits and usage of a project."""

    max_total_volumes: int
    max_total_snapshots: int
    max_total_volume_gigabytes: int
    max_total_backups: int
    max_total_backup_gigabytes: int
    total_volumes_used: int
    total_snapshots_used: int
    total_gigabytes_used: int
    total_backups_used: int
    total_backup_gigabytes_used: int


class Limits(msgspec.Struct):
    """Limits; rates are limited by nobody."""

    absolute: Absolute
    rate: list[str] = []


class LimitsBody(msgspec.Struct):
    """The limits of a project."""

    limits: Limits


@routes.get("/v3/limits", policy="limits_extension:used_limits")
def show_limits(call: Call) -> LimitsBody:
    """Show what the project may have and has."""
    asked = call.filters.get("project_id") or call.filters.get("tenant_id")
    project_id = call.ctx.project_id or ""
    if asked and call.ctx.is_admin and call.version >= (3, 39):
        project_id = asked[-1]
    q = call.db.read(quotas.usages, call.tools.settings.quota, project_id)
    absolute = Absolute(
        max_total_volumes=q["volumes"].limit,
        max_total_snapshots=q["snapshots"].limit,
        max_total_volume_gigabytes=q["gigabytes"].limit,
        max_total_backups=q["backups"].limit,
        max_total_backup_gigabytes=q["backup_gigabytes"].limit,
        total_volumes_used=q["volumes"].in_use,
        total_snapshots_used=q["snapshots"].in_use,
        total_gigabytes_used=q["gigabytes"].in_use,
        total_backups_used=q["backups"].in_use,
        total_backup_gigabytes_used=q["backup_gigabytes"].in_use,
    )
    return LimitsBody(Limits(absolute))
