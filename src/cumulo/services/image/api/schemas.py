"""Documents that describe images, members and tasks, which some clients build themselves from."""

from typing import Any

from cumulo.services.image.images import CONTAINER_FORMATS, DISK_FORMATS
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Routes

routes = Routes()
_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_STATUSES = [
    "queued", "saving", "active", "killed", "deleted", "uploading", "importing",
    "pending_delete", "deactivated",
]  # fmt: skip


@routes.get("/v2/schemas/image", policy="")
def show_image_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe an image."""
    return _IMAGE


@routes.get("/v2/schemas/images", policy="")
def show_images_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a list of images."""
    return {
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": _IMAGE},
            **{name: {"type": "string"} for name in ("first", "next", "schema")},
        },
        "links": [
            {"rel": rel, "href": href}
            for rel, href in (("first", "{first}"), ("next", "{next}"), ("describedby", "{schema}"))
        ],
    }


@routes.get("/v2/schemas/member", policy="")
def show_member_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a member of an image."""
    return _MEMBER


@routes.get("/v2/schemas/members", policy="")
def show_members_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a list of members."""
    return {
        "name": "members",
        "properties": {
            "members": {"type": "array", "items": _MEMBER},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


@routes.get("/v2/schemas/task", policy="")
def show_task_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a task."""
    return _TASK


@routes.get("/v2/schemas/tasks", policy="")
def show_tasks_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a list of tasks."""
    return {
        "name": "tasks",
        "properties": {
            "tasks": {"type": "array", "items": _TASK},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


def _field(kind: str | list[str], says: str, *, read_only: bool = False, **more: Any) -> Any:
    mark = {"readOnly": True} if read_only else {}
    return {"type": kind, "description": says, **mark, **more}


def _text(says: str, most: int, *, read_only: bool = False) -> Any:
    return _field(["null", "string"], says, read_only=read_only, maxLength=most)


_IMAGE: dict[str, Any] = {
    "name": "image",
    "properties": {
        "id": _field("string", "The image's identifier", pattern=_UUID),
        "name": _text("The image's name", 255),
        "status": _field("string", "The image's status", read_only=True, enum=_STATUSES),
        "visibility": _field(
            "string", "Who may use the image", enum=["community", "public", "private", "shared"]
        ),
        "protected": _field("boolean", "Whether the image cannot be deleted"),
        "os_hidden": _field("boolean", "Whether lists leave the image out unless asked"),
        "checksum": _text("The MD5 sum of the data", 32, read_only=True),
        "os_hash_algo": _text("How os_hash_value was computed", 64, read_only=True),
        "os_hash_value": _text("The secure hash of the data", 128, read_only=True),
        "owner": _text("The project that owns the image", 255),
        "size": _field(["null", "integer"], "Bytes of the data", read_only=True),
        "virtual_size": _field(
            ["null", "integer"], "Bytes of the disk that a server sees", read_only=True
        ),
        "container_format": _field(
            ["null", "string"], "What the data is packed in", enum=[None, *CONTAINER_FORMATS]
        ),
        "disk_format": _field(
            ["null", "string"], "What kind of disk the data is", enum=[None, *DISK_FORMATS]
        ),
        "created_at": _field("string", "When the image was created", read_only=True),
        "updated_at": _field("string", "When the image was last changed", read_only=True),
        "tags": _field(
            "array", "Words that describe the image", items={"type": "string", "maxLength": 255}
        ),
        "min_ram": _field("integer", "MiB of memory that a server needs"),
        "min_disk": _field("integer", "GiB of disk that a server needs"),
        "self": _field("string", "The path of the image", read_only=True),
        "file": _field("string", "The path of the data", read_only=True),
        "schema": _field("string", "The path of this description", read_only=True),
        "stores": _field("string", "The stores that have the data", read_only=True),
    },
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": rel, "href": href}
        for rel, href in (("self", "{self}"), ("enclosure", "{file}"), ("describedby", "{schema}"))
    ],
}
_MEMBER: dict[str, Any] = {
    "name": "member",
    "properties": {
        "member_id": _field("string", "The project the image is shared with"),
        "image_id": _field("string", "The image's identifier", pattern=_UUID),
        "created_at": _field("string", "When the image was shared"),
        "updated_at": _field("string", "When the project last answered"),
        "status": _field(
            "string", "What the project answered", enum=["pending", "accepted", "rejected"]
        ),
        "schema": {"readOnly": True, "type": "string"},
    },
    "additionalProperties": False,
}
_TASK: dict[str, Any] = {
    "name": "task",
    "properties": {
        "id": _field("string", "The task's identifier", pattern=_UUID),
        "type": _field(
            "string", "What is done", enum=["import", "api_image_import", "location_import"]
        ),
        "status": _field(
            "string", "How far it is", enum=["pending", "processing", "success", "failure"]
        ),
        "input": _field(["null", "object"], "What was asked for"),
        "result": _field(["null", "object"], "What came of it"),
        "owner": _field("string", "The project that owns the task"),
        "message": _field("string", "What went wrong, if something did"),
        "image_id": _field("string", "The image that the task is about"),
        "request_id": _field(["null", "string"], "The request that began the task"),
        "user_id": _field(["null", "string"], "The user who began the task"),
        "expires_at": _field(["null", "string"], "When the task may be removed"),
        "created_at": _field("string", "When the task was created"),
        "updated_at": _field("string", "When the task was last changed"),
        "self": {"readOnly": True, "type": "string"},
        "schema": {"readOnly": True, "type": "string"},
    },
}
