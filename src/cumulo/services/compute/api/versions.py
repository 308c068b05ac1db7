"""Which versions there are, told to anyone."""

from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.errors import NotFound
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.versions import HISTORY
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()


class VersionLink(msgspec.Struct):
    """Where a version is, or is described."""

    rel: str
    href: str
    type: str | UnsetType = UNSET


class MediaType(msgspec.Struct):
    """What a version speaks."""

    base: str
    type: str


class VersionView(msgspec.Struct, kw_only=True):
    """A version of the API with the microversions it understands."""

    id: str
    status: str
    version: str
    min_version: str
    updated: str
    links: list[VersionLink] = []
    media_types: list[MediaType] | UnsetType = msgspec.field(name="media-types", default=UNSET)


class VersionsBody(msgspec.Struct):
    """All versions."""

    versions: list[VersionView]


class VersionBody(msgspec.Struct):
    """One version."""

    version: VersionView


# 2.0 is 2.1 without microversions, under a place of its own for clients that know no other.
_OLD = VersionView(
    id="v2.0", status="DEPRECATED", version="", min_version="", updated="2025-07-04T12:00:00Z"
)
_NOW = VersionView(
    id="v2.1",
    status="CURRENT",
    version=str(HISTORY.latest),
    min_version=str(HISTORY.earliest),
    updated="2013-07-23T11:33:21Z",
)
_PLACES = {"v2.0": "v2", "v2.1": "v2.1"}


@routes.get("/", policy=None)
def list_versions(call: Call) -> VersionsBody:
    """List the versions of the API."""
    return VersionsBody(
        [msgspec.structs.replace(view, links=[_self(call, view)]) for view in (_OLD, _NOW)]
    )


@routes.get("/v2.1/", policy=None)
@routes.get("/v2.1", policy=None)
def show_version(call: Call) -> VersionBody:
    """Show this version of the API."""
    is_now = call.path.startswith("/v2.1")
    return VersionBody(_whole(call, _NOW if is_now else _OLD))


@routes.get("/v2.1/versions/{version_id}", policy=None)
def show_version_by_id(call: Call, version_id: str) -> VersionBody:
    """Show a version of the API by its id."""
    found = next((view for view in (_OLD, _NOW) if view.id == version_id), None)
    if found is None:
        raise NotFound("The resource could not be found.")
    return VersionBody(_whole(call, found))


def _whole(call: Call, view: VersionView) -> VersionView:
    describedby = VersionLink("describedby", "http://docs.openstack.org/", "text/html")
    number = _PLACES[view.id].removeprefix("v")
    kind = f"application/vnd.openstack.compute+json;version={number}"
    return msgspec.structs.replace(
        view,
        links=[_self(call, view), describedby],
        media_types=[MediaType("application/json", kind)],
    )


def _self(call: Call, view: VersionView) -> VersionLink:
    return VersionLink("self", f"{call.url}/{_PLACES[view.id]}/")
