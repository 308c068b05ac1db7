"""Imports: making staged or fetched bytes an image's, and telling how that went."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx, quota
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.kit.outbound import Destinations, checked_url
from cumulo.services.image import image_data
from cumulo.services.image.digests import Digests
from cumulo.services.image.image_data import Arrival, Received, end_upload, finish
from cumulo.services.image.images import Image, ImageSpec, image_visible, new_image, require
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import images, locations, staged, tasks
from cumulo.services.image.store.tasks import Task as Task
from cumulo.services.image.store.tasks import Wanted as Wanted
from cumulo.services.image.tools import ImageTools
from cumulo.work import Caller

METHODS = ("glance-direct", "web-download")


def methods_of(tools: ImageTools) -> list[str]:
    """Return the ways of import there are; to copy takes two stores."""
    return [*METHODS, *(["copy-image"] if tools.stores.are_several else [])]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be imported how, and as the client said it."""

    method: str
    uri: str | None = None
    said: dict[str, Any]
    type: str = "api_image_import"
    stores: list[str] = []  # none: the default
    all_must_succeed: bool = True


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """An import that has begun: the workflow has to be started in the same transaction."""

    image_id: str
    upload_id: str
    task: Task
    uri: str | None
    stores: list[str]
    all_must_succeed: bool


def checked_uri(uri: str | None, rules: Destinations) -> str:
    """Return a URL that may be tried; the refusal does not repeat it, it may hold secrets."""
    if not uri:
        raise Invalid("URI is required for the 'web-download' method.", field="method.uri")
    return filtered(uri, rules, "web-download", "method.uri")


def filtered(uri: str, rules: Destinations, purpose: str, field: str) -> str:
    """Return a URL that settings do not keep users from."""
    try:
        checked_url(uri, rules)
    except (Invalid, Forbidden) as error:
        message = f"URI for {purpose} does not pass filtering: {error.message}"
        raise Invalid(message, field=field) from error
    return uri


def begin_import(tx: Tx, ctx: Context, image_id: str, wish: Wish, limits: ImageLimits) -> Import:
    """Let an image get bytes that are staged or will be fetched; the caller starts the workflow."""
    image = image_visible(tx, ctx, image_id)
    require(ctx, "modify_image", image)
    if wish.method not in METHODS:
        raise Invalid(f"Unknown import method name '{wish.method[:64]}'.", field="method.name")
    if image.status in ("importing", "active", "deactivated"):
        raise Conflict(f"Image {image_id} is {image.status}; it cannot be imported now.")
    for name in ("container_format", "disk_format"):
        if not getattr(image, name):
            raise Conflict(f"'{name}' needs to be set before import")
    if wish.method == "web-download":
        uri: str | None = checked_uri(wish.uri, limits.import_filtering_opts)
        upload_id = begin_fetch(tx, image, limits)
    else:
        uri, upload_id = None, _begin_staged(tx, image)
    task = new_task(tx, ctx, image, wish)
    locations.locations_delete(tx, image_id)
    for name in wish.stores:
        locations.location_set(tx, image_id, name, "pending")
    return Import(
        image_id=image_id,
        upload_id=upload_id,
        task=task,
        uri=uri,
        stores=wish.stores,
        all_must_succeed=wish.all_must_succeed,
    )


def begin_image(tx: Tx, ctx: Context, spec: ImageSpec, wish: Wish, limits: ImageLimits) -> Import:
    """Record an image and let its bytes be fetched."""
    image = new_image(tx, ctx, spec, limits)
    return begin_import(tx, ctx, image.id, wish, limits)


def take_in(tools: ImageTools, image_id: str, upload_id: str, pieces: Iterator[bytes]) -> None:
    """Let fetched bytes wait for their import, inspected and hashed.

    Whatever an earlier attempt has left goes first.
    """
    image = tools.db.read(awaiting, image_id, upload_id)
    if image is None:
        raise NotFound(f"Image {image_id} waits for no import any more.")
    tools.images.delete_upload(image_id, upload_id)
    tools.db.write(staged.staged_delete, image_id)
    received = image_data.park(tools.images, image, upload_id, tools.image_limits, pieces)
    tools.db.write(image_data.set_staged, image_id, received)


def size_of(tx: Tx, image_id: str) -> int:
    """Return how many bytes wait for an import, or have been imported."""
    if (found := staged.staged_find(tx, image_id)) is not None:
        return found.size
    image = images.image_find(tx, image_id)
    return (image.size if image else None) or 0


