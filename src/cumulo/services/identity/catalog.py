"""Regions, services and endpoints, and the catalog that a token shows of them."""

import re
from collections.abc import Mapping

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.identity.changes import Changes
from cumulo.services.identity.endpoint_groups import filter_of
from cumulo.services.identity.journal import note
from cumulo.services.identity.refusals import absent, check_unchanged, lacking
from cumulo.services.identity.store import catalog as store
from cumulo.services.identity.store.catalog import Endpoint as Endpoint
from cumulo.services.identity.store.catalog import Region as Region
from cumulo.services.identity.store.catalog import Service as Service
from cumulo.services.identity.store.endpoint_groups import shown_forget
from cumulo.services.identity.store.generation import generation_advance
from cumulo.services.identity.store.limits import limits_forget
from cumulo.services.identity.store.listing import Listing, Page
from cumulo.services.identity.store.policy_associations import associations_forget
from cumulo.services.identity.tokens import Token

# What an endpoint's URL may leave open.  Nothing else is ever substituted: URLs come from people.
_OPEN = {"project_id", "tenant_id", "user_id"}
_SLOT = re.compile(r"[%$]\(([^)]*)\)s")


class CatalogEntry(msgspec.Struct, frozen=True):
    """A service with its endpoints as one caller reaches them."""

    service: Service
    endpoints: list[Endpoint]


def catalog(tx: Tx, *, user_id: str, project_id: str | None) -> list[CatalogEntry]:
    """Return what is switched on, as far as the project shows it.

    URLs that need a project are left out where there is none.
    """
    services, endpoints = store.shown_all(tx)
    known = {"user_id": user_id}
    if project_id:
        known |= {"project_id": project_id, "tenant_id": project_id}
    by_service: dict[str, list[Endpoint]] = {}
    wanted = filter_of(tx, project_id) if project_id else None
    for endpoint in endpoints:
        if wanted is not None and not wanted(endpoint):
            continue
        url = _filled(endpoint.url, known)
        if url is not None:
            reached = msgspec.structs.replace(endpoint, url=url)
            by_service.setdefault(endpoint.service_id, []).append(reached)
    return [CatalogEntry(one, by_service.get(one.id, [])) for one in services]


def catalog_of(tx: Tx, token: Token) -> list[CatalogEntry]:
    """Return the catalog that a token shows."""
    project_id = token.target.id if token.target and token.scope.kind == "project" else None
    return catalog(tx, user_id=token.user.id, project_id=project_id)


def region_list(tx: Tx, listing: Listing) -> Page[Region]:
    """Return regions; anyone with a token may."""
    return store.region_page(tx, listing)


def region_get(tx: Tx, region_id: str) -> Region:
    """Return a region."""
    region = store.region_find(tx, region_id)
    if region is None:
        raise absent("region", region_id)
    return region


def create_region(tx: Tx, ctx: Context, new: Region) -> Region:
    """Record a region, inside another if it says so."""
    if new.parent_region_id is not None:
        region_get(tx, new.parent_region_id)
    store.region_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_region(tx: Tx, ctx: Context, region_id: str, changes: Changes) -> Region:
    """Change a region; it can be put neither into itself nor below."""
    before = region_get(tx, region_id)
    check_unchanged("ID", changes.get("id"), before.id)
    values = _laid_over(before.extra, {k: v for k, v in changes.items() if k != "id"})
    parent_id = values.get("parent_region_id")
    while isinstance(parent_id, str):
        if parent_id == before.id:
            raise Invalid(
                f"The specified parent region {values['parent_region_id']} would create a "
                "circular region hierarchy.",
                field="parent_region_id",
            )
        parent_id = region_get(tx, parent_id).parent_region_id
    generation_advance(tx)
    after = store.region_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_region(tx: Tx, ctx: Context, region_id: str) -> None:
    """Delete a region and those inside it, if none of them has endpoints."""
    region = region_get(tx, region_id)
    below, level = [region.id], [region.id]
    while level:
        level = [child for parent in level for child in store.region_children(tx, parent)]
        below += level
    if store.endpoint_exists_in(tx, below):
        raise Forbidden(
            f"Unable to delete region {region.id} because it or its child regions have "
            "associated endpoints."
        )
    for one in below:
        associations_forget(tx, region_id=one)
        store.region_delete(tx, one)
    note(tx, ctx, "delete", before=region)


def service_list(tx: Tx, listing: Listing) -> Page[Service]:
    """Return services."""
    return store.service_page(tx, listing)


