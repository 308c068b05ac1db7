"""Host aggregates."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Invalid
from cumulo.services.compute import aggregates, image_caching
from cumulo.services.compute.aggregates import Aggregate
from cumulo.services.compute.api.fields import (
    HostName,
    MetadataKey,
    MetadataValue,
    Name,
    ZoneName,
    row_number,
)
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.api.uuids import UUID_PATTERN
from cumulo.services.compute.image_caching import CacheImages
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.cache_images import CACHE_IMAGES
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-aggregates"


class AggregateView(msgspec.Struct, kw_only=True):
    """An aggregate."""

    id: int
    uuid: Annotated[str, since("2.41")]
    name: str
    availability_zone: str | None
    hosts: list[str] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    created_at: str
    updated_at: str | None
    # A deleted aggregate is gone.
    deleted: bool = False
    deleted_at: str | None = None


class AggregateBody(msgspec.Struct):
    """One aggregate."""

    aggregate: AggregateView


class AggregatesBody(msgspec.Struct):
    """All aggregates."""

    aggregates: list[AggregateView]


class NewAggregate(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says about the aggregate it wants."""

    name: Name
    availability_zone: ZoneName | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The aggregate to create."""

    aggregate: NewAggregate


class AggregateChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an aggregate."""

    name: Name | UnsetType = UNSET
    availability_zone: ZoneName | UnsetType | None = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The change of an aggregate."""

    aggregate: AggregateChange


class HostBody(msgspec.Struct, forbid_unknown_fields=True):
    """The host that is meant."""

    host: HostName


class MetadataBody(msgspec.Struct, forbid_unknown_fields=True):
    """Metadata to add or change; what is null goes."""

    metadata: dict[MetadataKey, MetadataValue | None]


class CachedImage(msgspec.Struct, forbid_unknown_fields=True):
    """An image that is meant."""

    id: Annotated[str, Meta(pattern=UUID_PATTERN)]


class CacheBody(msgspec.Struct, forbid_unknown_fields=True):
    """The images to fetch."""

    cache: Annotated[list[CachedImage], Meta(min_length=1, max_length=1000)]


@routes.get("/v2.1/os-aggregates", policy=f"{_RULE}:index")
def list_aggregates(call: Call) -> AggregatesBody:
    """List the aggregates."""
    check_known(call, since=(2, 102))
    return AggregatesBody([_view(one) for one in call.db.read(aggregates.list_aggregates)])


@routes.post("/v2.1/os-aggregates", policy=f"{_RULE}:create")
def create_aggregate(call: Call, body: CreateBody) -> AggregateBody:
    """Create an aggregate, as yet without hosts."""
    new = body.aggregate
    made = call.db.write(aggregates.new_aggregate, call.ctx, new.name, new.availability_zone)
    view = _view(made)
    view.hosts = view.metadata = UNSET
    return AggregateBody(view)


@routes.get("/v2.1/os-aggregates/{aggregate_id}", policy=f"{_RULE}:show")
def show_aggregate(call: Call, aggregate_id: str) -> AggregateBody:
    """Show an aggregate with its hosts and metadata."""
    check_known(call, since=(2, 102))
    number = row_number(aggregate_id)
    return AggregateBody(_view(call.db.read(aggregates.aggregate_get, number)))


@routes.put("/v2.1/os-aggregates/{aggregate_id}", policy=f"{_RULE}:update")
def update_aggregate(call: Call, aggregate_id: str, body: UpdateBody) -> AggregateBody:
    """Change an aggregate's name or availability zone."""
    change = body.aggregate
    if change.name is UNSET and change.availability_zone is UNSET:
        raise Invalid("Give a name or an availability_zone to change.", field="aggregate")
    zone: Mapping[str, str | None] = {}
    if change.availability_zone is not UNSET:
        zone = {"availability_zone": change.availability_zone}
    name = None if change.name is UNSET else change.name
    number = row_number(aggregate_id)
    changed = call.db.write(aggregates.update_aggregate, call.ctx, number, name=name, zone=zone)
    return AggregateBody(_view(changed))


@routes.delete("/v2.1/os-aggregates/{aggregate_id}", policy=f"{_RULE}:delete")
def delete_aggregate(call: Call, aggregate_id: str) -> None:
    """Delete an aggregate that has no hosts."""
    call.db.write(aggregates.delete_aggregate, call.ctx, row_number(aggregate_id))


@routes.post(
    "/v2.1/os-aggregates/{aggregate_id}/action", policy=f"{_RULE}:add_host", action="add_host"
)
def add_host(call: Call, aggregate_id: str, body: HostBody) -> AggregateBody:
    """Put a host into an aggregate."""
    number = row_number(aggregate_id)
    return AggregateBody(_view(call.db.write(aggregates.add_host, call.ctx, number, body.host)))


@routes.post(
    "/v2.1/os-aggregates/{aggregate_id}/action",
    policy=f"{_RULE}:remove_host",
    action="remove_host",
)
def remove_host(call: Call, aggregate_id: str, body: HostBody) -> AggregateBody:
    """Take a host out of an aggregate."""
    number = row_number(aggregate_id)
    changed = call.db.write(aggregates.remove_host, call.ctx, number, body.host)
    return AggregateBody(_view(changed))


@routes.post(
    "/v2.1/os-aggregates/{aggregate_id}/action",
    policy=f"{_RULE}:set_metadata",
    action="set_metadata",
)
def set_metadata(call: Call, aggregate_id: str, body: MetadataBody) -> AggregateBody:
    """Add, change or remove metadata of an aggregate."""
    number = row_number(aggregate_id)
    changed = call.db.write(aggregates.set_metadata, call.ctx, number, body.metadata)
    return AggregateBody(_view(changed))


@routes.post(
    "/v2.1/os-aggregates/{aggregate_id}/images",
    policy="compute:aggregates:images",
    status=202,
    since="2.81",
)
def cache_images(call: Call, aggregate_id: str, body: CacheBody) -> None:
    """Have the hosts of an aggregate fetch images before guests need them."""
    wanted = [one.id for one in body.cache]
    call.db.write(_cache, call, row_number(aggregate_id), wanted)


def _cache(tx: Tx, call: Call, aggregate_id: int, image_ids: Sequence[str]) -> None:
    aggregate, images = image_caching.check_cacheable(tx, call.ctx, aggregate_id, image_ids)
    for host in aggregate.hosts:
        start(tx, CACHE_IMAGES, CacheImages(host=host, images=images), ctx=call.ctx)


def _view(aggregate: Aggregate) -> AggregateView:
    changed_at = aggregate.updated_at
    return AggregateView(
        id=aggregate.id,
        uuid=aggregate.uuid,
        name=aggregate.name,
        availability_zone=aggregate.availability_zone,
        hosts=aggregate.hosts,
        metadata=aggregate.metadata,
        created_at=clock.iso_bare(aggregate.created_at),
        updated_at=clock.iso_bare(changed_at) if changed_at else None,
    )
