"""Imports of staged data, and the tasks that tell of them."""

from typing import Any

import msgspec

from cumulo.kit.clock import iso_z
from cumulo.kit.errors import Invalid
from cumulo.services.image import imports
from cumulo.services.image.imports import METHODS, Task
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import import_image as importing
from cumulo.web import Call, Routes

routes = Routes()


class Method(msgspec.Struct, forbid_unknown_fields=True):
    """The way of import."""

    name: str


class ImportBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A wish to have an image's data imported, and to which stores."""

    method: Method
    stores: list[str] | None = None
    all_stores: bool = False
    all_stores_must_succeed: bool = True


class TaskView(msgspec.Struct, kw_only=True):
    """An import, and what became of it."""

    id: str
    type: str
    status: str
    owner: str
    image_id: str
    user_id: str | None
    request_id: str | None
    message: str
    input: dict[str, Any]
    result: dict[str, str] | None
    created_at: str
    updated_at: str
    self: str
    schema: str = "/v2/schemas/task"


class TasksView(msgspec.Struct):
    """Imports, the newest first."""

    tasks: list[TaskView]


class AllTasksView(msgspec.Struct):
    """All imports, the newest first."""

    tasks: list[TaskView]
    first: str = "/v2/tasks"
    schema: str = "/v2/schemas/tasks"


@routes.get("/v2/info/import", policy="get_images")
def show_import_methods(call: Call[ImageTools]) -> dict[str, Any]:
    """List the ways of import."""
    methods = {"description": "Import methods available.", "type": "array", "value": [*METHODS]}
    return {"import-methods": methods}


@routes.post("/v2/images/{image_id}/import", policy="modify_image", status=202)
def import_image(call: Call[ImageTools], image_id: str, body: ImportBody) -> None:
    """Import an image's staged data; the answer comes before the image is active."""
    unknown = [name for name in body.stores or [] if name != call.tools.images.name]
    if unknown:
        raise Invalid(f"There is no store '{unknown[0][:64]}' among stores.", field="stores")
    if body.stores and body.all_stores:
        raise Invalid("stores parameter can't be given with all_stores set.", field="stores")
    call.db.write(importing.import_image, call.ctx, image_id, body.method.name)


@routes.get("/v2/images/{image_id}/tasks", policy="modify_image", on_target=True)
def list_image_tasks(call: Call[ImageTools], image_id: str) -> TasksView:
    """List the imports of an image."""
    found = call.db.read(imports.tasks_of_image, call.ctx, image_id)
    return TasksView([_show(task) for task in found])


@routes.get("/v2/tasks", policy="tasks_api_access")
def list_tasks(call: Call[ImageTools]) -> AllTasksView:
    """List all imports."""
    return AllTasksView([_show(task) for task in call.db.read(imports.all_tasks)])


@routes.get("/v2/tasks/{task_id}", policy="tasks_api_access")
def show_task(call: Call[ImageTools], task_id: str) -> TaskView:
    """Show an import."""
    return _show(call.db.read(imports.task_get, task_id))


def _show(task: Task) -> TaskView:
    wish = {"image_id": task.image_id, "import_req": {"method": {"name": task.method}}}
    return TaskView(
        id=task.id,
        type="api_image_import",
        status=task.status,
        owner=task.owner,
        image_id=task.image_id,
        user_id=task.user_id,
        request_id=task.request_id,
        message=task.message,
        input=wish,
        result={"image_id": task.image_id} if task.status == "success" else None,
        created_at=iso_z(task.created_at),
        updated_at=iso_z(task.updated_at),
        self=f"/v2/tasks/{task.id}",
    )
