"""Policies kept for other services; deprecated in the API, and still asked for."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import policies
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    PageQuery,
    collection,
    given,
    link,
    listing,
    split,
)
from cumulo.services.identity.policies import Policy
from cumulo.web import Routes

routes = Routes()

Type = Annotated[str, Meta(max_length=255)]


class PolicySpec(msgspec.Struct, kw_only=True):
    """What a client wants kept."""

    type: Type
    blob: str


class PolicyPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    blob: str | UnsetType = UNSET


class PolicyBody(msgspec.Struct, forbid_unknown_fields=True):
    """A policy in a request."""

    policy: Attributes


class PolicyQuery(PageQuery, kw_only=True):
    """Which policies."""

    type: str | None = None


@routes.get("/v3/policies", policy="identity:list_policies")
def list_policies(call: Call, query: PolicyQuery) -> dict[str, object]:
    """List policies."""
    page = call.db.read(policies.policy_list, listing(call, query))
    return collection(call, "policies", page, lambda one: show_policy(call, one))


@routes.post("/v3/policies", policy="identity:create_policy", status=201)
def create_policy(call: Call, body: PolicyBody) -> dict[str, object]:
    """Keep a policy."""
    spec, extra = split(PolicySpec, body.policy)
    new = Policy(new_hex_id(), spec.type, spec.blob, extra)
    return {"policy": show_policy(call, call.db.write(policies.create_policy, call.ctx, new))}


@routes.get("/v3/policies/{policy_id}", policy="identity:get_policy")
def get_policy(call: Call, policy_id: str) -> dict[str, object]:
    """Show a policy."""
    return {"policy": show_policy(call, call.db.read(policies.policy_get, policy_id))}


@routes.patch("/v3/policies/{policy_id}", policy="identity:update_policy")
def update_policy(call: Call, policy_id: str, body: PolicyBody) -> dict[str, object]:
    """Change a policy."""
    changes = given(*split(PolicyPatch, body.policy))
    policy = call.db.write(policies.update_policy, call.ctx, policy_id, changes)
    return {"policy": show_policy(call, policy)}


@routes.delete("/v3/policies/{policy_id}", policy="identity:delete_policy", status=204)
def delete_policy(call: Call, policy_id: str) -> None:
    """Delete a policy."""
    call.db.write(policies.delete_policy, call.ctx, policy_id)


def show_policy(call: Call, policy: Policy) -> dict[str, object]:
    """Return a policy as clients see it."""
    return {
        **policy.extra,
        "id": policy.id,
        "type": policy.type,
        "blob": policy.blob,
        "links": link(call, "policies", policy.id),
    }
