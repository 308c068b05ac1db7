"""Quotas over HTTP."""

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network import quotas
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.quotas import Limits
from cumulo.services.network.spelling import LooseBool
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class QuotaSpec(Limits, kw_only=True, forbid_unknown_fields=True):
    """The limits to set; what is used already counts unless `force` says otherwise."""

    force: LooseBool = False
    check_limit: LooseBool | UnsetType = UNSET  # the default by now


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    quota: QuotaSpec


@routes.get("/v2.0/quotas", policy="get_quota")
def list_quotas(call: Call[Tools]) -> Answer:
    """List the quotas of projects that have limits of their own."""
    call.ctx.require("update_quota")
    found = call.db.read(quotas.list_limits, call.tools.settings)
    return {
        "quotas": [
            {**limits, "project_id": project_id, "tenant_id": project_id}
            for project_id, limits in found.items()
        ]
    }


@routes.get("/v2.0/quotas/tenant", policy="regular_user")
def show_own_tenant(call: Call[Tools]) -> Answer:
    """Tell the project that the token is for, in its older name."""
    return {"tenant": {"tenant_id": _own_project(call)}}


@routes.get("/v2.0/quotas/project", policy="regular_user")
def show_own_project(call: Call[Tools]) -> Answer:
    """Tell the project that the token is for."""
    return {"project": {"project_id": _own_project(call)}}


@routes.get("/v2.0/quotas/{project_id}", policy="regular_user")
def show_quota(call: Call[Tools], project_id: str) -> Answer:
    """Show the limits that hold for a project."""
    _check_readable(call, project_id)
    return {"quota": call.db.read(quotas.limits, call.tools.settings, project_id)}


@routes.put("/v2.0/quotas/{project_id}", policy="update_quota")
def update_quota(call: Call[Tools], project_id: str, body: UpdateBody) -> Answer:
    """Give a project limits of its own."""
    return {"quota": call.db.write(_update, call, project_id, body.quota)}


@routes.delete("/v2.0/quotas/{project_id}", policy="delete_quota", status=204)
def delete_quota(call: Call[Tools], project_id: str) -> None:
    """Let the defaults hold for a project again."""
    call.db.write(quotas.reset, project_id)


@routes.get("/v2.0/quotas/{project_id}/default", policy="regular_user")
def show_default_quota(call: Call[Tools], project_id: str) -> Answer:
    """Show the limits of a project without limits of its own."""
    _check_readable(call, project_id)
    return {"quota": quotas.defaults(call.tools.settings)}


@routes.get("/v2.0/quotas/{project_id}/details", policy="regular_user")
def show_quota_details(call: Call[Tools], project_id: str) -> Answer:
    """Show the limits that hold for a project, and what it has."""
    _check_readable(call, project_id)
    return {"quota": call.db.read(quotas.details, call.tools.settings, project_id)}


@routes.get("/v2.0/quotas/{project_id}/details.json", policy="regular_user")
def show_quota_details_json(call: Call[Tools], project_id: str) -> Answer:
    """Show the same at the address that the documents name."""
    return show_quota_details(call, project_id)


def _own_project(call: Call[Tools]) -> str:
    if not call.ctx.project_id:
        raise Invalid("Project ID was missing from quota request.", type="QuotaMissingProject")
    return call.ctx.project_id


def _check_readable(call: Call[Tools], project_id: str) -> None:
    if project_id != call.ctx.project_id:
        call.ctx.require("get_quota", project_id=project_id)


def _update(tx: Tx, call: Call[Tools], project_id: str, wanted: QuotaSpec) -> dict[str, int]:
    limits = {
        name: value
        for name, value in msgspec.structs.asdict(wanted).items()
        if name in Limits.__struct_fields__ and value is not UNSET
    }
    return quotas.set_limits(tx, call.tools.settings, project_id, limits, check=not wanted.force)
