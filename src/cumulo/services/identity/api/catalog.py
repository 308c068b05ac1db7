"""Regions, services and endpoints."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import catalog
from cumulo.services.identity.api.views import show_endpoint
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    Description,
    NamedQuery,
    PageQuery,
    collection,
    given,
    link,
    listing,
    split,
)
from cumulo.services.identity.catalog import Endpoint, Region, Service
from cumulo.web import Routes

routes = Routes()

Interface = Literal["admin", "internal", "public"]
RegionId = Annotated[str, Meta(min_length=1, max_length=255)]
Url = Annotated[str, Meta(max_length=225, pattern=r"^[a-zA-Z0-9+.-]+:.+")]
Type = Annotated[str, Meta(min_length=1, max_length=255)]


class RegionSpec(msgspec.Struct, kw_only=True):
    """What a client says about the region it wants."""

    id: Annotated[str, Meta(max_length=255)] | None = None
    description: Description | None = ""
    parent_region_id: RegionId | None = None


class RegionPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    parent_region_id: RegionId | UnsetType | None = UNSET


class RegionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A region in a request."""

    region: Attributes


class RegionQuery(PageQuery, kw_only=True):
    """Which regions."""

    parent_region_id: str | None = None


class ServiceSpec(msgspec.Struct, kw_only=True):
    """What a client says about the service it wants."""

    type: Type
    name: Type | Literal[""] = ""
    enabled: bool = True


class ServicePatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    name: Type | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class ServiceBody(msgspec.Struct):
    """A service in a request."""

    service: Attributes


class ServiceQuery(NamedQuery, kw_only=True):
    """Which services."""

    type: str | None = None


class EndpointSpec(msgspec.Struct, kw_only=True):
    """What a client says about the endpoint it wants; `region` is the old name of `region_id`."""

    interface: Interface
    service_id: str
    url: Url
    region_id: RegionId | None = None
    region: RegionId | None = None
    enabled: bool = True


class EndpointPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    interface: Interface | UnsetType = UNSET
    service_id: str | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    region_id: RegionId | UnsetType | None = UNSET
    region: RegionId | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class EndpointBody(msgspec.Struct, forbid_unknown_fields=True):
    """An endpoint in a request."""

    endpoint: Attributes


class EndpointQuery(PageQuery, kw_only=True):
    """Which endpoints."""

    interface: Interface | None = None
    service_id: str | None = None
    region_id: str | None = None


@routes.get("/v3/regions", policy="identity:list_regions")
def list_regions(call: Call, query: RegionQuery) -> dict[str, object]:
    """List regions."""
    page = call.db.read(catalog.region_list, listing(call, query))
    return collection(call, "regions", page, lambda one: _region(call, one))


@routes.post("/v3/regions", policy="identity:create_region", status=201)
def create_region(call: Call, body: RegionBody) -> dict[str, object]:
    """Create a region."""
    return _create_region(call, body.region, None)


@routes.get("/v3/regions/{region_id}", policy="identity:get_region")
def get_region(call: Call, region_id: str) -> dict[str, object]:
    """Show a region."""
    return {"region": _region(call, call.db.read(catalog.region_get, region_id))}


@routes.put("/v3/regions/{region_id}", policy="identity:create_region", status=201)
def create_named_region(call: Call, region_id: str, body: RegionBody) -> dict[str, object]:
    """Create a region with a chosen id."""
    return _create_region(call, body.region, region_id)


@routes.patch("/v3/regions/{region_id}", policy="identity:update_region")
def update_region(call: Call, region_id: str, body: RegionBody) -> dict[str, object]:
    """Change a region."""
    changes = given(*split(RegionPatch, body.region))
    if changes.get("description", "") is None:
        changes["description"] = ""
    region = call.db.write(catalog.update_region, call.ctx, region_id, changes)
    return {"region": _region(call, region)}


@routes.delete("/v3/regions/{region_id}", policy="identity:delete_region", status=204)
def delete_region(call: Call, region_id: str) -> None:
    """Delete a region without endpoints."""
    call.db.write(catalog.delete_region, call.ctx, region_id)


@routes.get("/v3/services", policy="identity:list_services")
def list_services(call: Call, query: ServiceQuery) -> dict[str, object]:
    """List services."""
    page = call.db.read(catalog.service_list, listing(call, query))
    return collection(call, "services", page, lambda one: _service(call, one))


@routes.post("/v3/services", policy="identity:create_service", status=201)
def create_service(call: Call, body: ServiceBody) -> dict[str, object]:
    """Create a service."""
    spec, extra = split(ServiceSpec, body.service)
    new = Service(new_hex_id(), spec.type, spec.name, spec.enabled, extra)
    return {"service": _service(call, call.db.write(catalog.create_service, call.ctx, new))}


