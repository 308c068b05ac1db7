"""What the project may have and has, in the words of this resource."""

from typing import Annotated, TypeAlias

import msgspec

from cumulo.services.compute import quotas
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes, until

Call: TypeAlias = _Call[Tools]
routes = Routes()


class Absolute(msgspec.Struct, kw_only=True, rename="camel"):
    """Limits and usage of a project."""

    max_total_instances: int
    max_total_cores: int
    max_total_ram: int = msgspec.field(name="maxTotalRAMSize")
    max_total_keypairs: int
    max_server_meta: int
    max_image_meta: Annotated[int, until("2.38")]
    max_personality: Annotated[int, until("2.56")]
    max_personality_size: Annotated[int, until("2.56")]
    max_total_floating_ips: Annotated[int, until("2.35")]
    max_security_groups: Annotated[int, until("2.35")]
    max_security_group_rules: Annotated[int, until("2.35")]
    max_server_groups: int
    max_server_group_members: int
    total_ram_used: int = msgspec.field(name="totalRAMUsed")
    total_cores_used: int
    total_instances_used: int
    total_floating_ips_used: Annotated[int, until("2.35")]
    total_security_groups_used: Annotated[int, until("2.35")]
    total_server_groups_used: int


class Limits(msgspec.Struct):
    """Limits; rates have been limited by nobody for a long time."""

    absolute: Absolute
    rate: list[str] = []


class LimitsBody(msgspec.Struct):
    """The limits of a project."""

    limits: Limits


class LimitsQuery(msgspec.Struct):
    """Whose limits."""

    tenant_id: str | None = None


@routes.get("/v2.1/limits", policy="os_compute_api:limits")
def show_limits(call: Call, query: LimitsQuery) -> LimitsBody:
    """Show what the project may have and has."""
    check_known(call, LimitsQuery, since=(2, 75))
    project_id = call.ctx.project_id or ""
    if query.tenant_id is not None:
        call.ctx.require("os_compute_api:limits:other_project", project_id=query.tenant_id)
        project_id = query.tenant_id
    q = call.db.read(quotas.usages, project_id)
    absolute = Absolute(
        max_total_instances=q["instances"].limit,
        max_total_cores=q["cores"].limit,
        max_total_ram=q["ram"].limit,
        max_total_keypairs=q["key_pairs"].limit,
        max_server_meta=q["metadata_items"].limit,
        max_image_meta=q["metadata_items"].limit,
        max_personality=q["injected_files"].limit,
        max_personality_size=q["injected_file_content_bytes"].limit,
        max_total_floating_ips=q["floating_ips"].limit,
        max_security_groups=q["security_groups"].limit,
        max_security_group_rules=q["security_group_rules"].limit,
        max_server_groups=q["server_groups"].limit,
        max_server_group_members=q["server_group_members"].limit,
        total_ram_used=q["ram"].in_use,
        total_cores_used=q["cores"].in_use,
        total_instances_used=q["instances"].in_use,
        total_floating_ips_used=q["floating_ips"].in_use,
        total_security_groups_used=q["security_groups"].in_use,
        total_server_groups_used=q["server_groups"].in_use,
    )
    return LimitsBody(Limits(absolute))
