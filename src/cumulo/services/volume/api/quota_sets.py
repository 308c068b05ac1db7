"""Quotas of projects and quota classes; each volume type adds three resources of its own."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.services.volume import quotas
from cumulo.services.volume.api.fields import MAX_INT
from cumulo.services.volume.api.queries import flag
from cumulo.services.volume.quotas import Usage
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import LooseInt, Routes
from cumulo.web.codec import convert
from cumulo.web.versions import NONE

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ONE = "/v3/os-quota-sets/{project_id}"
_CLASS = "/v3/os-quota-class-sets/{name}"
Limit: TypeAlias = Annotated[LooseInt, Meta(ge=-1, le=MAX_INT)]
Limits: TypeAlias = dict[str, Limit]


class QuotaSetBody(msgspec.Struct):
    """Limits by resource, or limits with what is used of them."""

    quota_set: dict[str, Any]


class SetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Limits to set, and possibly whose they are."""

    quota_set: dict[str, Any]


class QuotaClassBody(msgspec.Struct):
    """Limits by resource."""

    quota_class_set: dict[str, Any]


class SetClassBody(msgspec.Struct, forbid_unknown_fields=True):
    """Limits to set, and possibly of which class."""

    quota_class_set: dict[str, Any]


class QuotaQuery(msgspec.Struct):
    """Whether what is used is wanted too."""

    usage: str = "false"


@routes.get(_ONE, policy="volume_extension:quotas:show", on_target=True)
def show_quota_set(call: Call, project_id: str, query: QuotaQuery) -> QuotaSetBody:
    """Show a project's limits, and what is used of them if asked."""
    call.ctx.require("volume_extension:quotas:show", project_id=project_id)
    found = call.db.read(_usages, call, project_id)
    with_usage = flag("usage", query.usage)
    shown = {name: _shown(one) if with_usage else one.limit for name, one in found.items()}
    return QuotaSetBody({"id": project_id, **shown})


@routes.get(f"{_ONE}/defaults", policy="volume_extension:quotas:show", on_target=True)
def show_default_quotas(call: Call, project_id: str) -> QuotaSetBody:
    """Show the limits that hold for a project without any of its own."""
    call.ctx.require("volume_extension:quotas:show", project_id=project_id)
    return QuotaSetBody({"id": project_id, **call.db.read(_class, call, "default")})


@routes.put(_ONE, policy="volume_extension:quotas:update")
def update_quota_set(call: Call, project_id: str, body: SetBody) -> QuotaSetBody:
    """Give a project limits of its own."""
    wanted = _limits(body.quota_set)
    found = call.db.write(_update, call, project_id, wanted)
    return QuotaSetBody({name: one.limit for name, one in found.items()})


@routes.delete(_ONE, policy="volume_extension:quotas:delete")
def delete_quota_set(call: Call, project_id: str) -> None:
    """Let the defaults hold again for a project."""
    call.db.write(quotas.reset, call.ctx, call.tools.settings.quota, project_id)


@routes.get(_CLASS, policy="volume_extension:quota_classes:get")
def show_quota_class(call: Call, name: str) -> QuotaClassBody:
    """Show the limits of a quota class."""
    return QuotaClassBody({"id": name, **call.db.read(_class, call, name)})


@routes.put(_CLASS, policy="volume_extension:quota_classes:update")
def update_quota_class(call: Call, name: str, body: SetClassBody) -> QuotaClassBody:
    """Change the limits of a quota class."""
    wanted = _limits(body.quota_class_set)
    return QuotaClassBody(call.db.write(_update_class, call, name, wanted))


def _limits(given: dict[str, Any]) -> Limits:
    """Return the limits of a body, which clients may name with the project they are of."""
    named = {k: v for k, v in given.items() if k not in ("tenant_id", "id", "class_name")}
    return convert(named, Limits, NONE)


def _usages(tx: Tx, call: Call, project_id: str) -> dict[str, Usage]:
    call.tools.check_project(tx, project_id)
    return quotas.usages(tx, call.tools.settings.quota, project_id)


def _update(tx: Tx, call: Call, project_id: str, wanted: Limits) -> dict[str, Usage]:
    call.tools.check_project(tx, project_id)
    quotas.set_limits(tx, call.ctx, call.tools.settings.quota, project_id, wanted)
    return quotas.usages(tx, call.tools.settings.quota, project_id)


def _class(tx: Tx, call: Call, name: str) -> dict[str, int]:
    return quotas.shown(tx, quotas.class_limits(tx, call.tools.settings.quota, name))


def _update_class(tx: Tx, call: Call, name: str, wanted: Limits) -> dict[str, int]:
    quotas.set_class_limits(tx, call.ctx, call.tools.settings.quota, name, wanted)
    return _class(tx, call, name)


def _shown(one: Usage) -> dict[str, int]:
    return {"limit": one.limit, "in_use": one.in_use, "reserved": 0}
