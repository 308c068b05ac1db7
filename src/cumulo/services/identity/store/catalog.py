"""Statements on regions, services and endpoints."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import endpoint, region, service

# Built once: to build one costs as much as to run it.
_SERVICES = (
    sa.select(service)
    .where(service.c.enabled == sa.true())
    .order_by(service.c.type, service.c.name, service.c.id)
)
_ENDPOINTS = (
    sa.select(endpoint)
    .where(endpoint.c.enabled == sa.true())
    .order_by(endpoint.c.interface, endpoint.c.id)
)


class Region(msgspec.Struct, frozen=True):
    """A region as stored."""

    id: str
    description: str = ""
    parent_region_id: str | None = None
    extra: dict[str, object] = {}


class Service(msgspec.Struct, frozen=True):
    """A service as stored."""

    id: str
    type: str
    name: str = ""
    enabled: bool = True
    extra: dict[str, object] = {}


class Endpoint(msgspec.Struct, frozen=True):
    """Where one interface of a service is reached in one region."""

    id: str
    service_id: str
    interface: str
    region_id: str | None
    url: str
    enabled: bool = True
    extra: dict[str, object] = {}


def region_insert(tx: Tx, new: Region) -> None:
    """Store a region; its id must be free."""
    try:
        tx.execute(sa.insert(region).values(**msgspec.structs.asdict(new)))
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"Conflict occurred attempting to store region - Duplicate ID, {new.id}."
        ) from error


def region_find(tx: Tx, region_id: str) -> Region | None:
    """Return a region, if it is there."""
    row = tx.execute(sa.select(region).where(region.c.id == region_id)).one_or_none()
    return Region(*tuple(row)) if row else None


def region_page(tx: Tx, listing: Listing) -> Page[Region]:
    """Return regions in the order of their ids."""
    return page(tx, region, listing, _region)


def region_children(tx: Tx, region_id: str) -> list[str]:
    """Return the ids of the regions directly inside one."""
    select = sa.select(region.c.id).where(region.c.parent_region_id == region_id)
    return list(tx.scalars(select.order_by(region.c.id)))


def region_change(tx: Tx, before: Region, **values: Any) -> Region:
    """Change columns of a region."""
    tx.execute(sa.update(region).where(region.c.id == before.id).values(**values))
    return msgspec.structs.replace(before, **values)


def region_delete(tx: Tx, region_id: str) -> None:
    """Take a region away."""
    tx.execute(sa.delete(region).where(region.c.id == region_id))


def service_insert(tx: Tx, new: Service) -> None:
    """Store a service; several may have one name or type."""
    tx.execute(sa.insert(service).values(**msgspec.structs.asdict(new)))


def service_find(tx: Tx, service_id: str) -> Service | None:
    """Return a service, if it is there."""
    row = tx.execute(sa.select(service).where(service.c.id == service_id)).one_or_none()
    return Service(*tuple(row)) if row else None


def service_page(tx: Tx, listing: Listing) -> Page[Service]:
    """Return services in the order of their ids."""
    return page(tx, service, listing, _service)


def service_change(tx: Tx, before: Service, **values: Any) -> Service:
    """Change columns of a service."""
    tx.execute(sa.update(service).where(service.c.id == before.id).values(**values))
    return msgspec.structs.replace(before, **values)


def service_delete(tx: Tx, service_id: str) -> None:
    """Take a service and its endpoints away."""
    tx.execute(sa.delete(endpoint).where(endpoint.c.service_id == service_id))
    tx.execute(sa.delete(service).where(service.c.id == service_id))


def shown_all(tx: Tx) -> tuple[list[Service], list[Endpoint]]:
    """Return what is switched on, for catalogs: services by type and name, then endpoints."""
    services = [_service(row) for row in tx.execute(_SERVICES)]
    return services, [_endpoint(row) for row in tx.execute(_ENDPOINTS)]


def endpoint_insert(tx: Tx, new: Endpoint) -> None:
    """Store an endpoint."""
    tx.execute(sa.insert(endpoint).values(**msgspec.structs.asdict(new)))


def endpoint_find(tx: Tx, endpoint_id: str) -> Endpoint | None:
    """Return an endpoint, if it is there."""
    row = tx.execute(sa.select(endpoint).where(endpoint.c.id == endpoint_id)).one_or_none()
    return Endpoint(*tuple(row)) if row else None


def endpoint_page(tx: Tx, listing: Listing) -> Page[Endpoint]:
    """Return endpoints in the order of their ids."""
    return page(tx, endpoint, listing, _endpoint)


def endpoint_exists_in(tx: Tx, region_ids: list[str]) -> bool:
    """Say whether any of these regions has an endpoint."""
    select = sa.select(endpoint.c.id).where(endpoint.c.region_id.in_(region_ids)).limit(1)
    return tx.scalar(select) is not None


def endpoint_change(tx: Tx, before: Endpoint, **values: Any) -> Endpoint:
    """Change columns of an endpoint."""
    tx.execute(sa.update(endpoint).where(endpoint.c.id == before.id).values(**values))
    return msgspec.structs.replace(before, **values)


def endpoint_delete(tx: Tx, endpoint_id: str) -> None:
    """Take an endpoint away."""
    tx.execute(sa.delete(endpoint).where(endpoint.c.id == endpoint_id))


def _region(row: "sa.Row[Any]") -> Region:
    return Region(*tuple(row))


def _service(row: "sa.Row[Any]") -> Service:
    return Service(*tuple(row))


def _endpoint(row: "sa.Row[Any]") -> Endpoint:
    return Endpoint(*tuple(row))
