"""Address scopes over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import address_scopes
from cumulo.services.network.address_scopes import AddressScopeChange, AddressScopeSpec, Details
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun
from cumulo.services.network.api.requests import within
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One address scope, or many at once."""

    address_scope: AddressScopeSpec | UnsetType = UNSET
    address_scopes: Annotated[list[AddressScopeSpec], within("address_scope")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    address_scope: AddressScopeChange


class AddressScopeView(msgspec.Struct, kw_only=True):
    """An address scope as clients see it."""

    id: str | UnsetType
    name: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    ip_version: int | UnsetType
    shared: bool | UnsetType


@routes.get("/v2.0/address-scopes", policy="regular_user")
def list_address_scopes(call: Call[Tools]) -> Answer:
    """List the address scopes of the project and those shared with it."""
    return ADDRESS_SCOPE.listed(call, address_scopes.list_scopes)


@routes.post("/v2.0/address-scopes", policy="create_address_scope", status=201)
def create_address_scope(call: Call[Tools], body: CreateBody) -> Answer:
    """Create an address scope for subnet pools."""
    return ADDRESS_SCOPE.created(call, body, _create)


@routes.get("/v2.0/address-scopes/{address_scope_id}", policy="regular_user")
def show_address_scope(call: Call[Tools], address_scope_id: str) -> Answer:
    """Show an address scope."""
    return ADDRESS_SCOPE.shown(call, _details, address_scope_id)


@routes.put("/v2.0/address-scopes/{address_scope_id}", policy="regular_user")
def update_address_scope(call: Call[Tools], address_scope_id: str, body: UpdateBody) -> Answer:
    """Rename an address scope, or share it with everyone."""
    found = call.db.write(_update, call, address_scope_id, body.address_scope)
    return ADDRESS_SCOPE.changed(call, found)


@routes.delete("/v2.0/address-scopes/{address_scope_id}", policy="regular_user", status=204)
def delete_address_scope(call: Call[Tools], address_scope_id: str) -> None:
    """Delete an address scope that no subnet pool is in."""
    call.db.write(_delete, call, address_scope_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[AddressScopeSpec]) -> list[Details]:
    made = []
    for spec in specs:
        ADDRESS_SCOPE.check_create(call, spec)
        made.append(address_scopes.create_scope(tx, call.ctx, spec))
    return address_scopes.details(tx, call.ctx, made)


def _details(tx: Tx, call: Call[Tools], scope_id: str) -> Details:
    found = address_scopes.scope_visible(tx, call.ctx, scope_id)
    return address_scopes.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], scope_id: str, wanted: AddressScopeChange) -> Details:
    before = _details(tx, call, scope_id)
    ADDRESS_SCOPE.check_update(call, before, wanted)
    after = address_scopes.update_scope(tx, call.ctx, before.scope, wanted)
    return address_scopes.details(tx, call.ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], scope_id: str) -> None:
    found = _details(tx, call, scope_id)
    ADDRESS_SCOPE.check_delete(call, found)
    address_scopes.delete_scope(tx, call.ctx, found.scope)


def _view(call: Call[Tools], found: Details) -> AddressScopeView:
    scope = found.scope
    return AddressScopeView(
        id=scope.id,
        name=scope.name,
        tenant_id=scope.project_id,
        project_id=scope.project_id,
        ip_version=scope.ip_version,
        shared=found.shared,
    )


ADDRESS_SCOPE: Noun[Details] = Noun(
    "address_scope",
    "address_scopes",
    lambda found: found.scope,
    _view,
    address_scopes.not_found,
    lambda found: {"shared": found.shared},
)