def service_get(tx: Tx, service_id: str) -> Service:
    """Return a service."""
    service = store.service_find(tx, service_id)
    if service is None:
        raise absent("service", service_id)
    return service


def create_service(tx: Tx, ctx: Context, new: Service) -> Service:
    """Record a service."""
    generation_advance(tx)
    store.service_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_service(tx: Tx, ctx: Context, service_id: str, changes: Changes) -> Service:
    """Change a service."""
    before = service_get(tx, service_id)
    check_unchanged("ID", changes.get("id"), before.id)
    values = _laid_over(before.extra, {k: v for k, v in changes.items() if k != "id"})
    generation_advance(tx)
    after = store.service_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_service(tx: Tx, ctx: Context, service_id: str) -> None:
    """Delete a service and its endpoints."""
    service = service_get(tx, service_id)
    generation_advance(tx)
    mine = store.endpoint_page(tx, Listing(equals={"service_id": service.id})).members
    shown_forget(tx, endpoint_ids=tuple(one.id for one in mine))
    limits_forget(tx, service_id=service.id)
    for one in mine:
        associations_forget(tx, endpoint_id=one.id)
    associations_forget(tx, service_id=service.id)
    store.service_delete(tx, service.id)
    note(tx, ctx, "delete", before=service)


def endpoint_list(tx: Tx, listing: Listing) -> Page[Endpoint]:
    """Return endpoints, their URLs as written."""
    return store.endpoint_page(tx, listing)


def endpoint_get(tx: Tx, endpoint_id: str) -> Endpoint:
    """Return an endpoint."""
    endpoint = store.endpoint_find(tx, endpoint_id)
    if endpoint is None:
        raise absent("endpoint", endpoint_id)
    return endpoint


def create_endpoint(tx: Tx, ctx: Context, new: Endpoint) -> Endpoint:
    """Record an endpoint of a service that is there."""
    _check_url(new.url)
    _check_references(tx, new.service_id, new.region_id)
    generation_advance(tx)
    store.endpoint_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_endpoint(tx: Tx, ctx: Context, endpoint_id: str, changes: Changes) -> Endpoint:
    """Change an endpoint."""
    before = endpoint_get(tx, endpoint_id)
    check_unchanged("ID", changes.get("id"), before.id)
    values = _laid_over(before.extra, {k: v for k, v in changes.items() if k != "id"})
    after = msgspec.structs.replace(before, **values)
    _check_url(after.url)
    _check_references(tx, after.service_id, after.region_id)
    generation_advance(tx)
    store.endpoint_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_endpoint(tx: Tx, ctx: Context, endpoint_id: str) -> None:
    """Delete an endpoint."""
    endpoint = endpoint_get(tx, endpoint_id)
    generation_advance(tx)
    shown_forget(tx, endpoint_ids=(endpoint.id,))
    associations_forget(tx, endpoint_id=endpoint.id)
    store.endpoint_delete(tx, endpoint.id)
    note(tx, ctx, "delete", before=endpoint)


def ensure_region(tx: Tx, ctx: Context, region_id: str) -> None:
    """Make a region that an endpoint names by its old field, or find it made."""
    if store.region_find(tx, region_id) is None:
        create_region(tx, ctx, Region(id=region_id))


def _laid_over(extra: dict[str, object], changes: Changes) -> dict[str, object]:
    values = dict(changes)
    given = values.get("extra")
    if isinstance(given, Mapping):
        values["extra"] = {**extra, **given}
    return values


def _check_references(tx: Tx, service_id: str, region_id: str | None) -> None:
    if store.service_find(tx, service_id) is None:
        raise lacking("endpoint service_id", "service table")
    if region_id is not None and store.region_find(tx, region_id) is None:
        raise lacking("endpoint region_id", "region table")


def _check_url(url: str) -> None:
    rest = _SLOT.sub(lambda slot: "" if slot.group(1) in _OPEN else slot.group(), url)
    if "$(" in rest or "%(" in rest:
        raise Invalid(f"Cannot create an endpoint with an invalid URL: {url}.", field="url")


def _filled(url: str, known: Mapping[str, str]) -> str | None:
    """Put what is known into a URL; None when something open stays open."""
    missing = False

    def fill(slot: "re.Match[str]") -> str:
        nonlocal missing
        value = known.get(slot.group(1))
        missing = missing or value is None
        return value or ""

    filled = _SLOT.sub(fill, url)
    return None if missing else filled
