"""Unified limits: flat, or strict on two levels, where nothing exceeds what is above it."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.identity.changes import Changes
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store import limits as store
from cumulo.services.identity.store.catalog import region_find, service_find
from cumulo.services.identity.store.limits import Limit as Limit
from cumulo.services.identity.store.limits import RegisteredLimit as RegisteredLimit
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.projects import (
    project_find,
    project_subtree,
    projects_by_ids,
    projects_of_domain,
)

MODELS = {
    "flat": "Limit enforcement and validation does not take project hierarchy into consideration.",
    "strict_two_level": (
        "This model requires project hierarchy never exceeds a depth of two and ensures that "
        "children never exceed their parent."
    ),
}


def registered_get(tx: Tx, limit_id: str) -> RegisteredLimit:
    """Return a registered limit; anyone with a token may."""
    found = store.registered_find(tx, limit_id)
    if found is None:
        raise absent("registered limit", limit_id)
    return found


def registered_list(tx: Tx, listing: Listing) -> Page[RegisteredLimit]:
    """Return registered limits."""
    return store.registered_page(tx, listing)


def create_registered(tx: Tx, ctx: Context, wanted: list[RegisteredLimit]) -> list[RegisteredLimit]:
    """Record what everyone may have, all or none."""
    for new in wanted:
        _check_place(tx, new.service_id, new.region_id)
        store.registered_insert(tx, new)
        note(tx, ctx, "create", after=new)
    return wanted


def update_registered(tx: Tx, ctx: Context, limit_id: str, changes: Changes) -> RegisteredLimit:
    """Change a registered limit; for what it is, only while no limit rests on it."""
    before = registered_get(tx, limit_id)
    after = msgspec.structs.replace(before, **changes)
    identity = ("service_id", "region_id", "resource_name")
    if any(getattr(before, name) != getattr(after, name) for name in identity):
        _check_unused(tx, before.id)
    _check_place(tx, after.service_id, after.region_id)
    after = store.registered_change(tx, before, **changes)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_registered(tx: Tx, ctx: Context, limit_id: str) -> None:
    """Delete a registered limit that no limit rests on."""
    found = registered_get(tx, limit_id)
    _check_unused(tx, found.id)
    store.registered_delete(tx, found.id)
    note(tx, ctx, "delete", before=found)


def limit_visible(tx: Tx, ctx: Context, limit_id: str) -> Limit:
    """Return a limit that the caller may know of."""
    found = store.limit_find(tx, limit_id)
    ctx.require("identity:get_limit", **_facts(tx, found))
    if found is None:
        raise absent("limit", limit_id)
    return found


def limit_list(tx: Tx, ctx: Context, listing: Listing) -> Page[Limit]:
    """Return limits: all to admins, to others those of their own project or domain."""
    found = store.limit_page(tx, listing)
    if ctx.system_scope or ctx.is_admin:
        return found
    own = [ctx.project_id] if ctx.project_id else []
    if ctx.domain_id:
        own = [ctx.domain_id, *(one.id for one in projects_of_domain(tx, ctx.domain_id))]
    mine = [one for one in found.members if (one.project_id or one.domain_id) in own]
    return Page(mine, found.is_truncated)


def create_limits(
    tx: Tx, ctx: Context, settings: IdentitySettings, wanted: list[Limit]
) -> list[Limit]:
    """Record what projects and domains may have, all or none."""
    made = []
    for new in wanted:
        holder = new.project_id or new.domain_id or ""
        found = project_find(tx, holder)
        if found is None or found.is_domain != (new.project_id is None):
            raise absent("project" if new.project_id else "domain", holder)
        base = store.registered_for(tx, new.service_id, new.region_id, new.resource_name)
        if base is None:
            raise Forbidden("Unable to create a limit that has no corresponding registered limit.")
        limit = msgspec.structs.replace(new, registered_limit_id=base.id)
        _check_tree(tx, settings, base, limit)
        store.limit_insert(tx, limit)
        note(tx, ctx, "create", after=limit)
        made.append(limit)
    return made


def update_limit(
    tx: Tx, ctx: Context, settings: IdentitySettings, limit_id: str, changes: Changes
) -> Limit:
    """Change how much, or how it is described."""
    before = store.limit_find(tx, limit_id)
    if before is None:
        raise absent("limit", limit_id)
    base = registered_get(tx, before.registered_limit_id)
    _check_tree(tx, settings, base, msgspec.structs.replace(before, **changes))
    after = store.limit_change(tx, before, **changes)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_limit(tx: Tx, ctx: Context, limit_id: str) -> None:
    """Delete a limit, so that the registered one holds."""
    found = store.limit_find(tx, limit_id)
    if found is None:
        raise absent("limit", limit_id)
    store.limit_delete(tx, found.id)
    note(tx, ctx, "delete", before=found)


def _facts(tx: Tx, limit: Limit | None) -> dict[str, object]:
    if limit is None:
        return {"target.limit.id": None}
    known: dict[str, object] = {"target.limit.project_id": limit.project_id}
    if limit.domain_id:
        known["target.limit.domain.id"] = limit.domain_id
    for project in projects_by_ids(tx, {limit.project_id or ""}).values():
        known["target.limit.project.domain_id"] = project.domain_id
    return known


def _check_tree(tx: Tx, settings: IdentitySettings, base: RegisteredLimit, limit: Limit) -> None:
    """Raise when, on two levels, a limit is above its parent's or below a child's."""
    if settings.enforcement_model == "flat":
        return
    holder = project_find(tx, limit.project_id or limit.domain_id or "")
    assert holder is not None, "a limit goes with its holder"
    find = projects_of_domain if holder.is_domain else project_subtree
    children = [one.id for one in find(tx, holder.id)]
    others = store.limits_on(tx, base.id, [*children, holder.parent_id or ""])
    parent = others.get(holder.parent_id or "")
    most = parent.resource_limit if parent else base.default_limit
    if holder.parent_id and _is_more(limit.resource_limit, most):
        raise _too_much(f"{limit.resource_limit} is more than the {most} of its parent")
    for child in children:
        theirs = others.get(child)
        if theirs and _is_more(theirs.resource_limit, limit.resource_limit):
            raise _too_much(f"project {child} below it has {theirs.resource_limit} already")


def _is_more(wanted: int, most: int) -> bool:
    """Compare amounts, of which -1 is without end."""
    return most != -1 and (wanted == -1 or wanted > most)


def _too_much(reason: str) -> Forbidden:
    return Forbidden(f"Invalid resource limit: {reason}.")


def _check_unused(tx: Tx, limit_id: str) -> None:
    if store.limit_is_used(tx, limit_id):
        raise Forbidden(
            f"Unable to update or delete registered limit {limit_id} because there are project "
            "limits associated with it."
        )


def _check_place(tx: Tx, service_id: str, region_id: str | None) -> None:
    if service_find(tx, service_id) is None:
        raise Invalid(f"Could not find service: {service_id}.", field="service_id")
    if region_id is not None and region_find(tx, region_id) is None:
        raise Invalid(f"Could not find region: {region_id}.", field="region_id")
