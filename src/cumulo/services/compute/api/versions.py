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
_ID = "v2.1"


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

    id: str = _ID
    status: str = "CURRENT"
    version: str = str(HISTORY.latest)
    min_version: str = str(HISTORY.earliest)
    updated: str = "2013-07-23T11:33:21Z"
    links: list[VersionLink]
    media_types: list[MediaType] | UnsetType = msgspec.field(name="media-types", default=UNSET)


class VersionsBody(msgspec.Struct):
    """All versions."""

    versions: list[VersionView]


class VersionBody(msgspec.Struct):
    """One version."""

    version: VersionView


@routes.get("/", policy=None)
def list_versions(call: Call) -> VersionsBody:
    """List the versions of the API."""
    return VersionsBody([VersionView(links=[_self(call)])])


@routes.get("/v2.1", policy=None)
def show_version(call: Call) -> VersionBody:
    """Show this version of the API."""
    describedby = VersionLink("describedby", "http://docs.openstack.org/", "text/html")
    kind = "application/vnd.openstack.compute+json;version=2.1"
    return VersionBody(
        VersionView(
            links=[_self(call), describedby],
            media_types=[MediaType("application/json", kind)],
        )
    )


@routes.get("/v2.1/versions/{version_id}", policy=None)
def show_version_by_id(call: Call, version_id: str) -> VersionBody:
    """Show a version of the API by its id."""
    if version_id != _ID:
        raise NotFound("The resource could not be found.")
    return show_version(call)


def _self(call: Call) -> VersionLink:
    return VersionLink("self", f"{call.url}/v2.1/")
