"""Statements on limits: what one may have of a resource by default, and what others may."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import limit, registered_limit


class RegisteredLimit(msgspec.Struct, frozen=True):
    """What everyone may have of a resource, unless a limit says otherwise."""

    id: str
    service_id: str
    region_id: str | None
    resource_name: str
    default_limit: int
    description: str | None = None


class Limit(msgspec.Struct, frozen=True):
    """What one project or one domain may have of a resource."""

    id: str
    registered_limit_id: str
    project_id: str | None
    domain_id: str | None
    service_id: str
    region_id: str | None
    resource_name: str
    resource_limit: int
    description: str | None = None


def registered_insert(tx: Tx, new: RegisteredLimit) -> None:
    """Store a registered limit; there is one for a resource of a service in a region."""
    values = msgspec.structs.asdict(new) | {"region_id": new.region_id or ""}
    _store(tx, sa.insert(registered_limit).values(**values), "registered_limit")


def registered_find(tx: Tx, limit_id: str) -> RegisteredLimit | None:
    """Return a registered limit, if it is there."""
    r = registered_limit
    row = tx.execute(sa.select(r).where(r.c.id == limit_id)).one_or_none()
    return _registered(row) if row else None


def registered_for(
    tx: Tx, service_id: str, region_id: str | None, resource_name: str
) -> RegisteredLimit | None:
    """Return the registered limit for a resource of a service in a region."""
    r = registered_limit.c
    select = sa.select(registered_limit).where(
        r.service_id == service_id,
        r.region_id == (region_id or ""),
        r.resource_name == resource_name,
    )
    row = tx.execute(select).one_or_none()
    return _registered(row) if row else None


def registered_page(tx: Tx, listing: Listing) -> Page[RegisteredLimit]:
    """Return registered limits in the order of their ids."""
    return page(tx, registered_limit, listing, _registered)


def registered_change(tx: Tx, before: RegisteredLimit, **values: Any) -> RegisteredLimit:
    """Change columns of a registered limit."""
    after = msgspec.structs.replace(before, **values)
    stored = {**values, "region_id": after.region_id or ""}
    change = sa.update(registered_limit).where(registered_limit.c.id == before.id)
    _store(tx, change.values(**stored), "registered_limit")
    return after


def registered_delete(tx: Tx, limit_id: str) -> None:
    """Take a registered limit away; limits that rest on it are the caller's to look for."""
    tx.execute(sa.delete(registered_limit).where(registered_limit.c.id == limit_id))


def limit_insert(tx: Tx, new: Limit) -> None:
    """Store a limit; a project or domain has one for each registered limit."""
    _store(tx, sa.insert(limit).values(**_columns(new)), "limit")


def limit_find(tx: Tx, limit_id: str) -> Limit | None:
    """Return a limit, if it is there."""
    row = tx.execute(sa.select(limit).where(limit.c.id == limit_id)).one_or_none()
    return _limit(row) if row else None


def limit_page(tx: Tx, listing: Listing, *where: sa.ColumnElement[bool]) -> Page[Limit]:
    """Return limits in the order of their ids."""
    return page(tx, limit, listing, _limit, *where)


def limits_on(tx: Tx, registered_limit_id: str, holders: list[str]) -> dict[str, Limit]:
    """Return what these projects and domains are limited to, as far as they are."""
    at = limit.c
    select = sa.select(limit).where(
        at.registered_limit_id == registered_limit_id,
        sa.or_(at.project_id.in_(holders), at.domain_id.in_(holders)),
    )
    found = [_limit(row) for row in tx.execute(select)]
    return {one.project_id or one.domain_id or "": one for one in found}


def limit_is_used(tx: Tx, registered_limit_id: str) -> bool:
    """Say whether any limit rests on a registered one."""
    select = sa.select(limit.c.id).where(limit.c.registered_limit_id == registered_limit_id)
    return tx.scalar(select.limit(1)) is not None


def limit_change(tx: Tx, before: Limit, **values: Any) -> Limit:
    """Change columns of a limit."""
    tx.execute(sa.update(limit).where(limit.c.id == before.id).values(**values))
    return msgspec.structs.replace(before, **values)


def limit_delete(tx: Tx, limit_id: str) -> None:
    """Take a limit away."""
    tx.execute(sa.delete(limit).where(limit.c.id == limit_id))


def limits_forget(tx: Tx, *, holder: str | None = None, service_id: str | None = None) -> None:
    """Take away what concerns only a project, domain or service that is gone."""
    at, r = limit.c, registered_limit
    if holder:
        tx.execute(sa.delete(limit).where(sa.or_(at.project_id == holder, at.domain_id == holder)))
    if service_id:
        tx.execute(sa.delete(limit).where(at.service_id == service_id))
        tx.execute(sa.delete(r).where(r.c.service_id == service_id))


def _store(tx: Tx, change: "sa.Insert | sa.Update", noun: str) -> None:
    try:
        tx.execute(change)
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"Conflict occurred attempting to store {noun} - Duplicate entry."
        ) from error


def _columns(new: Limit) -> dict[str, object]:
    """Return what to store: absent is the empty string where a unique key has it."""
    absent = {"project_id": new.project_id or "", "domain_id": new.domain_id or ""}
    return msgspec.structs.asdict(new) | absent


def _limit(row: "sa.Row[Any]") -> Limit:
    values = dict(row._mapping)
    present = {"project_id": values["project_id"] or None, "domain_id": values["domain_id"] or None}
    return Limit(**{**values, **present})


def _registered(row: "sa.Row[Any]") -> RegisteredLimit:
    values = dict(row._mapping)
    return RegisteredLimit(**{**values, "region_id": values["region_id"] or None})
