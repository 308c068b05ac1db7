"""The stores that settings name, put together."""

from collections.abc import Callable
from pathlib import Path

from cumulo.kit.errors import Invalid
from cumulo.services.image.drivers.base import ImageStore
from cumulo.services.image.drivers.file import FileStore
from cumulo.services.image.drivers.objects import ObjectImageStore
from cumulo.services.image.limits import ImageLimits, StoreSettings
from cumulo.services.image.stores import Backend
from cumulo.services.objectstore import public as objects


def more_stores(
    settings: ImageLimits, objectstore: Callable[[], objects.Tools]
) -> tuple[Backend, ...]:
    """Return the stores beside the first one."""
    if settings.default_backend not in ("file", *settings.stores):
        raise Invalid(f"image.default_backend: there is no store {settings.default_backend}.")
    return tuple(_backend(name, one, objectstore) for name, one in settings.stores.items())


def _backend(
    name: str, settings: StoreSettings, objectstore: Callable[[], objects.Tools]
) -> Backend:
    if not name or len(name) > 64 or "," in name or name == "file":
        raise Invalid(f"image.stores: '{name}' cannot be the name of a store.")
    project, container = settings.swift_store_project, settings.swift_store_container
    store: ImageStore
    if settings.kind == "swift":
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
