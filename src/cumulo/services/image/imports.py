"""Imports: making staged bytes an image's, and telling how that went."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.image.digests import Digests
from cumulo.services.image.image_data import Arrival, Received, end_upload, finish
from cumulo.services.image.images import Image, image_visible, require
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import images, staged, tasks
from cumulo.services.image.store.tasks import Task as Task
from cumulo.work import Caller

METHODS = ("glance-direct",)


def begin_import(tx: Tx, ctx: Context, image_id: str, method: str) -> tuple[Task, str]:
    """Let an image's staged bytes be imported; return the task and the upload that they are of.

    The caller starts the workflow in this transaction.
    """
    image = image_visible(tx, ctx, image_id)
    require(ctx, "modify_image", image)
    if method not in METHODS:
        raise Invalid(f"Unknown import method name '{method[:64]}'.", field="method.name")
    upload_id = images.upload_of(tx, image_id)
    if upload_id is None or staged.staged_find(tx, image_id) is None:
        raise Conflict("Image needs to be staged before 'glance-direct' method can be used")
    if not images.image_move(
        tx, image_id, to="importing", expected=["uploading"], upload_id=upload_id
    ):
        raise Conflict(f"Image {image_id} is {image.status}; it is being imported already.")
    moment = now()
    task = Task(
        id=new_id(),
        image_id=image_id,
        status="pending",
        method=method,
        message="",
        owner=image.owner or "",
        user_id=ctx.user_id,
        request_id=ctx.request_id,
        created_at=moment,
        updated_at=moment,
    )
    tasks.task_insert(tx, task)
    return task, upload_id


def complete_import(tx: Tx, ctx: Caller, task: Task, upload_id: str, limits: ImageLimits) -> bool:
    """Make the image active, or find it done; say whether it is."""
    found = staged.staged_find(tx, task.image_id)
    if found is None:
        image = images.image_find(tx, task.image_id)
        return image is not None and image.status == "active"
    digests = Digests(checksum=found.checksum, os_hash_value=found.os_hash_value, size=found.size)
    received = Received(digests=digests, virtual_size=found.virtual_size)
    arrival = Arrival(image_id=task.image_id, upload_id=upload_id, received=received)
    if not finish(tx, ctx, arrival, limits):
        return False
    staged.staged_delete(tx, task.image_id)
    tasks.task_move(tx, task.id, "success")
    return True


def give_up_import(tx: Tx, task_id: str, image_id: str, upload_id: str, message: str) -> None:
    """Put the image back in the queue, without bytes, and say why."""
    end_upload(tx, image_id, upload_id)
    tasks.task_move(tx, task_id, "failure", message)


def tasks_of_image(tx: Tx, ctx: Context, image_id: str) -> list[Task]:
    """Return the imports of an image that the caller may change."""
    image: Image = image_visible(tx, ctx, image_id)
    require(ctx, "modify_image", image)
    return tasks.task_list(tx, image_id)


def all_tasks(tx: Tx) -> list[Task]:
    """Return all imports; only administrators ask."""
    return tasks.task_list(tx)


def task_get(tx: Tx, task_id: str) -> Task:
    """Return an import; only administrators ask."""
    found = tasks.task_find(tx, task_id)
    if found is None:
        raise NotFound(f"No task found with ID {task_id}")
    return found
