"""What this service offers: versions, stores, quotas."""

from typing import Any

import msgspec

from cumulo.services.image import images
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.versions import VERSIONS
from cumulo.web import Call, Reply, Routes

routes = Routes()


class Link(msgspec.Struct):
    """Where a version is."""

    rel: str
    href: str


class VersionView(msgspec.Struct):
    """A version of this API."""

    id: str
    status: str
    links: list[Link]


class VersionsView(msgspec.Struct):
    """All versions, the newest first."""

    versions: list[VersionView]


class StoreView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A place where data of images lies."""

    id: str
    default: str
    type: str | None = None
    weight: int | None = None
    properties: dict[str, str] | None = None


class StoresView(msgspec.Struct):
    """All stores."""

    stores: list[StoreView]


@routes.get("/", policy=None)
def choose_version(call: Call[ImageTools]) -> Reply:
    """List the versions, from which a client must choose."""
    return Reply(_versions(call), status=300)


@routes.get("/versions", policy=None)
def list_versions(call: Call[ImageTools]) -> VersionsView:
    """List the versions."""
    return _versions(call)


@routes.get("/v2/info/stores", policy="get_images")
def list_stores(call: Call[ImageTools]) -> StoresView:
    """List the stores."""
    return StoresView([StoreView(id=call.tools.images.name, default="true")])


@routes.get("/v2/info/stores/detail", policy="stores_info_detail")
def list_stores_detail(call: Call[ImageTools]) -> StoresView:
    """List the stores with their kinds."""
    store = call.tools.images
    view = StoreView(id=store.name, default="true", type=store.kind, weight=0, properties={})
    return StoresView([view])


@routes.get("/v2/info/usage", policy="get_images")
def show_usage(call: Call[ImageTools]) -> dict[str, Any]:
    """Show what the caller's project has of what it may have."""
    found = call.db.read(images.usage, call.ctx, call.tools.image_limits)
    usage = {name: {"usage": used, "limit": most} for name, (used, most) in found.items()}
    return {"usage": usage}


def _versions(call: Call[ImageTools]) -> VersionsView:
    href = f"{call.url}/v2/"
    return VersionsView(
        [VersionView(f"v{version}", status, [Link("self", href)]) for version, status in VERSIONS]
    )
