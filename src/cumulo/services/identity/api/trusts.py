"""Trusts: OS-TRUST."""

from typing import Annotated

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.kit.clock import iso_micro_z
from cumulo.services.identity import trusts
from cumulo.services.identity.api.views import show_role
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    Id,
    collection,
    link,
    moment,
    split,
)
from cumulo.services.identity.listings import Page
from cumulo.services.identity.trusts import Listed, RoleRef, Trust, Wanted
from cumulo.web import LooseBool, Routes

routes = Routes()

Whole = Annotated[int, Meta(ge=0)]


class TrustSpec(msgspec.Struct, kw_only=True):
    """What a client says about the trust it wants."""

    trustor_user_id: Id
    trustee_user_id: Id
    impersonation: LooseBool
    project_id: Id | None = None
    roles: list[RoleRef] = []
    expires_at: str | None = None
    remaining_uses: Annotated[int, Meta(ge=1)] | None = None
    allow_redelegation: LooseBool | None = False
    redelegation_count: Whole | None = None


class TrustBody(msgspec.Struct, forbid_unknown_fields=True):
    """A trust in a request."""

    trust: Attributes


class TrustQuery(msgspec.Struct, kw_only=True):
    """Whose trusts."""

    trustor_user_id: str | None = None
    trustee_user_id: str | None = None


@routes.get("/v3/OS-TRUST/trusts", policy="identity:list_trusts", on_target=True)
def list_trusts(call: Call, query: TrustQuery) -> dict[str, object]:
    """List trusts."""
    wanted = Listed(query.trustor_user_id or None, query.trustee_user_id or None)
    found = call.db.read(trusts.trust_list, call.ctx, wanted)
    return collection(call, "trusts", Page(found), lambda one: _show(call, one))


@routes.post("/v3/OS-TRUST/trusts", policy="identity:create_trust", status=201, on_target=True)
def create_trust(call: Call, body: TrustBody) -> dict[str, object]:
    """Lend another user roles on a project."""
    spec, _ = split(TrustSpec, body.trust)
    wanted = Wanted(
        trustor_user_id=spec.trustor_user_id,
        trustee_user_id=spec.trustee_user_id,
        impersonation=spec.impersonation,
        project_id=spec.project_id,
        roles=spec.roles,
        expires_at=moment(spec.expires_at, "expires_at"),
        remaining_uses=spec.remaining_uses,
        allow_redelegation=bool(spec.allow_redelegation),
        redelegation_count=spec.redelegation_count,
    )
    return {"trust": call.db.write(_create, call, wanted)}


@routes.get("/v3/OS-TRUST/trusts/{trust_id}", policy="identity:get_trust", on_target=True)
def get_trust(call: Call, trust_id: str) -> dict[str, object]:
    """Show a trust."""
    return {"trust": call.db.read(_get, call, trust_id)}


@routes.delete(
    "/v3/OS-TRUST/trusts/{trust_id}",
    policy="identity:delete_trust",
    status=204,
    on_target=True,
)
def delete_trust(call: Call, trust_id: str) -> None:
    """End a trust and those that were redelegated from it."""
    call.db.write(trusts.delete_trust, call.ctx, trust_id)


@routes.get(
    "/v3/OS-TRUST/trusts/{trust_id}/roles",
    policy="identity:list_roles_for_trust",
    on_target=True,
)
def list_trust_roles(call: Call, trust_id: str) -> dict[str, object]:
    """List the roles that a trust lends."""
    found = call.db.read(_roles, call, trust_id)
    return collection(call, "roles", Page(found), lambda one: show_role(call, one))


@routes.get(
    "/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}",
    policy="identity:get_role_for_trust",
    on_target=True,
)
def get_trust_role(call: Call, trust_id: str, role_id: str) -> dict[str, object]:
    """Show a role that a trust lends."""
    role = call.db.read(trusts.role_of, call.ctx, trust_id, role_id)
    return {"role": show_role(call, role)}


def _create(tx: Tx, call: Call, wanted: Wanted) -> dict[str, object]:
    trust = trusts.create_trust(tx, call.ctx, call.tools.settings, wanted)
    return _show_whole(tx, call, trust)


def _get(tx: Tx, call: Call, trust_id: str) -> dict[str, object]:
    return _show_whole(tx, call, trusts.trust_visible(tx, call.ctx, trust_id))


def _roles(tx: Tx, call: Call, trust_id: str) -> list[trusts.Role]:
    rule = "identity:list_roles_for_trust"
    return trusts.roles_of(tx, trusts.trust_visible(tx, call.ctx, trust_id, rule))


def _show_whole(tx: Tx, call: Call, trust: Trust) -> dict[str, object]:
    roles = [show_role(call, role) for role in trusts.roles_of(tx, trust)]
    here = link(call, "OS-TRUST", "trusts", trust.id, "roles")["self"]
    links = {"self": here, "next": None, "previous": None}
    return {**_show(call, trust), "roles": roles, "roles_links": links}


def _show(call: Call, trust: Trust) -> dict[str, object]:
    view: dict[str, object] = {
        "id": trust.id,
        "trustor_user_id": trust.trustor_user_id,
        "trustee_user_id": trust.trustee_user_id,
        "project_id": trust.project_id,
        "impersonation": trust.impersonation,
        "expires_at": iso_micro_z(trust.expires_at) if trust.expires_at else None,
        "remaining_uses": trust.remaining_uses,
        "redelegation_count": trust.redelegation_count,
        "deleted_at": None,
        "links": link(call, "OS-TRUST", "trusts", trust.id),
    }
    if trust.redelegated_trust_id:
        view["redelegated_trust_id"] = trust.redelegated_trust_id
    return view
