"""Quotas of projects and of users within them."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.services.compute import quotas
from cumulo.services.compute.api.fields import MAX_INT
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, LooseInt, Routes, until

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-quota-sets"
QuotaLimit: TypeAlias = Annotated[LooseInt, Meta(ge=-1, le=MAX_INT)]


class QuotaSet(msgspec.Struct, kw_only=True):
    """The limits of a project."""

    id: str | UnsetType = UNSET
    instances: int
    cores: int
    ram: int
    floating_ips: Annotated[int, until("2.35")]
    fixed_ips: Annotated[int, until("2.35")]
    metadata_items: int
    injected_files: Annotated[int, until("2.56")]
    injected_file_content_bytes: Annotated[int, until("2.56")]
    injected_file_path_bytes: Annotated[int, until("2.56")]
    security_groups: Annotated[int, until("2.35")]
    security_group_rules: Annotated[int, until("2.35")]
    key_pairs: int
    server_groups: int
    server_group_members: int


class QuotaSetBody(msgspec.Struct):
    """The limits of a project."""

    quota_set: QuotaSet


class QuotaUse(msgspec.Struct, kw_only=True):
    """A limit and what is used of it; nothing is ever reserved."""

    limit: int
    in_use: int
    reserved: int = 0


class QuotaDetail(msgspec.Struct, kw_only=True):
    """The limits of a project and what is used of them."""

    id: str
    instances: QuotaUse
    cores: QuotaUse
    ram: QuotaUse
    floating_ips: Annotated[QuotaUse, until("2.35")]
    fixed_ips: Annotated[QuotaUse, until("2.35")]
    metadata_items: QuotaUse
    injected_files: Annotated[QuotaUse, until("2.56")]
    injected_file_content_bytes: Annotated[QuotaUse, until("2.56")]
    injected_file_path_bytes: Annotated[QuotaUse, until("2.56")]
    security_groups: Annotated[QuotaUse, until("2.35")]
    security_group_rules: Annotated[QuotaUse, until("2.35")]
    key_pairs: QuotaUse
    server_groups: QuotaUse
    server_group_members: QuotaUse


class QuotaDetailBody(msgspec.Struct):
    """The limits of a project and what is used of them."""

    quota_set: QuotaDetail


class QuotaChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Limits to set; `force` sets them even below what is used."""

    instances: QuotaLimit | UnsetType = UNSET
    cores: QuotaLimit | UnsetType = UNSET
    ram: QuotaLimit | UnsetType = UNSET
    floating_ips: Annotated[QuotaLimit | UnsetType, until("2.35")] = UNSET
    fixed_ips: Annotated[QuotaLimit | UnsetType, until("2.35")] = UNSET
    metadata_items: QuotaLimit | UnsetType = UNSET
    injected_files: Annotated[QuotaLimit | UnsetType, until("2.56")] = UNSET
    injected_file_content_bytes: Annotated[QuotaLimit | UnsetType, until("2.56")] = UNSET
    injected_file_path_bytes: Annotated[QuotaLimit | UnsetType, until("2.56")] = UNSET
    security_groups: Annotated[QuotaLimit | UnsetType, until("2.35")] = UNSET
    security_group_rules: Annotated[QuotaLimit | UnsetType, until("2.35")] = UNSET
    key_pairs: QuotaLimit | UnsetType = UNSET
    server_groups: QuotaLimit | UnsetType = UNSET
    server_group_members: QuotaLimit | UnsetType = UNSET
    force: LooseBool = False


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The limits to set."""

    quota_set: QuotaChange


class UserQuery(msgspec.Struct, kw_only=True):
    """Which user within the project."""

    user_id: str | None = None


@routes.get("/v2.1/os-quota-sets/{project_id}", policy=f"{_RULE}:show")
def show_quota_set(call: Call, project_id: str, query: UserQuery) -> QuotaSetBody:
    """Show the limits of a project, or of a user within it."""
    _check(call, "show", project_id)
    found = call.db.read(_limits, call, project_id, query.user_id)
    return QuotaSetBody(QuotaSet(id=project_id, **found))


@routes.get("/v2.1/os-quota-sets/{project_id}/detail", policy=f"{_RULE}:detail")
def show_quota_set_with_usage(call: Call, project_id: str, query: UserQuery) -> QuotaDetailBody:
    """Show the limits of a project, or of a user within it, and what is used of them."""
    _check(call, "detail", project_id)
    found = call.db.read(_usages, call, project_id, query.user_id)
    return QuotaDetailBody(QuotaDetail(id=project_id, **found))


@routes.get("/v2.1/os-quota-sets/{project_id}/defaults", policy=f"{_RULE}:defaults")
def show_default_quotas(call: Call, project_id: str) -> QuotaSetBody:
    """Show the limits that hold for a project that has none of its own."""
    check_known(call, since=(2, 102))
    found = call.db.read(_defaults, call, project_id)
    return QuotaSetBody(QuotaSet(id=project_id, **found))


@routes.put("/v2.1/os-quota-sets/{project_id}", policy=f"{_RULE}:update")
def update_quota_set(
    call: Call, project_id: str, query: UserQuery, body: UpdateBody
) -> QuotaSetBody:
    """Give a project, or a user within it, limits of its own."""
    _check(call, "update", project_id)
    after = call.db.write(_update, call, project_id, query.user_id, body.quota_set)
    return QuotaSetBody(QuotaSet(id=UNSET, **after))


@routes.delete("/v2.1/os-quota-sets/{project_id}", policy=f"{_RULE}:delete", status=202)
def delete_quota_set(call: Call, project_id: str, query: UserQuery) -> None:
    """Let the defaults hold again for a project, or for a user within it."""
    _check(call, "delete", project_id)
    call.db.write(quotas.reset, call.ctx, project_id, query.user_id)


def _check(call: Call, doing: str, project_id: str) -> None:
    check_known(call, UserQuery, since=(2, 75))
    call.ctx.require(f"{_RULE}:{doing}", project_id=project_id)


def _limits(tx: Tx, call: Call, project_id: str, user_id: str | None) -> dict[str, int]:
    call.tools.check_project(tx, project_id)
    return quotas.limits(tx, project_id, user_id)


def _defaults(tx: Tx, call: Call, project_id: str) -> dict[str, int]:
    call.tools.check_project(tx, project_id)
    return quotas.class_limits(tx)


def _usages(tx: Tx, call: Call, project_id: str, user_id: str | None) -> dict[str, QuotaUse]:
    call.tools.check_project(tx, project_id)
    found = quotas.usages(tx, project_id, user_id)
    return {name: QuotaUse(limit=one.limit, in_use=one.in_use) for name, one in found.items()}


def _update(
    tx: Tx, call: Call, project_id: str, user_id: str | None, change: QuotaChange
) -> dict[str, int]:
    call.tools.check_project(tx, project_id)
    return quotas.set_limits(
        tx, call.ctx, project_id, given(change), user_id=user_id, force=change.force
    )


def given(change: Any) -> Mapping[str, int]:
    """Return the limits that a client named."""
    values = {name: getattr(change, name) for name in quotas.DEFAULTS if hasattr(change, name)}
    return {name: value for name, value in values.items() if value is not UNSET}
