"""The volume types that projects' volumes are of when nobody names one."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.volume import volume_types
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ONE = "/v3/default-types/{project_id}"


class DefaultSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Which type, by id or name."""

    volume_type: Annotated[str, Meta(min_length=1, max_length=255)]


class SetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which type, by id or name."""

    default_type: DefaultSpec


class DefaultView(msgspec.Struct):
    """A project and its default type."""

    project_id: str
    volume_type_id: str


class DefaultBody(msgspec.Struct):
    """A project and its default type."""

    default_type: DefaultView


class DefaultsBody(msgspec.Struct):
    """Projects and their default types."""

    default_types: list[DefaultView]


@routes.get("/v3/default-types/", policy="volume_extension:default_get_all", since="3.62")
def list_all_default_types(call: Call) -> DefaultsBody:
    """List the projects that have a default type of their own."""
    return list_default_types(call)


@routes.get("/v3/default-types", policy="volume_extension:default_get_all", since="3.62")
def list_default_types(call: Call) -> DefaultsBody:
    """List the projects that have a default type of their own."""
    found = call.db.read(volume_types.project_defaults)
    return DefaultsBody([DefaultView(*each) for each in found.items()])


@routes.get(_ONE, policy="volume_extension:default_get", since="3.62")
def show_default_type_of_project(call: Call, project_id: str) -> DefaultBody:
    """Show a project's own default type."""
    found = call.db.read(volume_types.project_defaults)
    if project_id not in found:
        raise NotFound(f"Default type for project {project_id} not found.")
    return DefaultBody(DefaultView(project_id, found[project_id]))


@routes.put(_ONE, policy="volume_extension:default_set_or_update", since="3.62")
def set_default_type_of_project(call: Call, project_id: str, body: SetBody) -> DefaultBody:
    """Give a project a default type of its own."""
    found = call.db.write(_set, call, project_id, body.default_type.volume_type)
    return DefaultBody(DefaultView(project_id, found))


def _set(tx: Tx, call: Call, project_id: str, volume_type: str) -> str:
    call.tools.check_project(tx, project_id)
    return volume_types.set_default(tx, call.ctx, project_id, volume_type).id


@routes.delete(_ONE, policy="volume_extension:default_unset", status=204, since="3.62")
def unset_default_type_of_project(call: Call, project_id: str) -> None:
    """Let the cloud's default hold again for a project."""
    call.db.write(volume_types.unset_default, project_id)
