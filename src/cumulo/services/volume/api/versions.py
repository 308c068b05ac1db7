"""Which versions there are, told to anyone."""

from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.versions import HISTORY
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes

Call: TypeAlias = _Call[VolumeTools]
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
    links: list[VersionLink]
    media_types: list[MediaType] = msgspec.field(name="media-types")


class VersionsBody(msgspec.Struct):
    """All versions."""

    versions: list[VersionView]


@routes.get("/", policy=None, status=300)
def list_versions(call: Call) -> Reply:
    """List the versions of the API."""
    return Reply(VersionsBody([_version(call)]))


@routes.get("/v3/", policy=None)
def show_version_at_its_place(call: Call) -> VersionsBody:
    """Show this version of the API."""
    return VersionsBody([_version(call)])


@routes.get("/v3", policy=None)
def show_version(call: Call) -> VersionsBody:
    """Show this version of the API."""
    return VersionsBody([_version(call)])


def _version(call: Call) -> VersionView:
    kind = "application/vnd.openstack.volume+json;version=3"
    return VersionView(
        id="v3.0",
        status="CURRENT",
        version=str(HISTORY.latest),
        min_version=str(HISTORY.earliest),
        updated="2023-08-31T00:00:00Z",
        links=[
            VersionLink("describedby", "https://docs.openstack.org/", "text/html"),
            VersionLink("self", f"{call.url}/v3/"),
        ],
        media_types=[MediaType("application/json", kind)],
    )
