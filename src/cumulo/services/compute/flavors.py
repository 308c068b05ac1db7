"""Flavors: what may be done with them, and by whom they are seen."""

from collections.abc import Mapping

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import ids
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.compute.store import flavors as store
from cumulo.services.compute.store.flavors import Flavor as Flavor
from cumulo.services.compute.store.flavors import FlavorFilter as FlavorFilter
from cumulo.services.compute.store.flavors import SortKey as SortKey
from cumulo.work import events


class FlavorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a new flavor should be; without an id it gets one."""

    id: str | None = None
    name: str
    memory_mib: int
    vcpus: int
    root_gib: int
    ephemeral_gib: int = 0
    swap_mib: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    description: str | None = None


# For guests that need next to nothing.  The rest is for operators to choose, as with OpenStack,
# whose guides begin with `openstack flavor create --id 1 ... m1.small`.
FIRST = FlavorSpec(id="0", name="m1.nano", memory_mib=128, vcpus=1, root_gib=1)


def add_first_flavor(tx: Tx, ctx: Context) -> None:
    """Give a new cloud a flavor; one that has any keeps what it has."""
    if not store.flavor_list(tx, FlavorFilter(is_public=None, limit=1)):
        new_flavor(tx, ctx, FIRST)


def new_flavor(tx: Tx, ctx: Context, spec: FlavorSpec) -> Flavor:
    """Record a flavor; neither its name nor its id may be in use."""
    flavor_id = spec.id or ids.new_id()
    if store.flavor_named(tx, spec.name):
        raise Conflict(f"Flavor with name {spec.name} already exists.", name=spec.name)
    if store.flavor_find(tx, flavor_id):
        raise Conflict(f"Flavor with ID {flavor_id} already exists.", flavor_id=flavor_id)
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__ if name != "id"}
    store.flavor_add(tx, Flavor(row=0, id=flavor_id, **fields))
    flavor = store.flavor_get(tx, flavor_id)
    _record(tx, ctx, "create", None, flavor)
    return flavor


def flavor_visible(tx: Tx, ctx: Context, flavor_id: str) -> Flavor:
    """Return a flavor the caller may use; to anyone else it does not exist."""
    flavor = store.flavor_get(tx, flavor_id)
    if flavor.is_public or ctx.is_admin or store.has_access(tx, flavor.row, ctx.project_id):
        return flavor
    raise NotFound(f"Flavor {flavor_id} could not be found.", flavor_id=flavor_id)


def list_flavors(tx: Tx, ctx: Context, wanted: FlavorFilter) -> list[Flavor]:
    """Return the flavors asked for; only administrators see other than those they may use."""
    is_public = wanted.is_public if ctx.is_admin else True
    wanted = msgspec.structs.replace(wanted, is_public=is_public, project_id=ctx.project_id)
    try:
        return store.flavor_list(tx, wanted)
    except NotFound as error:
        raise Invalid(f"marker [{wanted.marker}] not found", marker=wanted.marker) from error


def describe_flavor(tx: Tx, ctx: Context, flavor_id: str, description: str | None) -> Flavor:
    """Change the description, which is all of a flavor that can change."""
    before = flavor_visible(tx, ctx, flavor_id)
    store.flavor_describe(tx, before.row, description)
    flavor = store.flavor_get(tx, flavor_id)
    _record(tx, ctx, "update", before, flavor)
    return flavor


def delete_flavor(tx: Tx, ctx: Context, flavor_id: str) -> None:
    """Remove a flavor; servers keep what it was when they were created."""
    flavor = flavor_visible(tx, ctx, flavor_id)
    store.flavor_delete(tx, flavor.row)
    _record(tx, ctx, "delete", flavor, None)


def set_extra_specs(tx: Tx, ctx: Context, flavor_id: str, specs: Mapping[str, str]) -> Flavor:
    """Add or change the extra specs named; the others stay."""
    before = flavor_visible(tx, ctx, flavor_id)
    store.extra_specs_set(tx, before.row, specs)
    flavor = store.flavor_get(tx, flavor_id)
    _record(tx, ctx, "update", before, flavor)
    return flavor


def delete_extra_spec(tx: Tx, ctx: Context, flavor_id: str, key: str) -> None:
    """Remove one extra spec, which must be there."""
    before = flavor_visible(tx, ctx, flavor_id)
    if not store.extra_spec_delete(tx, before.row, key):
        raise NotFound(f"Flavor {flavor_id} has no extra specs with key {key}.", key=key)
    _record(tx, ctx, "update", before, store.flavor_get(tx, flavor_id))


def list_access(tx: Tx, ctx: Context, flavor_id: str) -> list[str]:
    """Return the projects that may use a private flavor."""
    return store.access_list(tx, flavor_visible(tx, ctx, flavor_id).row)


def add_access(tx: Tx, ctx: Context, flavor_id: str, project_id: str) -> list[str]:
    """Let a project use a private flavor; return all that may."""
    flavor = flavor_visible(tx, ctx, flavor_id)
    if store.has_access(tx, flavor.row, project_id):
        both = f"flavor {flavor_id} and project {project_id} combination"
        raise Conflict(f"Flavor access already exists for {both}.", project_id=project_id)
    store.access_add(tx, flavor.row, project_id)
    _record_access(tx, ctx, flavor, "add_access", project_id)
    return store.access_list(tx, flavor.row)


def remove_access(tx: Tx, ctx: Context, flavor_id: str, project_id: str) -> list[str]:
    """Take a project's access away; return those that still have it."""
    flavor = flavor_visible(tx, ctx, flavor_id)
    if not store.access_remove(tx, flavor.row, project_id):
        both = f"{flavor_id} / {project_id} combination"
        raise NotFound(f"Flavor access not found for {both}.", project_id=project_id)
    _record_access(tx, ctx, flavor, "remove_access", project_id)
    return store.access_list(tx, flavor.row)


def _record(tx: Tx, ctx: Context, action: str, before: Flavor | None, after: Flavor | None) -> None:
    flavor = after or before
    assert flavor is not None
    events.record(
        tx,
        ctx,
        resource="flavor",
        resource_id=flavor.id,
        action=action,
        before=before,
        after=after,
    )


def _record_access(tx: Tx, ctx: Context, flavor: Flavor, action: str, project_id: str) -> None:
    events.record(
        tx,
        ctx,
        resource="flavor",
        resource_id=flavor.id,
        action=action,
        after={"project_id": project_id},
    )
