"""What this service offers: versions, stores, quotas."""

from typing import Any

import msgspec

from cumulo.services.image import images
from cumulo.services.image.stores import Stores
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.versions import versions
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
    default: str | None = None  # "true", of the one that clients get who do not choose
    read_only: str | None = msgspec.field(name="read-only", default=None)
    description: str | None = None
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
    stores = call.tools.stores
    return StoresView(
        [
            StoreView(
                id=name,
                default=_mark(stores, name),
                description=one.description or None,
                read_only="true" if one.is_read_only else None,
            )
            for name, one in stores.backends.items()
        ]
    )


@routes.get("/v2/info/stores/detail", policy="stores_info_detail")
def list_stores_detail(call: Call[ImageTools]) -> StoresView:
    """List the stores with their kinds."""
    stores = call.tools.stores
    return StoresView(
        [
            StoreView(
                id=name,
                default=_mark(stores, name),
                description=one.description or None,
                type=one.store.kind,
                weight=one.weight,
                properties=dict(one.properties),
            )
            for name, one in stores.backends.items()
        ]
    )


@routes.get("/v2/info/usage", policy="get_images")
def show_usage(call: Call[ImageTools]) -> dict[str, Any]:
    """Show what the caller's project has of what it may have."""
    found = call.db.read(images.usage, call.ctx, call.tools.image_limits)
    usage = {name: {"usage": used, "limit": most} for name, (used, most) in found.items()}
    return {"usage": usage}


def _mark(stores: Stores, name: str) -> str | None:
    return "true" if stores.default.name == name else None


def _versions(call: Call[ImageTools]) -> VersionsView:
    href = f"{call.url}/v2/"
    found = versions(several_stores=call.tools.stores.are_several)
    return VersionsView(
        [VersionView(f"v{version}", status, [Link("self", href)]) for version, status in found]
    )
