"""Group types and their specs."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.volume import group_types
from cumulo.services.volume.api.fields import Name, one_of
from cumulo.services.volume.api.queries import flag, pairs_of
from cumulo.services.volume.api.types import Specs, TypeName
from cumulo.services.volume.group_types import GroupType
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/group_types", "/v3/group_types/{type_id}"
_SPECS, _SPEC = f"{_ONE}/group_specs", f"{_ONE}/group_specs/{{key}}"
_RULE, _SPECS_RULE = "group:group_types", "group:group_types_specs"


class TypeSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The type to be made."""

    name: TypeName
    description: Name | None = None
    is_public: LooseBool = True
    group_specs: Specs | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The type to be made."""

    group_type: TypeSpec


class TypeChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of a type."""

    name: Name | None = None
    description: Name | None = None
    is_public: LooseBool | None = None


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed."""

    group_type: TypeChange


class TypeView(msgspec.Struct, kw_only=True):
    """A group type."""

    id: str
    name: str
    description: str | None
    is_public: bool
    group_specs: dict[str, str] | UnsetType = UNSET


class TypeBody(msgspec.Struct):
    """A group type."""

    group_type: TypeView


class TypesBody(msgspec.Struct):
    """Group types."""

    group_types: list[TypeView]


class SpecsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Specs of a type."""

    group_specs: Annotated[Specs, Meta(min_length=1)]


class SpecsView(msgspec.Struct):
    """Specs of a type."""

    group_specs: dict[str, str]


@routes.get(_ALL, policy="", since="3.11")
def list_group_types(call: Call) -> TypesBody:
    """List group types."""
    found = call.db.read(group_types.list_types, call.ctx)
    given = {name: values[-1] for name, values in call.filters.items()}
    public = given.get("is_public", "true")
    if call.ctx.is_admin and public.lower() != "none":
        wanted_public = flag("is_public", public)
        found = [one for one in found if one.is_public is wanted_public]
    if "group_specs" in given:
        wanted = pairs_of("group_specs", given["group_specs"])
        found = [one for one in found if wanted.items() <= one.specs.items()]
    key, is_down = given.get("sort_key", "created_at"), given.get("sort_dir", "desc") == "desc"
    if "sort" in given:
        key, _, direction = given["sort"].partition(":")
        is_down = direction != "asc"
    if key not in ("id", "name", "created_at", "description"):
        raise Invalid(f"Invalid sort keys provided: {key[:80]}.", field="sort")
    found.sort(key=lambda one: (str(getattr(one, key) or ""), one.id), reverse=is_down)
    limit = given.get("limit", "1000")
    if not limit.isdigit():
        raise Invalid("limit param must be an integer of 0 or more.", field="limit")
    return TypesBody([_show(call, one) for one in found[: min(int(limit[:9]), 1000)]])


@routes.get(f"{_ALL}/default", policy="", since="3.11")
def show_default_group_type(call: Call) -> TypeBody:
    """Say that no group type is the default here."""
    raise NotFound("Default group type can not be found.")


@routes.get(_ONE, policy="", since="3.11")
def show_group_type(call: Call, type_id: str) -> TypeBody:
    """Show a group type."""
    return TypeBody(_show(call, call.db.read(group_types.type_visible, call.ctx, type_id)))


@routes.post(_ALL, policy=f"{_RULE}:create", status=202, since="3.11")
def create_group_type(call: Call, body: CreateBody) -> TypeBody:
    """Create a group type."""
    return TypeBody(_show(call, call.db.write(_create, call, body.group_type)))


def _create(tx: Tx, call: Call, spec: TypeSpec) -> GroupType:
    return group_types.new_type(
        tx,
        call.ctx,
        name=spec.name.strip(),
        description=spec.description,
        is_public=spec.is_public,
        specs=spec.group_specs or {},
    )


@routes.put(_ONE, policy=f"{_RULE}:update", since="3.11")
def update_group_type(call: Call, type_id: str, body: UpdateBody) -> TypeBody:
    """Change a group type's name, description or whether everyone may use it."""
    given = msgspec.structs.asdict(body.group_type)
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes or not str(changes.get("name", "x")).strip():
        raise Invalid(
            "Specify group type name, description or a combination thereof.", field="group_type"
        )
    return TypeBody(_show(call, call.db.write(group_types.update_type, call.ctx, type_id, changes)))


@routes.delete(_ONE, policy=f"{_RULE}:delete", status=202, since="3.11")
def delete_group_type(call: Call, type_id: str) -> None:
    """Delete a group type that no group is of."""
    call.db.write(group_types.delete_type, call.ctx, type_id)


@routes.get(_SPECS, policy=f"{_SPECS_RULE}:get_all", since="3.11")
def list_group_specs(call: Call, type_id: str) -> SpecsView:
    """List a group type's specs."""
    return SpecsView(call.db.read(group_types.type_visible, call.ctx, type_id).specs)


@routes.post(_SPECS, policy=f"{_SPECS_RULE}:create", status=202, since="3.11")
def add_group_specs(call: Call, type_id: str, body: SpecsBody) -> SpecsView:
    """Add to a group type's specs, or change them."""
    call.db.write(group_types.set_specs, call.ctx, type_id, body.group_specs)
    return SpecsView(body.group_specs)


@routes.get(_SPEC, policy=f"{_SPECS_RULE}:get", since="3.11")
def show_group_spec(call: Call, type_id: str, key: str) -> dict[str, str]:
    """Show one of a group type's specs."""
    return {key: call.db.read(group_types.spec_of, call.ctx, type_id, key)}


@routes.put(_SPEC, policy=f"{_SPECS_RULE}:update", since="3.11")
def update_group_spec(call: Call, type_id: str, key: str, body: Specs) -> dict[str, str]:
    """Set one of a group type's specs."""
    specs = one_of(body, key)
    call.db.write(group_types.set_specs, call.ctx, type_id, specs)
    return specs


@routes.delete(_SPEC, policy=f"{_SPECS_RULE}:delete", status=202, since="3.11")
def delete_group_spec(call: Call, type_id: str, key: str) -> None:
    """Remove one of a group type's specs."""
    call.db.write(group_types.delete_spec, call.ctx, type_id, key)


def _show(call: Call, one: GroupType) -> TypeView:
    view = TypeView(id=one.id, name=one.name, description=one.description, is_public=one.is_public)
    if call.ctx.may("group:access_group_types_specs"):
        view.group_specs = one.specs
    return view