@routes.get("/v3/services/{service_id}", policy="identity:get_service")
def get_service(call: Call, service_id: str) -> dict[str, object]:
    """Show a service."""
    return {"service": _service(call, call.db.read(catalog.service_get, service_id))}


@routes.patch("/v3/services/{service_id}", policy="identity:update_service")
def update_service(call: Call, service_id: str, body: ServiceBody) -> dict[str, object]:
    """Change a service."""
    changes = given(*split(ServicePatch, body.service))
    service = call.db.write(catalog.update_service, call.ctx, service_id, changes)
    return {"service": _service(call, service)}


@routes.delete("/v3/services/{service_id}", policy="identity:delete_service", status=204)
def delete_service(call: Call, service_id: str) -> None:
    """Delete a service and its endpoints."""
    call.db.write(catalog.delete_service, call.ctx, service_id)


@routes.get("/v3/endpoints", policy="identity:list_endpoints")
def list_endpoints(call: Call, query: EndpointQuery) -> dict[str, object]:
    """List endpoints."""
    page = call.db.read(catalog.endpoint_list, listing(call, query))
    return collection(call, "endpoints", page, lambda one: show_endpoint(call, one))


@routes.post("/v3/endpoints", policy="identity:create_endpoint", status=201)
def create_endpoint(call: Call, body: EndpointBody) -> dict[str, object]:
    """Create an endpoint of a service."""
    spec, extra = split(EndpointSpec, body.endpoint)
    new = Endpoint(
        id=new_hex_id(),
        service_id=spec.service_id,
        interface=spec.interface,
        region_id=spec.region_id if spec.region_id is not None else spec.region,
        url=spec.url,
        enabled=spec.enabled,
        extra=extra,
    )
    old_name = spec.region_id is None and spec.region is not None
    return {"endpoint": show_endpoint(call, call.db.write(_create_endpoint, call, new, old_name))}


@routes.get("/v3/endpoints/{endpoint_id}", policy="identity:get_endpoint")
def get_endpoint(call: Call, endpoint_id: str) -> dict[str, object]:
    """Show an endpoint."""
    return {"endpoint": show_endpoint(call, call.db.read(catalog.endpoint_get, endpoint_id))}


@routes.patch("/v3/endpoints/{endpoint_id}", policy="identity:update_endpoint")
def update_endpoint(call: Call, endpoint_id: str, body: EndpointBody) -> dict[str, object]:
    """Change an endpoint."""
    changes = given(*split(EndpointPatch, body.endpoint))
    endpoint = call.db.write(_update_endpoint, call, endpoint_id, changes)
    return {"endpoint": show_endpoint(call, endpoint)}


@routes.delete("/v3/endpoints/{endpoint_id}", policy="identity:delete_endpoint", status=204)
def delete_endpoint(call: Call, endpoint_id: str) -> None:
    """Delete an endpoint."""
    call.db.write(catalog.delete_endpoint, call.ctx, endpoint_id)


def _create_region(call: Call, attributes: Attributes, path_id: str | None) -> dict[str, object]:
    spec, extra = split(RegionSpec, attributes)
    if path_id and spec.id is not None and spec.id != path_id:
        raise Invalid(f'Conflicting region IDs specified: "{path_id}" != "{spec.id}"', field="id")
    region_id = path_id or spec.id or new_hex_id()
    new = Region(region_id, spec.description or "", spec.parent_region_id, extra)
    return {"region": _region(call, call.db.write(catalog.create_region, call.ctx, new))}


def _create_endpoint(tx: Tx, call: Call, new: Endpoint, old_name: bool) -> Endpoint:
    if old_name and new.region_id is not None:
        catalog.ensure_region(tx, call.ctx, new.region_id)
    return catalog.create_endpoint(tx, call.ctx, new)


def _update_endpoint(tx: Tx, call: Call, endpoint_id: str, changes: dict[str, object]) -> Endpoint:
    values = dict(changes)
    old_name = values.pop("region", None)
    if isinstance(old_name, str) and values.get("region_id") is None:
        catalog.ensure_region(tx, call.ctx, old_name)
        values["region_id"] = old_name
    return catalog.update_endpoint(tx, call.ctx, endpoint_id, values)


def _region(call: Call, region: Region) -> dict[str, object]:
    return {
        **region.extra,
        "id": region.id,
        "description": region.description,
        "parent_region_id": region.parent_region_id,
        "links": link(call, "regions", region.id),
    }


def _service(call: Call, service: Service) -> dict[str, object]:
    return {
        **service.extra,
        "id": service.id,
        "type": service.type,
        "name": service.name,
        "enabled": service.enabled,
        "links": link(call, "services", service.id),
    }