def complete_import(
    tx: Tx, ctx: Caller, task: Task, where: tuple[str, list[str]], limits: ImageLimits
) -> bool:
    """Make the image active, or find it done; say whether it is."""
    found = staged.staged_find(tx, task.image_id)
    if found is None:
        image = images.image_find(tx, task.image_id)
        return image is not None and image.status == "active"
    digests = Digests(checksum=found.checksum, os_hash_value=found.os_hash_value, size=found.size)
    received = Received(
        digests=digests,
        virtual_size=found.virtual_size,
        disk_format=found.disk_format,
        container_format=found.container_format,
    )
    upload_id, stores = where
    failed = [name for name in locations_pending(tx, task.image_id) if name not in stores]
    arrival = Arrival(image_id=task.image_id, upload_id=upload_id, received=received, stores=stores)
    if not finish(tx, ctx, arrival, limits):
        return False
    for name in failed:
        locations.location_set(tx, task.image_id, name, "failed")
    staged.staged_delete(tx, task.image_id)
    tasks.task_move(tx, task.id, "success")
    return True


def is_complete(tx: Tx, image_id: str) -> bool:
    """Say whether an image has the bytes that it waited for: nobody may take them away again."""
    image = images.image_find(tx, image_id)
    return image is not None and image_data.has_bytes(image)


def give_up_import(
    tx: Tx, task_id: str, image_id: str, upload_ids: Iterable[str], message: str
) -> None:
    """Put the image back in the queue, without bytes, and say why; not one that has them."""
    if is_complete(tx, image_id):
        return
    for upload_id in upload_ids:
        end_upload(tx, image_id, upload_id)
    locations.locations_fail(tx, image_id)
    tasks.task_move(tx, task_id, "failure", message)


def task_begun(tx: Tx, task_id: str) -> None:
    """Record that somebody works on it."""
    tasks.task_move(tx, task_id, "processing")


def tasks_of_image(tx: Tx, ctx: Context, image_id: str) -> list[Task]:
    """Return the imports of an image that the caller may change."""
    image: Image = image_visible(tx, ctx, image_id)
    require(ctx, "modify_image", image)
    return tasks.task_list(tx, image_id)


def list_tasks(tx: Tx, wanted: Wanted) -> list[Task]:
    """Return a page of all imports; only administrators ask."""
    after = task_get(tx, wanted.marker) if wanted.marker is not None else None
    return tasks.task_page(tx, wanted, after)


def task_get(tx: Tx, task_id: str) -> Task:
    """Return an import; only administrators ask."""
    found = tasks.task_find(tx, task_id)
    if found is None:
        raise NotFound(f"No task found with ID {task_id}")
    return found


def locations_pending(tx: Tx, image_id: str) -> list[str]:
    """Return the stores that an image's bytes are on their way to."""
    found = locations.locations_of(tx, [image_id]).get(image_id, [])
    return [one.store for one in found if one.status == "pending"]


def _begin_staged(tx: Tx, image: Image) -> str:
    upload_id = images.upload_of(tx, image.id)
    if upload_id is None or staged.staged_find(tx, image.id) is None:
        raise Conflict("Image needs to be staged before 'glance-direct' method can be used")
    if not images.image_move(
        tx, image.id, to="importing", expected=["uploading"], upload_id=upload_id
    ):
        raise Conflict(f"Image {image.id} is {image.status}; it is being imported already.")
    return upload_id


def begin_fetch(tx: Tx, image: Image, limits: ImageLimits) -> str:
    """Let an image wait for bytes that will be fetched; return the upload that brings them."""
    upload_id = new_id()
    if not images.image_move(
        tx, image.id, to="importing", expected=["queued"], values={"upload_id": upload_id}
    ):
        raise Conflict("Image needs to be in 'queued' state to use 'web-download' method")
    default = limits.totals()["image_count_uploading"]
    quota.claim(tx, "image", image.owner or "", "image_count_uploading", 1, default)
    return upload_id


def new_task(tx: Tx, ctx: Context, image: Image, wish: Wish) -> Task:
    """Record a task, which tells what becomes of a wish."""
    moment = now()
    task = Task(
        id=new_id(),
        image_id=image.id,
        status="pending",
        type=wish.type,
        wish=wish.said,
        message="",
        owner=image.owner or "",
        user_id=ctx.user_id,
        request_id=ctx.request_id,
        created_at=moment,
        updated_at=moment,
    )
    tasks.task_insert(tx, task)
    return task


def awaiting(tx: Tx, image_id: str, upload_id: str) -> Image | None:
    """Return an image that still waits for this import."""
    image = images.image_find(tx, image_id)
    waits = image is not None and images.upload_of(tx, image_id) == upload_id
    return image if waits else None
