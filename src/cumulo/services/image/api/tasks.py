"""Tasks: what became of imports, and whole images made by administrators from URLs."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from cumulo.kit.clock import iso_z
from cumulo.kit.errors import Invalid
from cumulo.services.image import imports
from cumulo.services.image.api.image_fields import spec_of
from cumulo.services.image.imports import Task, Wanted, Wish
from cumulo.services.image.tools import ImageTools
from cumulo.services.image.workflows import import_image as importing
from cumulo.web import Call, Reply, Routes
from cumulo.web.paging import following

routes = Routes()
_SCHEMA = "/v2/schemas/tasks"


class TaskInput(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where an image is to be made from, and what it is to be."""

    import_from: str
    import_from_format: str
    image_properties: dict[str, Any]


class TaskSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A wish to have something done."""

    type: Literal["import"]
    input: TaskInput


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


class TaskStub(msgspec.Struct, kw_only=True):
    """A task in a list of all."""

    id: str
    type: str
    status: str
    owner: str
    created_at: str
    updated_at: str
    self: str
    schema: str = "/v2/schemas/task"


class TasksView(msgspec.Struct):
    """Imports of an image, the newest first."""

    tasks: list[TaskView]


class AllTasksView(msgspec.Struct, omit_defaults=True):
    """A page of all imports."""

    tasks: list[TaskStub]
    first: str
    schema: str
    next: str | None = None


class ListQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which tasks, and in what order."""

    type: str | None = None
    status: str | None = None
    owner: str | None = None
    limit: Annotated[int, Meta(ge=0)] | None = None
    marker: str | None = None
    sort_key: Literal["created_at", "updated_at", "id", "status", "type"] = "created_at"
    sort_dir: Literal["asc", "desc"] = "desc"


@routes.post("/v2/tasks", policy="tasks_api_access", status=201)
def create_task(call: Call[ImageTools], body: TaskSpec) -> Reply:
    """Have an image made from a URL; the answer comes before it is there."""
    wanted = body.input
    fields = {"disk_format": wanted.import_from_format, **wanted.image_properties}
    if fields["disk_format"] != wanted.import_from_format:
        raise Invalid(
            "import_from_format and the disk_format of image_properties must be the same.",
            field="input.import_from_format",
        )
    wish = Wish(
        method="web-download",
        uri=wanted.import_from,
        said=msgspec.to_builtins(wanted),
        type=body.type,
    )
    limits = call.tools.image_limits
    made = call.db.write(importing.import_new_image, call.ctx, spec_of(fields), wish, limits)
    return Reply(shown(made), headers={"Location": f"{call.url}/v2/tasks/{made.id}"})


@routes.get("/v2/tasks", policy="tasks_api_access")
def list_tasks(call: Call[ImageTools], query: ListQuery) -> AllTasksView:
    """List all imports."""
    limits = call.tools.image_limits
    most = limits.limit_param_default if query.limit is None else query.limit
    wanted = Wanted(
        type=query.type,
        status=query.status,
        owner=query.owner,
        limit=min(most, limits.api_limit_max),
        marker=query.marker,
        sort_key=query.sort_key,
        is_ascending=query.sort_dir == "asc",
    )
    found = call.db.read(imports.list_tasks, wanted)
    kept = urlencode([(k, v) for k, vs in call.filters.items() if k != "marker" for v in vs])
    view = AllTasksView([_stub(task) for task in found], f"/v2/tasks?{kept}".rstrip("?"), _SCHEMA)
    if found and len(found) == wanted.limit:
        view.next = f"/v2/tasks?{following(call.filters, found[-1].id)}"
    return view


@routes.get("/v2/tasks/{task_id}", policy="tasks_api_access")
def show_task(call: Call[ImageTools], task_id: str) -> TaskView:
    """Show an import."""
    return shown(call.db.read(imports.task_get, task_id))


def _stub(task: Task) -> TaskStub:
    whole = shown(task)
    return TaskStub(**{name: getattr(whole, name) for name in TaskStub.__struct_fields__})


def shown(task: Task) -> TaskView:
    """Return a task as clients see it."""
    return TaskView(
        id=task.id,
        type=task.type,
        status=task.status,
        owner=task.owner,
        image_id=task.image_id,
        user_id=task.user_id,
        request_id=task.request_id,
        message=task.message,
        input=task.wish,
        result={"image_id": task.image_id} if task.status == "success" else None,
        created_at=iso_z(task.created_at),
        updated_at=iso_z(task.updated_at),
        self=f"/v2/tasks/{task.id}",
    )
