"""Objects, properties and tags as clients write and read them."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.clock import iso_z
from cumulo.kit.errors import Invalid
from cumulo.services.image.metadefs import Definition, Given, Kind

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80)]
_Count: TypeAlias = Annotated[int, Meta(ge=0)]


class PropertySpec(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """What a property's values may be, in the words of JSON schema."""

    title: Annotated[str, Meta(max_length=80)]
    type: Literal["array", "boolean", "integer", "number", "object", "string", None]
    name: Annotated[str, Meta(max_length=255)] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    operators: list[str] | UnsetType = UNSET
    readonly: bool | UnsetType = UNSET
    confidential: bool | UnsetType = UNSET
    default: Any = UNSET
    enum: list[Any] | UnsetType = UNSET
    items: dict[str, Any] | UnsetType = UNSET
    additional_items: bool | UnsetType = UNSET
    unique_items: bool | UnsetType = UNSET
    min_items: _Count | UnsetType = UNSET
    max_items: _Count | UnsetType = UNSET
    minimum: float | int | UnsetType = UNSET
    maximum: float | int | UnsetType = UNSET
    min_length: _Count | UnsetType = UNSET
    max_length: _Count | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    required: list[str] | UnsetType = UNSET


class NamedProperty(
    PropertySpec, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A property with its name beside the rest."""

    name: Name


class ObjectSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A group of properties."""

    name: Name
    description: str | None = None
    properties: dict[str, PropertySpec] = {}
    required: list[str] = []


class TagSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A word that resources may be marked with."""

    name: Name


class ObjectView(msgspec.Struct, kw_only=True):
    """A group of properties, and where it is."""

    name: str
    description: str | None
    properties: dict[str, PropertySpec]
    required: list[str]
    created_at: str
    updated_at: str
    self: str
    schema: str = "/v2/schemas/metadefs/object"


class TagView(msgspec.Struct, kw_only=True):
    """A tag."""

    name: str
    created_at: str
    updated_at: str


def given_object(spec: ObjectSpec) -> Given:
    """Return an object as it is stored."""
    for name in spec.properties:
        check_key(name)
    return _given("object", spec.name, spec)


def given_property(name: str, spec: PropertySpec) -> Given:
    """Return a property as it is stored, under its name."""
    check_key(name)
    unnamed = PropertySpec(
        **{field: getattr(spec, field) for field in PropertySpec.__struct_fields__}
    )
    return _given("property", name, msgspec.structs.replace(unnamed, name=UNSET))


def given_tag(name: str) -> Given:
    """Return a tag as it is stored."""
    check_key(name)
    return Given(kind="tag", name=name, content="{}")


def check_key(name: str) -> None:
    """Refuse a name in a path, or as a key, that would be refused in a body."""
    if not 1 <= len(name) <= 80:
        raise Invalid(f"The name {name[:80]!r} must have 1 to 80 characters.", field="name")


def show_object(namespace: str, found: Definition) -> ObjectView:
    """Return an object as clients see it."""
    spec = msgspec.json.decode(found.content, type=ObjectSpec)
    return ObjectView(
        name=found.name,
        description=spec.description,
        properties=spec.properties,
        required=spec.required,
        created_at=iso_z(found.created_at),
        updated_at=iso_z(found.updated_at),
        self=f"/v2/metadefs/namespaces/{namespace}/objects/{found.name}",
    )


def show_property(found: Definition) -> PropertySpec:
    """Return a property as clients see it where its name is the key."""
    return msgspec.json.decode(found.content, type=PropertySpec)


def show_named_property(found: Definition, prefix: str = "") -> PropertySpec:
    """Return a property as clients see it alone."""
    return msgspec.structs.replace(show_property(found), name=f"{prefix}{found.name}")


def show_tag(found: Definition) -> TagView:
    """Return a tag as clients see it."""
    return TagView(
        name=found.name, created_at=iso_z(found.created_at), updated_at=iso_z(found.updated_at)
    )


def _given(kind: Kind, name: str, spec: msgspec.Struct) -> Given:
    return Given(kind=kind, name=name, content=msgspec.json.encode(spec).decode())
