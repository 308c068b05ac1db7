"""Quota classes; `default` is what holds for projects without limits of their own."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.services.compute import quotas
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.api.quota_sets import QuotaLimit, given
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes, since, until

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-quota-class-sets"


class QuotaClass(msgspec.Struct, kw_only=True):
    """The limits of a quota class."""

    id: str | UnsetType = UNSET
    instances: int
    cores: int
    ram: int
    floating_ips: Annotated[int, until("2.49")]
    fixed_ips: Annotated[int, until("2.49")]
    metadata_items: int
    injected_files: Annotated[int, until("2.56")]
    injected_file_content_bytes: Annotated[int, until("2.56")]
    injected_file_path_bytes: Annotated[int, until("2.56")]
    security_groups: Annotated[int, until("2.49")]
    security_group_rules: Annotated[int, until("2.49")]
    key_pairs: int
    server_groups: Annotated[int, since("2.50")]
    server_group_members: Annotated[int, since("2.50")]


class QuotaClassBody(msgspec.Struct):
    """The limits of a quota class."""

    quota_class_set: QuotaClass


class ClassChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Limits to set."""

    instances: QuotaLimit | UnsetType = UNSET
    cores: QuotaLimit | UnsetType = UNSET
    ram: QuotaLimit | UnsetType = UNSET
    floating_ips: Annotated[QuotaLimit | UnsetType, until("2.49")] = UNSET
    fixed_ips: Annotated[QuotaLimit | UnsetType, until("2.49")] = UNSET
    metadata_items: QuotaLimit | UnsetType = UNSET
    injected_files: Annotated[QuotaLimit | UnsetType, until("2.56")] = UNSET
    injected_file_content_bytes: Annotated[QuotaLimit | UnsetType, until("2.56")] = UNSET
    injected_file_path_bytes: Annotated[QuotaLimit | UnsetType, until("2.56")] = UNSET
    security_groups: Annotated[QuotaLimit | UnsetType, until("2.49")] = UNSET
    security_group_rules: Annotated[QuotaLimit | UnsetType, until("2.49")] = UNSET
    key_pairs: QuotaLimit | UnsetType = UNSET
    server_groups: QuotaLimit | UnsetType = UNSET
    server_group_members: QuotaLimit | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The limits to set."""

    quota_class_set: ClassChange


@routes.get("/v2.1/os-quota-class-sets/{name}", policy=f"{_RULE}:show")
def show_quota_class(call: Call, name: str) -> QuotaClassBody:
    """Show the limits of a quota class."""
    check_known(call, since=(2, 102))
    found = call.db.read(quotas.class_limits, name)
    return QuotaClassBody(QuotaClass(id=name, **found))


@routes.put("/v2.1/os-quota-class-sets/{name}", policy=f"{_RULE}:update")
def update_quota_class(call: Call, name: str, body: UpdateBody) -> QuotaClassBody:
    """Change the limits of a quota class."""
    if len(name) > 255:
        raise Invalid("quota_class_name has more than 255 characters.", field="id")
    wanted = given(body.quota_class_set)
    after = call.db.write(quotas.set_class_limits, call.ctx, name, wanted)
    return QuotaClassBody(QuotaClass(id=UNSET, **after))
