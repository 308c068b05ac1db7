"""Unified limits: registered ones for all, limits for projects and domains."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import limits
from cumulo.services.identity.api.wire import (
    Call,
    Id,
    PageQuery,
    collection,
    given,
    link,
    listing,
)
from cumulo.services.identity.limits import MODELS, Limit, RegisteredLimit
from cumulo.web import Routes

routes = Routes()

Amount = Annotated[int, Meta(ge=-1, le=0x7FFFFFFF)]
Resource = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
Region = Annotated[str, Meta(max_length=255)]


class RegisteredSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client wants registered."""

    service_id: Id
    resource_name: Resource
    default_limit: Amount
    region_id: Region | None = None
    description: str | None = None


class RegisteredPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client wants different."""

    service_id: Id | UnsetType = UNSET
    region_id: Region | UnsetType | None = UNSET
    resource_name: Resource | UnsetType = UNSET
    default_limit: Amount | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class RegisteredBody(msgspec.Struct, forbid_unknown_fields=True):
    """Registered limits in a request."""

    registered_limits: Annotated[list[RegisteredSpec], Meta(min_length=1)]


class RegisteredPatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a registered limit."""

    registered_limit: RegisteredPatch


class LimitSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client wants one project or domain to have."""

    service_id: Id
    resource_name: Resource
    resource_limit: Amount
    project_id: Id | None = None
    domain_id: Id | None = None
    region_id: Region | None = None
    description: str | None = None


class LimitPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client wants different."""

    resource_limit: Amount | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Limits in a request."""

    limits: Annotated[list[LimitSpec], Meta(min_length=1)]


class LimitPatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a limit."""

    limit: LimitPatch


class RegisteredQuery(PageQuery, kw_only=True):
    """Which registered limits."""

    service_id: str | None = None
    region_id: str | None = None
    resource_name: str | None = None


class LimitQuery(RegisteredQuery, kw_only=True):
    """Which limits."""

    project_id: str | None = None
    domain_id: str | None = None


class Model(msgspec.Struct):
    """How limits of projects and of those above them go together."""

    name: str
    description: str


class ModelBody(msgspec.Struct):
    """The model in an answer."""

    model: Model


@routes.get("/v3/registered_limits", policy="identity:list_registered_limits")
def list_registered_limits(call: Call, query: RegisteredQuery) -> dict[str, object]:
    """List what everyone may have."""
    found = call.db.read(limits.registered_list, listing(call, query))
    return collection(call, "registered_limits", found, lambda one: _registered(call, one))


@routes.post("/v3/registered_limits", policy="identity:create_registered_limits", status=201)
def create_registered_limits(call: Call, body: RegisteredBody) -> dict[str, object]:
    """Register what everyone may have of resources."""
    wanted = [
        RegisteredLimit(
            new_hex_id(),
            one.service_id,
            one.region_id,
            one.resource_name,
            one.default_limit,
            one.description,
        )
        for one in body.registered_limits
    ]
    made = call.db.write(limits.create_registered, call.ctx, wanted)
    return {"registered_limits": [_registered(call, one) for one in made]}


@routes.get("/v3/registered_limits/{registered_limit_id}", policy="identity:get_registered_limit")
def get_registered_limit(call: Call, registered_limit_id: str) -> dict[str, object]:
    """Show a registered limit."""
    found = call.db.read(limits.registered_get, registered_limit_id)
    return {"registered_limit": _registered(call, found)}


@routes.patch(
    "/v3/registered_limits/{registered_limit_id}", policy="identity:update_registered_limit"
)
def update_registered_limit(
    call: Call, registered_limit_id: str, body: RegisteredPatchBody
) -> dict[str, object]:
    """Change a registered limit."""
    changes = given(body.registered_limit, {})
    found = call.db.write(limits.update_registered, call.ctx, registered_limit_id, changes)
    return {"registered_limit": _registered(call, found)}


@routes.delete(
    "/v3/registered_limits/{registered_limit_id}",
    policy="identity:delete_registered_limit",
    status=204,
)
def delete_registered_limit(call: Call, registered_limit_id: str) -> None:
    """Delete a registered limit."""
    call.db.write(limits.delete_registered, call.ctx, registered_limit_id)


@routes.get("/v3/limits", policy="identity:list_limits")
def list_limits(call: Call, query: LimitQuery) -> dict[str, object]:
    """List limits."""
    found = call.db.read(limits.limit_list, call.ctx, listing(call, query))
    return collection(call, "limits", found, lambda one: _limit(call, one))


@routes.post("/v3/limits", policy="identity:create_limits", status=201)
def create_limits(call: Call, body: LimitsBody) -> dict[str, object]:
    """Limit what projects or domains may have."""
    wanted = [_wanted(one) for one in body.limits]
    made = call.db.write(limits.create_limits, call.ctx, call.tools.settings, wanted)
    return {"limits": [_limit(call, one) for one in made]}


@routes.get("/v3/limits/model", policy="identity:get_limit_model")
def get_limit_model(call: Call) -> ModelBody:
    """Show how limits of projects and of those above them go together."""
    name = call.tools.settings.enforcement_model
    return ModelBody(Model(name, MODELS[name]))


@routes.get("/v3/limits/{limit_id}", policy="identity:get_limit", on_target=True)
def get_limit(call: Call, limit_id: str) -> dict[str, object]:
    """Show a limit."""
    return {"limit": _limit(call, call.db.read(limits.limit_visible, call.ctx, limit_id))}


@routes.patch("/v3/limits/{limit_id}", policy="identity:update_limit")
def update_limit(call: Call, limit_id: str, body: LimitPatchBody) -> dict[str, object]:
    """Change a limit."""
    changes = given(body.limit, {})
    settings = call.tools.settings
    found = call.db.write(limits.update_limit, call.ctx, settings, limit_id, changes)
    return {"limit": _limit(call, found)}


@routes.delete("/v3/limits/{limit_id}", policy="identity:delete_limit", status=204)
def delete_limit(call: Call, limit_id: str) -> None:
    """Delete a limit, so that the registered one holds."""
    call.db.write(limits.delete_limit, call.ctx, limit_id)


def _wanted(spec: LimitSpec) -> Limit:
    if (spec.project_id is None) == (spec.domain_id is None):
        raise Invalid("A limit is for a project or for a domain.", field="project_id")
    return Limit(
        id=new_hex_id(),
        registered_limit_id="",
        project_id=spec.project_id,
        domain_id=spec.domain_id,
        service_id=spec.service_id,
        region_id=spec.region_id,
        resource_name=spec.resource_name,
        resource_limit=spec.resource_limit,
        description=spec.description,
    )


def _registered(call: Call, one: RegisteredLimit) -> dict[str, object]:
    links = link(call, "registered_limits", one.id)
    return {**msgspec.structs.asdict(one), "links": links}


def _limit(call: Call, one: Limit) -> dict[str, object]:
    shown = msgspec.structs.asdict(one)
    del shown["registered_limit_id"]
    return {**shown, "links": link(call, "limits", one.id)}
