"""Address scopes: within one, addresses mean one thing and need no translation."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, rbac_policies, refusals
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.spelling import LooseBool, LooseInt, Text
from cumulo.services.network.store import listing, sharing, standard, tables
from cumulo.services.network.store import subnetpools as store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.subnetpools import AddressScope


class AddressScopeSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about an address scope it wants."""

    name: Text
    ip_version: Annotated[LooseInt, Meta(ge=4, le=6)]
    shared: LooseBool = False
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class AddressScopeChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about an address scope."""

    name: Text | UnsetType = UNSET
    shared: LooseBool | UnsetType = UNSET


class Details(msgspec.Struct, frozen=True):
    """An address scope with what is kept outside of its row."""

    scope: AddressScope
    shared: bool


def not_found(scope_id: str) -> NotFound:
    """Return the error for an address scope that is not, or not for this caller."""
    return NotFound(f"Address scope {scope_id} could not be found", type="AddressScopeNotFound")


def scope_visible(tx: Tx, ctx: Context, scope_id: str) -> AddressScope:
    """Return an address scope the caller may know of; to anyone else it does not exist."""
    seen = sharing.lent(tables.address_scope, viewer(ctx))
    found = standard.find(tx, tables.address_scope, AddressScope, scope_id, seen)
    if found is None:
        raise not_found(scope_id)
    return found


def create_scope(tx: Tx, ctx: Context, spec: AddressScopeSpec) -> AddressScope:
    """Record a new address scope."""
    project_id = owner(ctx, spec.project_id, spec.tenant_id)
    if spec.ip_version not in (4, 6):
        raise refusals.invalid_value("ip_version", f"'{spec.ip_version}' is not in [4, 6]")
    scope = AddressScope(new_id(), project_id, spec.name, spec.ip_version)
    standard.insert(tx, tables.address_scope, scope)
    if spec.shared:
        rbac_policies.grant(tx, ctx, "address_scope", scope, sharing.SHARED)
    journal.created(tx, ctx, "address_scope", scope)
    return scope


def update_scope(
    tx: Tx,
    ctx: Context,
    scope: AddressScope,
    wanted: AddressScopeChange,
) -> AddressScope:
    """Change an address scope; what is shared stays so."""
    if wanted.shared is False and sharing.grant_find(tx, scope.id, sharing.SHARED, "*"):
        raise refusals.bad_request_of(
            "AddressScopeUpdateError",
            f"Unable to update address scope {scope.id} : Shared address scope can't be unshared",
        )
    if wanted.shared is True:
        rbac_policies.grant(tx, ctx, "address_scope", scope, sharing.SHARED)
    after = scope
    if wanted.name is not UNSET:
        after = msgspec.structs.replace(scope, name=wanted.name)
        standard.change(tx, tables.address_scope, scope.id, name=wanted.name)
    journal.updated(tx, ctx, "address_scope", scope, after)
    return after


def delete_scope(tx: Tx, ctx: Context, scope: AddressScope) -> None:
    """Forget an address scope without subnet pools."""
    if store.scope_users(tx, scope.id):
        raise Conflict(
            f"Unable to complete operation on address scope {scope.id}. There are one or more "
            "subnet pools in use on the address scope",
            type="AddressScopeInUse",
        )
    rbac_policies.forget(tx, ctx, scope.id)
    if not standard.remove(tx, tables.address_scope, scope.id):
        raise not_found(scope.id)
    journal.deleted(tx, ctx, "address_scope", scope)


_SHAPE = listing.Shape(
    tables.address_scope,
    {
        **{name: tables.address_scope.c[name] for name in ("id", "name", "ip_version")},
        "project_id": tables.address_scope.c.project_id,
        "tenant_id": tables.address_scope.c.project_id,
    },
)


def list_scopes(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the address scopes the caller may know of."""
    eyes = viewer(ctx)
    shape = listing.with_shared(_SHAPE, eyes.project_id)
    rows = listing.rows(tx, shape, sharing.lent(tables.address_scope, eyes), wanted)
    return details(tx, ctx, [AddressScope(*row) for row in rows])


def details(tx: Tx, ctx: Context, scopes: Sequence[AddressScope]) -> list[Details]:
    """Return the address scopes, and whether others lent them."""
    shared = sharing.shared_with(tx, ctx.project_id or "", [scope.id for scope in scopes])
    return [Details(scope, scope.id in shared) for scope in scopes]
