"""Roles and which imply which."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import roles
from cumulo.services.identity.api.views import show_role
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    DomainNamedQuery,
    Id,
    Name255,
    ResourceOptions,
    collection,
    given,
    link,
    listing,
    options_set,
    split,
)
from cumulo.services.identity.roles import Role
from cumulo.web import Routes

routes = Routes()

Text = Annotated[str, Meta(max_length=65535)]


class RoleSpec(msgspec.Struct, kw_only=True):
    """What a client says about the role it wants."""

    name: Name255
    domain_id: Id | None = None
    description: Text | None = None
    options: ResourceOptions | UnsetType = UNSET


class RolePatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    name: Name255 | UnsetType = UNSET
    domain_id: str | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    options: ResourceOptions | UnsetType = UNSET


class RoleBody(msgspec.Struct, forbid_unknown_fields=True):
    """A role in a request."""

    role: Attributes


class RoleName(msgspec.Struct):
    """A role in a statement of which implies which."""

    id: str
    links: dict[str, object]
    name: str


class Inference(msgspec.Struct):
    """A role and one that it implies."""

    prior_role: RoleName
    implies: RoleName


class Inferences(msgspec.Struct):
    """A role and all that it implies directly."""

    prior_role: RoleName
    implies: list[RoleName]


class InferenceBody(msgspec.Struct):
    """One implication in an answer."""

    role_inference: Inference
    links: dict[str, object]


class InferencesBody(msgspec.Struct):
    """All implications of one role in an answer."""

    role_inference: Inferences
    links: dict[str, object]


class AllInferencesBody(msgspec.Struct):
    """All implications in an answer."""

    role_inferences: list[Inferences]


@routes.get("/v3/roles", policy="identity:list_roles", on_target=True)
def list_roles(call: Call, query: DomainNamedQuery) -> dict[str, object]:
    """List the global roles or, with a filter, those of a domain."""
    page = call.db.read(roles.role_list, call.ctx, listing(call, query))
    return collection(call, "roles", page, lambda one: show_role(call, one))


@routes.post("/v3/roles", policy="identity:create_role", status=201, on_target=True)
def create_role(call: Call, body: RoleBody) -> dict[str, object]:
    """Create a role."""
    spec, extra = split(RoleSpec, body.role)
    new = Role(
        id=new_hex_id(),
        name=spec.name,
        domain_id=spec.domain_id,
        description=spec.description,
        options=options_set(spec.options),
        extra=extra,
    )
    return {"role": show_role(call, call.db.write(roles.create_role, call.ctx, new))}


@routes.get("/v3/roles/{role_id}", policy="identity:get_role", on_target=True)
def get_role(call: Call, role_id: str) -> dict[str, object]:
    """Show a role."""
    return {"role": show_role(call, call.db.read(roles.role_visible, call.ctx, role_id))}


@routes.patch("/v3/roles/{role_id}", policy="identity:update_role", on_target=True)
def update_role(call: Call, role_id: str, body: RoleBody) -> dict[str, object]:
    """Change a role."""
    changes = given(*split(RolePatch, body.role))
    role = call.db.write(roles.update_role, call.ctx, role_id, changes)
    return {"role": show_role(call, role)}


@routes.delete("/v3/roles/{role_id}", policy="identity:delete_role", status=204, on_target=True)
def delete_role(call: Call, role_id: str) -> None:
    """Delete a role, which takes it back from everyone."""
    call.db.write(roles.delete_role, call.ctx, role_id)


@routes.get("/v3/role_inferences", policy="identity:list_role_inference_rules")
def list_inferences(call: Call) -> AllInferencesBody:
    """List which roles imply which."""
    found = call.db.read(roles.inferences)
    return AllInferencesBody(
        [Inferences(_name(call, prior), _names(call, implied)) for prior, implied in found]
    )


@routes.get("/v3/roles/{role_id}/implies", policy="identity:list_implied_roles")
def list_implied_roles(call: Call, role_id: str) -> InferencesBody:
    """List the roles that one implies directly."""
    prior, implied = call.db.read(roles.implied_by, call.ctx, role_id)
    return InferencesBody(
        Inferences(_name(call, prior), _names(call, implied)),
        link(call, "roles", prior.id, "implies"),
    )


@routes.get("/v3/roles/{role_id}/implies/{implied_role_id}", policy="identity:get_implied_role")
def get_implied_role(call: Call, role_id: str, implied_role_id: str) -> InferenceBody:
    """Show that a role implies another."""
    rule = "identity:get_implied_role"
    return _inference(
        call, *call.db.read(roles.implication, call.ctx, role_id, implied_role_id, rule)
    )


@routes.head(
    "/v3/roles/{role_id}/implies/{implied_role_id}",
    policy="identity:check_implied_role",
    status=204,
)
def check_implied_role(call: Call, role_id: str, implied_role_id: str) -> None:
    """Say whether a role implies another."""
    rule = "identity:check_implied_role"
    call.db.read(roles.implication, call.ctx, role_id, implied_role_id, rule)


@routes.put(
    "/v3/roles/{role_id}/implies/{implied_role_id}",
    policy="identity:create_implied_role",
    status=201,
)
def create_implied_role(call: Call, role_id: str, implied_role_id: str) -> InferenceBody:
    """Let a role imply another."""
    return _inference(call, *call.db.write(roles.imply, call.ctx, role_id, implied_role_id))


@routes.delete(
    "/v3/roles/{role_id}/implies/{implied_role_id}",
    policy="identity:delete_implied_role",
    status=204,
)
def delete_implied_role(call: Call, role_id: str, implied_role_id: str) -> None:
    """End an implication."""
    call.db.write(roles.imply_no_more, call.ctx, role_id, implied_role_id)


def _inference(call: Call, prior: Role, implied: Role) -> InferenceBody:
    return InferenceBody(
        Inference(_name(call, prior), _name(call, implied)),
        link(call, "roles", prior.id, "implies", implied.id),
    )


def _name(call: Call, role: Role) -> RoleName:
    return RoleName(role.id, link(call, "roles", role.id), role.name)


def _names(call: Call, found: list[Role]) -> list[RoleName]:
    return [_name(call, role) for role in found]
