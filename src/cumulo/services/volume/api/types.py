"""Volume types, and which projects may use the private ones."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.volume import volume_types
from cumulo.services.volume.api.fields import Name
from cumulo.services.volume.api.queries import flag, pairs_of
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import VolumeType
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/types", "/v3/types/{type_id}"
_ACCESS = "volume_extension:volume_type_access"
TypeName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
Specs: TypeAlias = dict[Annotated[str, Meta(min_length=1, max_length=255)], str]


class TypeSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an operator says about the type to be made."""

    name: TypeName
    description: Name | None = None
    extra_specs: Specs | None = None
    is_public: LooseBool = msgspec.field(name="os-volume-type-access:is_public", default=True)


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The type to be made."""

    volume_type: TypeSpec


class TypeChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of a type."""

    name: Name | None = None
    description: Name | None = None
    is_public: LooseBool | None = None


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed."""

    volume_type: TypeChange


class TypeView(msgspec.Struct, kw_only=True):
    """A volume type."""

    id: str
    name: str
    is_public: bool
    description: str | None
    extra_specs: dict[str, str] | UnsetType = UNSET
    qos_specs_id: str | UnsetType | None = UNSET
    public: bool | UnsetType = msgspec.field(name="os-volume-type-access:is_public", default=UNSET)


class TypeBody(msgspec.Struct):
    """A volume type."""

    volume_type: TypeView


class TypesBody(msgspec.Struct):
    """Volume types."""

    volume_types: list[TypeView]


class ProjectAccess(msgspec.Struct, forbid_unknown_fields=True):
    """Which project."""

    project: Annotated[str, Meta(min_length=1, max_length=36)]


class AccessView(msgspec.Struct):
    """A project that may use a type."""

    volume_type_id: str
    project_id: str


class AccessBody(msgspec.Struct):
    """The projects that may use a type."""

    volume_type_access: list[AccessView]


@routes.get(_ALL, policy="volume_extension:type_get_all")
def list_types(call: Call) -> TypesBody:
    """List volume types."""
    found = call.db.read(volume_types.list_types, call.ctx, is_public=_is_public(call))
    given = {name: values[-1] for name, values in call.filters.items()}
    if call.version >= (3, 52) and "extra_specs" in given:
        wanted = pairs_of("extra_specs", given["extra_specs"])
        found = [
            one
            for one in found
            if wanted.items() <= volume_types.shown_specs(call.ctx, one).items()
        ]
    return TypesBody([_show(call, one) for one in _page(given, found)])


def _is_public(call: Call) -> bool | None:
    text = (call.filters.get("is_public") or ["true"])[-1]
    return None if text.lower() == "none" else flag("is_public", text)


def _page(given: dict[str, str], found: list[VolumeType]) -> list[VolumeType]:
    """Return the part of the list that is asked for; there are too few types to need more."""
    key, is_down = given.get("sort_key", "created_at"), given.get("sort_dir", "desc") == "desc"
    if "sort" in given:
        key, _, direction = given["sort"].partition(":")
        is_down = direction != "asc"
    if key not in ("id", "name", "created_at", "description"):
        raise Invalid(f"Invalid sort keys provided: {key[:80]}.", field="sort")
    found = sorted(found, key=lambda one: (str(getattr(one, key) or ""), one.id), reverse=is_down)
    ids = [one.id for one in found]
    if "marker" in given:
        if given["marker"] not in ids:
            raise Invalid(f"marker {given['marker'][:64]} is no volume type.", field="marker")
        found = found[ids.index(given["marker"]) + 1 :]
    offset, limit = _number(given, "offset", 0), _number(given, "limit", 1000)
    return found[offset : offset + min(limit, 1000)]


def _number(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(f"{name} param must be an integer of 0 or more.", field=name)
    return int(text)


@routes.get("/v3/types/default", policy="volume_extension:type_get")
def show_default_type(call: Call) -> TypeBody:
    """Show the type of a volume for which none is named."""
    found = call.db.read(volume_types.default_type, call.ctx, call.tools.settings)
    return TypeBody(_show(call, found))


@routes.get(_ONE, policy="volume_extension:type_get")
def show_type(call: Call, type_id: str) -> TypeBody:
    """Show a volume type."""
    return TypeBody(_show(call, call.db.read(volume_types.type_by_id, call.ctx, type_id)))


@routes.post(_ALL, policy="volume_extension:type_create")
def create_type(call: Call, body: CreateBody) -> TypeBody:
    """Create a volume type."""
    return TypeBody(_bare(call, call.db.write(_create, call, body.volume_type)))


def _create(tx: Tx, call: Call, spec: TypeSpec) -> VolumeType:
    return volume_types.new_type(
        tx,
        call.ctx,
        name=spec.name.strip(),
        description=spec.description,
        is_public=spec.is_public,
        specs=spec.extra_specs or {},
    )


@routes.put(_ONE, policy="volume_extension:type_update")
def update_type(call: Call, type_id: str, body: UpdateBody) -> TypeBody:
    """Change a type's name, description or whether everyone may use it."""
    given = msgspec.structs.asdict(body.volume_type)
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise Invalid(
            "Specify volume type name, description, is_public or a combination thereof.",
            field="volume_type",
        )
    if "name" in changes and not changes["name"].strip():
        raise Invalid("Volume type name can not be empty.", field="name")
    changed = call.db.write(volume_types.update_type, call.ctx, type_id, changes)
    view = _bare(call, changed)
    view.public = UNSET
    return TypeBody(view)


@routes.delete(_ONE, policy="volume_extension:type_delete", status=202)
def delete_type(call: Call, type_id: str) -> None:
    """Delete a type that no volume is of."""
    call.db.write(volume_types.delete_type, call.ctx, call.tools.settings, type_id)


@routes.get(f"{_ONE}/os-volume-type-access", policy=f"{_ACCESS}:get_all_for_type")
def list_type_access(call: Call, type_id: str) -> AccessBody:
    """List the projects that may use a private type."""
    found = call.db.read(volume_types.access_of, call.ctx, type_id)
    return AccessBody([AccessView(type_id, project_id) for project_id in found])


@routes.post(
    f"{_ONE}/action", policy=f"{_ACCESS}:addProjectAccess", status=202, action="addProjectAccess"
)
def add_type_access(call: Call, type_id: str, body: ProjectAccess) -> None:
    """Let a project use a private type."""
    call.db.write(volume_types.add_access, call.ctx, type_id, body.project)


@routes.post(
    f"{_ONE}/action",
    policy=f"{_ACCESS}:removeProjectAccess",
    status=202,
    action="removeProjectAccess",
)
def remove_type_access(call: Call, type_id: str, body: ProjectAccess) -> None:
    """Let a project use a private type no more."""
    call.db.write(volume_types.remove_access, call.ctx, type_id, body.project)


def _show(call: Call, one: VolumeType) -> TypeView:
    view = _bare(call, one)
    if call.ctx.may("volume_extension:access_types_qos_specs_id"):
        view.qos_specs_id = one.qos_specs_id
    return view


def _bare(call: Call, one: VolumeType) -> TypeView:
    """Show a type as its creation and its update answer."""
    view = TypeView(id=one.id, name=one.name, is_public=one.is_public, description=one.description)
    if call.ctx.may("volume_extension:access_types_extra_specs"):
        view.extra_specs = volume_types.shown_specs(call.ctx, one)
    if call.ctx.may(_ACCESS):
        view.public = one.is_public
    return view
