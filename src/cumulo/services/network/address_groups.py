"""Address groups: addresses that security groups' rules speak of by one name."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, rbac_policies, refusals, spelling
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.spelling import Text
from cumulo.services.network.store import address_groups as store
from cumulo.services.network.store import changes, listing, sharing, standard, tables
from cumulo.services.network.store.address_groups import AddressGroup
from cumulo.services.network.store.listing import Listing


class AddressGroupSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about an address group it wants."""

    name: Text = ""
    description: Text = ""
    addresses: list[str] = []
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class AddressGroupChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about an address group."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET


class AddressesSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Addresses to add to a group's, or to take from them."""

    addresses: list[str]


class Details(msgspec.Struct, frozen=True):
    """An address group with what is kept outside of its row."""

    group: AddressGroup
    shared: bool


def not_found(group_id: str) -> NotFound:
    """Return the error for an address group that is not, or not for this caller."""
    return NotFound(f"Address group {group_id} could not be found.", type="AddressGroupNotFound")


def group_visible(tx: Tx, ctx: Context, group_id: str) -> AddressGroup:
    """Return an address group the caller may know of; to anyone else it does not exist."""
    seen = sharing.lent(tables.address_group, viewer(ctx))
    found = standard.find(tx, tables.address_group, AddressGroup, group_id, seen)
    if found is None:
        raise not_found(group_id)
    return found


def checked(texts: Sequence[str]) -> list[str]:
    """Return ranges in their one spelling, each once, or refuse what has no prefix length."""
    for text in texts:
        if "/" not in text:
            raise refusals.invalid_value("addresses", f"'{text}' is not a valid IP subnet")
    return sorted({spelling.cidr(text, "addresses") for text in texts})


def create_group(tx: Tx, ctx: Context, spec: AddressGroupSpec) -> AddressGroup:
    """Record a new address group."""
    now = clock.now()
    group = AddressGroup(
        id=new_id(),
        project_id=owner(ctx, spec.project_id, spec.tenant_id),
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        addresses=checked(spec.addresses),
    )
    standard.insert(tx, tables.address_group, group)
    journal.created(tx, ctx, "address_group", group)
    return group


def update_group(
    tx: Tx,
    ctx: Context,
    group: AddressGroup,
    wanted: AddressGroupChange,
    revision: int | None = None,
) -> AddressGroup:
    """Change an address group as it stands at `revision`, if one is given."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if not standard.change(tx, tables.address_group, group.id, revision=revision, **values):
        raise LostRace
    after = group_visible(tx, ctx, group.id)
    journal.updated(tx, ctx, "address_group", group, after)
    return after


def add_addresses(tx: Tx, ctx: Context, group: AddressGroup, wanted: AddressesSpec) -> AddressGroup:
    """Add addresses to those the group has."""
    return _set(tx, ctx, group, {*group.addresses, *checked(wanted.addresses)})


def remove_addresses(
    tx: Tx, ctx: Context, group: AddressGroup, gone: AddressesSpec
) -> AddressGroup:
    """Take addresses away that the group has."""
    spelled = {
        spelling.cidr(text if "/" in text else f"{spelling.ip_address(text)}/32", "addresses")
        for text in gone.addresses
    }
    missing = spelled - set(group.addresses)
    if missing:
        raise NotFound(
            f"Addresses {', '.join(sorted(missing))} not found in the address group {group.id}.",
            type="AddressesNotFound",
        )
    return _set(tx, ctx, group, set(group.addresses) - spelled)


def _set(tx: Tx, ctx: Context, group: AddressGroup, addresses: Collection[str]) -> AddressGroup:
    """Change the addresses of a group, and what its rules admit on running guests."""
    values = {"addresses": sorted(addresses)}
    revision = group.revision_number
    if not standard.change(tx, tables.address_group, group.id, revision=revision, **values):
        raise LostRace
    changes.mark(tx, "security_group", store.security_groups_with(tx, group.id))
    after = group_visible(tx, ctx, group.id)
    journal.updated(tx, ctx, "address_group", group, after)
    return after


def delete_group(tx: Tx, ctx: Context, group: AddressGroup) -> None:
    """Forget an address group that no rule speaks of."""
    if store.security_groups_with(tx, group.id):
        raise Conflict(
            f"Address group {group.id} is in use on one or more security group rules.",
            type="AddressGroupInUse",
        )
    rbac_policies.forget(tx, ctx, group.id)
    if not standard.remove(tx, tables.address_group, group.id):
        raise not_found(group.id)
    journal.deleted(tx, ctx, "address_group", group)


_SHAPE = listing.Shape(tables.address_group, listing.columns_of(tables.address_group, "name"))


def list_groups(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the address groups the caller may know of."""
    eyes = viewer(ctx)
    shape = listing.with_shared(_SHAPE, eyes.project_id)
    rows = listing.rows(tx, shape, sharing.lent(tables.address_group, eyes), wanted)
    return details(tx, ctx, [AddressGroup(*row) for row in rows])


def details(tx: Tx, ctx: Context, groups: Sequence[AddressGroup]) -> list[Details]:
    """Return the address groups, and whether others lent them."""
    shared = sharing.shared_with(tx, ctx.project_id or "", [group.id for group in groups])
    return [Details(group, group.id in shared) for group in groups]
