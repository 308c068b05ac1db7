"""Which filters lists know."""

from typing import TypeAlias

import msgspec

from cumulo.services.volume.api import attachments, messages, snapshots, volumes
from cumulo.services.volume.api.queries import Lists
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()

_LISTS: dict[str, Lists] = {
    "volume": volumes.LISTS,
    "snapshot": snapshots.LISTS,
    "attachment": attachments.LISTS,
    "message": messages.LISTS,
}


class FiltersView(msgspec.Struct):
    """The filters of a resource."""

    resource: str
    filters: list[str]


class FiltersBody(msgspec.Struct):
    """The filters of resources."""

    resource_filters: list[FiltersView]


class FiltersQuery(msgspec.Struct):
    """Of which resource."""

    resource: str | None = None


@routes.get("/v3/resource_filters", policy="", since="3.33")
def list_resource_filters(call: Call, query: FiltersQuery) -> FiltersBody:
    """List the filters that lists know."""
    return FiltersBody(
        [
            FiltersView(name, sorted([*lists.filters, *lists.noted, *lists.times]))
            for name, lists in _LISTS.items()
            if query.resource in (None, name)
        ]
    )
