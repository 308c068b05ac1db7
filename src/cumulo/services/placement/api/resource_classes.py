"""Resource classes: the standard ones and those clients make."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Invalid
from cumulo.services.placement import resource_classes
from cumulo.services.placement.api.answers import JSON, answer, check_accept
from cumulo.web import Call, Reply, Routes

routes = Routes()
_CLASS = "/resource_classes/{name}"
_RULE = "placement:resource_classes"
_Name: TypeAlias = Annotated[str, Meta(max_length=255, pattern=r"\ACUSTOM_[A-Z0-9_]+\Z")]


class ClassSpec(msgspec.Struct, forbid_unknown_fields=True):
    """A class that a client makes."""

    name: _Name


@routes.get("/resource_classes", policy=f"{_RULE}:list", since="1.2")
def list_resource_classes(call: Call[None]) -> Reply:
    """List all classes."""
    check_accept(call)
    found = call.db.read(resource_classes.class_list)
    changed = max((moment for moment in found.values() if moment), default=None)
    shown = {"resource_classes": [_show(name) for name in found]}
    # Standard classes have no time of their own: a list that holds them is as new as can be.
    return answer(call, shown, changed=None if None in found.values() else changed)


@routes.post("/resource_classes", policy=f"{_RULE}:create", since="1.2", status=201, media=JSON)
def create_resource_class(call: Call[None], body: ClassSpec) -> Reply:
    """Make a class."""
    call.db.write(resource_classes.new_class, body.name)
    return Reply(headers={"Location": f"{call.url}/resource_classes/{body.name}"})


@routes.get(_CLASS, policy=f"{_RULE}:show", since="1.2")
def show_resource_class(call: Call[None], name: str) -> Reply:
    """Show a class."""
    check_accept(call)
    changed = call.db.read(resource_classes.class_get, name)
    return answer(call, _show(name), changed=changed)


@routes.put(_CLASS, policy=f"{_RULE}:update", since="1.2", until="1.6", media=JSON)
def rename_resource_class(call: Call[None], name: str, body: ClassSpec) -> Reply:
    """Give a class another name."""
    call.db.write(resource_classes.rename_class, name, body.name)
    return Reply(_show(body.name))


@routes.put(_CLASS, policy=f"{_RULE}:update", since="1.7")
def ensure_resource_class(call: Call[None], name: str) -> Reply:
    """Make a class, or find it made."""
    try:
        msgspec.convert(name, _Name)
    except msgspec.ValidationError as error:
        raise Invalid(f" Value: {name[:255]}. {error}.", reason=str(error)) from error
    is_new = call.db.write(resource_classes.ensure_class, name)
    headers = {"Location": f"{call.url}/resource_classes/{name}"}
    return Reply(status=201 if is_new else 204, headers=headers)


@routes.delete(_CLASS, policy=f"{_RULE}:delete", since="1.2", status=204)
def delete_resource_class(call: Call[None], name: str) -> None:
    """Delete a class that a client made and no provider has."""
    call.db.write(resource_classes.delete_class, name)


def _show(name: str) -> dict[str, object]:
    return {"name": name, "links": [{"rel": "self", "href": f"/resource_classes/{name}"}]}
