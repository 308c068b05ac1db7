"""The stores that settings name, put together."""

from collections.abc import Callable
from pathlib import Path

from cumulo.db import Database
from cumulo.kit.errors import Invalid
from cumulo.kit.outbound import Outbound
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.drivers.file import FileStore
from cumulo.services.image.drivers.http import HttpStore
from cumulo.services.image.drivers.objects import ObjectImageStore
from cumulo.services.image.limits import ImageLimits, StoreSettings
from cumulo.services.image.store.locations import location_url
from cumulo.services.image.stores import Backend
from cumulo.services.objectstore import public as objects


def more_stores(
    settings: ImageLimits,
    objectstore: Callable[[], objects.Tools],
    outbound: Outbound,
    db: Database,
) -> tuple[Backend, ...]:
    """Return the stores beside the first one."""
    of_urls = [name for name, one in settings.stores.items() if one.kind == "http"]
    if len(of_urls) > 1:
        raise Invalid(f"image.stores: one of kind http is enough; there are {', '.join(of_urls)}.")
    if settings.default_backend not in ("file", *settings.stores):
        raise Invalid(f"image.default_backend: there is no store {settings.default_backend}.")
    if settings.default_backend in of_urls:
        raise Invalid(f"image.default_backend: {settings.default_backend} takes no uploads.")

    def reader(name: str) -> ImageStore:
        return HttpStore(outbound.get, lambda image_id: db.read(location_url, image_id, name), name)

    return tuple(_backend(name, one, objectstore, reader) for name, one in settings.stores.items())


def _backend(
    name: str,
    settings: StoreSettings,
    objectstore: Callable[[], objects.Tools],
    reader: Callable[[str], ImageStore],
) -> Backend:
    if not name or len(name) > 64 or "," in name or name == "file":
        raise Invalid(f"image.stores: '{name}' cannot be the name of a store.")
    project, container = settings.swift_store_project, settings.swift_store_container
    store: ImageStore
    properties: dict[str, str] = {}
    if settings.kind == "http":
        store = reader(name)
    elif settings.kind == "swift":
        store = ObjectImageStore(
            lambda: objects.ProjectContainer(objectstore(), project, container), name
        )
        properties = {"container": container}
    else:
        if not settings.filesystem_store_datadir:
            raise Invalid(f"image.stores.{name}: filesystem_store_datadir must be set.")
        store = FileStore(Path(settings.filesystem_store_datadir), name)
        properties = {"data_dir": settings.filesystem_store_datadir}
    return Backend(store, settings.weight, settings.store_description, properties)
