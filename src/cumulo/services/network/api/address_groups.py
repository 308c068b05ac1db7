"""Address groups over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import address_groups
from cumulo.services.network.address_groups import (
    AddressesSpec,
    AddressGroupChange,
    AddressGroupSpec,
    Details,
)
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One address group, or many at once."""

    address_group: AddressGroupSpec | UnsetType = UNSET
    address_groups: Annotated[list[AddressGroupSpec], within("address_group")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    address_group: AddressGroupChange


class AddressGroupView(StandardView, kw_only=True):
    """An address group as clients see it."""

    addresses: list[str] | UnsetType
    shared: bool | UnsetType


@routes.get("/v2.0/address-groups", policy="regular_user")
def list_address_groups(call: Call[Tools]) -> Answer:
    """List the address groups of the project and those shared with it."""
    return ADDRESS_GROUP.listed(call, address_groups.list_groups)


@routes.post("/v2.0/address-groups", policy="create_address_group", status=201)
def create_address_group(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a name for addresses that rules may speak of."""
    return ADDRESS_GROUP.created(call, body, _create)


@routes.get("/v2.0/address-groups/{address_group_id}", policy="regular_user")
def show_address_group(call: Call[Tools], address_group_id: str) -> Answer:
    """Show an address group."""
    return ADDRESS_GROUP.shown(call, _details, address_group_id)


@routes.put("/v2.0/address-groups/{address_group_id}", policy="regular_user")
def update_address_group(call: Call[Tools], address_group_id: str, body: UpdateBody) -> Answer:
    """Rename an address group."""
    found = call.db.write(_update, call, address_group_id, body.address_group)
    return ADDRESS_GROUP.changed(call, found)


@routes.delete("/v2.0/address-groups/{address_group_id}", policy="regular_user", status=204)
def delete_address_group(call: Call[Tools], address_group_id: str) -> None:
    """Delete an address group that no rule speaks of."""
    call.db.write(_delete, call, address_group_id)


@routes.put("/v2.0/address-groups/{address_group_id}/add_addresses", policy="regular_user")
def add_addresses(call: Call[Tools], address_group_id: str, body: AddressesSpec) -> Answer:
    """Add addresses, for all rules that speak of the group."""
    return ADDRESS_GROUP.changed(call, call.db.write(_add, call, address_group_id, body))


@routes.put("/v2.0/address-groups/{address_group_id}/remove_addresses", policy="regular_user")
def remove_addresses(call: Call[Tools], address_group_id: str, body: AddressesSpec) -> Answer:
    """Take addresses away, for all rules that speak of the group."""
    return ADDRESS_GROUP.changed(call, call.db.write(_remove, call, address_group_id, body))


def _create(tx: Tx, call: Call[Tools], specs: Sequence[AddressGroupSpec]) -> list[Details]:
    made = []
    for spec in specs:
        ADDRESS_GROUP.check_create(call, spec)
        made.append(address_groups.create_group(tx, call.ctx, spec))
    return address_groups.details(tx, call.ctx, made)


def _details(tx: Tx, call: Call[Tools], group_id: str) -> Details:
    found = address_groups.group_visible(tx, call.ctx, group_id)
    return address_groups.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], group_id: str, wanted: AddressGroupChange) -> Details:
    before = _details(tx, call, group_id)
    revision = ADDRESS_GROUP.check_update(call, before, wanted)
    after = address_groups.update_group(tx, call.ctx, before.group, wanted, revision)
    return address_groups.details(tx, call.ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], group_id: str) -> None:
    found = _details(tx, call, group_id)
    ADDRESS_GROUP.check_delete(call, found)
    address_groups.delete_group(tx, call.ctx, found.group)


def _add(tx: Tx, call: Call[Tools], group_id: str, wanted: AddressesSpec) -> Details:
    group = address_groups.group_visible(tx, call.ctx, group_id)
    call.ctx.require("add_addresses", project_id=group.project_id)
    after = address_groups.add_addresses(tx, call.ctx, group, wanted)
    return address_groups.details(tx, call.ctx, [after])[0]


def _remove(tx: Tx, call: Call[Tools], group_id: str, gone: AddressesSpec) -> Details:
    group = address_groups.group_visible(tx, call.ctx, group_id)
    call.ctx.require("remove_addresses", project_id=group.project_id)
    after = address_groups.remove_addresses(tx, call.ctx, group, gone)
    return address_groups.details(tx, call.ctx, [after])[0]


def _view(call: Call[Tools], found: Details) -> AddressGroupView:
    return AddressGroupView(
        **standard(found.group), addresses=found.group.addresses, shared=found.shared
    )


ADDRESS_GROUP: Noun[Details] = Noun(
    "address_group",
    "address_groups",
    lambda found: found.group,
    _view,
    address_groups.not_found,
    lambda found: {"shared": found.shared},
    hides=True,
)
