"""What is in a namespace of metadata definitions: objects, properties, tags, and what it is for."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.image import metadefs
from cumulo.services.image.api.metadef_fields import (
    NamedProperty,
    ObjectSpec,
    ObjectView,
    PropertySpec,
    TagSpec,
    TagView,
    given_object,
    given_property,
    given_tag,
    show_named_property,
    show_object,
    show_property,
    show_tag,
)
from cumulo.services.image.api.metadef_namespaces import (
    AssociationBody,
    AssociationView,
    show_association,
)
from cumulo.services.image.metadefs import Definition, Kind
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Routes
from cumulo.web.paging import limit_of

routes = Routes()
_IN = "/v2/metadefs/namespaces/{namespace_name}"


class Page(msgspec.Struct, kw_only=True):
    """Which part of a list."""

    limit: int | None = None
    marker: str | None = None


class ObjectsView(msgspec.Struct, kw_only=True):
    """A page of objects."""

    objects: list[ObjectView]
    first: str
    schema: str = "/v2/schemas/metadefs/objects"
    next: str | UnsetType = UNSET


class PropertiesView(msgspec.Struct, kw_only=True):
    """All properties of a namespace, by name."""

    properties: dict[str, PropertySpec]


class TagsBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The tags that a namespace is to have."""

    tags: list[TagSpec]


class TagsView(msgspec.Struct, kw_only=True):
    """A page of tags."""

    tags: list[TagSpec]
    first: str
    schema: str = "/v2/schemas/metadefs/tags"
    next: str | UnsetType = UNSET


class ResourceTypeView(msgspec.Struct, kw_only=True):
    """A type of resources."""

    name: str
    created_at: str
    updated_at: str


class ResourceTypesView(msgspec.Struct, kw_only=True):
    """All types of resources that definitions may be for."""

    resource_types: list[ResourceTypeView]


class AssociationsView(msgspec.Struct, kw_only=True):
    """For which types of resources a namespace is."""

    resource_type_associations: list[AssociationView]


class Spelled(msgspec.Struct, kw_only=True):
    """With which type's prefix a property is named."""

    resource_type: str | None = None


@routes.get(f"{_IN}/objects", policy="get_metadef_objects", on_target=True)
def list_objects(call: Call[ImageTools], namespace_name: str, query: Page) -> ObjectsView:
    """List a namespace's objects."""
    found, links = _listed(call, namespace_name, "object", query)
    return ObjectsView(objects=[show_object(namespace_name, one) for one in found], **links)


@routes.post(f"{_IN}/objects", policy="add_metadef_object", status=201)
def create_object(call: Call[ImageTools], namespace_name: str, body: ObjectSpec) -> ObjectView:
    """Define an object."""
    new = metadefs.new_definition
    return show_object(
        namespace_name, call.db.write(new, call.ctx, namespace_name, given_object(body))
    )


@routes.get(f"{_IN}/objects/{{object_name}}", policy="get_metadef_object", on_target=True)
def show_one_object(call: Call[ImageTools], namespace_name: str, object_name: str) -> ObjectView:
    """Show an object."""
    return show_object(namespace_name, _found(call, namespace_name, "object", object_name))


@routes.put(f"{_IN}/objects/{{object_name}}", policy="modify_metadef_object")
def update_object(
    call: Call[ImageTools], namespace_name: str, object_name: str, body: ObjectSpec
) -> ObjectView:
    """Define an object anew."""
    asked = (namespace_name, object_name, given_object(body))
    return show_object(namespace_name, call.db.write(metadefs.update_definition, call.ctx, *asked))


@routes.delete(f"{_IN}/objects/{{object_name}}", policy="delete_metadef_object", status=204)
def delete_object(call: Call[ImageTools], namespace_name: str, object_name: str) -> None:
    """Delete an object."""
    asked: tuple[str, Kind, str] = (namespace_name, "object", object_name)
    call.db.write(metadefs.delete_definition, call.ctx, *asked)


@routes.delete(f"{_IN}/objects", policy="delete_metadef_object", status=204)
def delete_objects(call: Call[ImageTools], namespace_name: str) -> None:
    """Delete all objects of a namespace."""
    call.db.write(metadefs.delete_definitions, call.ctx, namespace_name, "object")


@routes.get(f"{_IN}/properties", policy="get_metadef_properties", on_target=True)
def list_properties(call: Call[ImageTools], namespace_name: str) -> PropertiesView:
    """List a namespace's properties."""
    found, _ = _listed(call, namespace_name, "property", None)
    return PropertiesView(properties={one.name: show_property(one) for one in found})


@routes.post(f"{_IN}/properties", policy="add_metadef_property", status=201)
def create_property(
    call: Call[ImageTools], namespace_name: str, body: NamedProperty
) -> PropertySpec:
    """Define a property."""
    given = given_property(body.name, body)
    return show_named_property(
        call.db.write(metadefs.new_definition, call.ctx, namespace_name, given)
    )


@routes.get(f"{_IN}/properties/{{property_name}}", policy="get_metadef_property", on_target=True)
def show_one_property(
    call: Call[ImageTools], namespace_name: str, property_name: str, query: Spelled
) -> PropertySpec:
    """Show a property; asked for by a prefixed name where a type of resources is named."""

    def read(tx: Tx) -> tuple[Definition, str]:
        rule = "get_metadef_property"
        namespace = metadefs.namespace_visible(tx, call.ctx, namespace_name, rule)
        related = metadefs.associations(tx, namespace)
        prefix = next((a.prefix or "" for a in related if a.name == query.resource_type), "")
        name = property_name.removeprefix(prefix)
        return metadefs.definition_get(tx, namespace, "property", name), prefix

    return show_named_property(*call.db.read(read))


@routes.put(f"{_IN}/properties/{{property_name}}", policy="modify_metadef_property")
def update_property(
    call: Call[ImageTools], namespace_name: str, property_name: str, body: NamedProperty
) -> PropertySpec:
    """Define a property anew."""
    asked = (namespace_name, property_name, given_property(body.name, body))
    return show_named_property(call.db.write(metadefs.update_definition, call.ctx, *asked))


@routes.delete(f"{_IN}/properties/{{property_name}}", policy="remove_metadef_property", status=204)
def delete_property(call: Call[ImageTools], namespace_name: str, property_name: str) -> None:
    """Delete a property."""
    asked: tuple[str, Kind, str] = (namespace_name, "property", property_name)
    call.db.write(metadefs.delete_definition, call.ctx, *asked)


@routes.delete(f"{_IN}/properties", policy="remove_metadef_property", status=204)
def delete_properties(call: Call[ImageTools], namespace_name: str) -> None:
    """Delete all properties of a namespace."""
    call.db.write(metadefs.delete_definitions, call.ctx, namespace_name, "property")


@routes.get(f"{_IN}/tags", policy="get_metadef_tags", on_target=True)
def list_tags(call: Call[ImageTools], namespace_name: str, query: Page) -> TagsView:
    """List a namespace's tags."""
    found, links = _listed(call, namespace_name, "tag", query)
    return TagsView(tags=[TagSpec(name=one.name) for one in found], **links)


@routes.post(f"{_IN}/tags", policy="add_metadef_tags", status=201)
def create_tags(call: Call[ImageTools], namespace_name: str, body: TagsBody) -> TagsBody:
    """Let a namespace have exactly these tags; with X-Openstack-Append, these besides others."""
    append = call.headers.get("x-openstack-append", "").strip().lower() == "true"
    given = [given_tag(one.name) for one in body.tags]
    found = call.db.write(metadefs.set_tags, call.ctx, namespace_name, given, append=append)
    return TagsBody(tags=[TagSpec(name=one.name) for one in found])


@routes.delete(f"{_IN}/tags", policy="delete_metadef_tags", status=204)
def delete_tags(call: Call[ImageTools], namespace_name: str) -> None:
    """Delete all tags of a namespace."""
    call.db.write(metadefs.delete_definitions, call.ctx, namespace_name, "tag")


@routes.get(f"{_IN}/tags/{{tag_name}}", policy="get_metadef_tag", on_target=True)
def show_one_tag(call: Call[ImageTools], namespace_name: str, tag_name: str) -> TagView:
    """Show a tag."""
    return show_tag(_found(call, namespace_name, "tag", tag_name))


@routes.post(f"{_IN}/tags/{{tag_name}}", policy="add_metadef_tag", status=201)
def create_tag(call: Call[ImageTools], namespace_name: str, tag_name: str) -> TagView:
    """Define a tag."""
    given = given_tag(tag_name)
    return show_tag(call.db.write(metadefs.new_definition, call.ctx, namespace_name, given))


@routes.put(f"{_IN}/tags/{{tag_name}}", policy="modify_metadef_tag")
def update_tag(
    call: Call[ImageTools], namespace_name: str, tag_name: str, body: TagSpec
) -> TagView:
    """Give a tag another name."""
    asked = (namespace_name, tag_name, given_tag(body.name))
    return show_tag(call.db.write(metadefs.update_definition, call.ctx, *asked))


@routes.delete(f"{_IN}/tags/{{tag_name}}", policy="delete_metadef_tag", status=204)
def delete_tag_definition(call: Call[ImageTools], namespace_name: str, tag_name: str) -> None:
    """Delete a tag."""
    asked: tuple[str, Kind, str] = (namespace_name, "tag", tag_name)
    call.db.write(metadefs.delete_definition, call.ctx, *asked)


@routes.get("/v2/metadefs/resource_types", policy="list_metadef_resource_types")
def list_resource_types(call: Call[ImageTools]) -> ResourceTypesView:
    """List the types of resources that definitions may be for."""
    found = call.db.read(metadefs.resource_types)
    return ResourceTypesView(
        resource_types=[
            ResourceTypeView(
                name=one.name, created_at=iso_z(one.created_at), updated_at=iso_z(one.updated_at)
            )
            for one in found
        ]
    )


@routes.get(f"{_IN}/resource_types", policy="get_metadef_resource_type", on_target=True)
def list_associations(call: Call[ImageTools], namespace_name: str) -> AssociationsView:
    """List the types of resources that a namespace is for."""

    def read(tx: Tx) -> list[metadefs.Association]:
        rule = "get_metadef_resource_type"
        namespace = metadefs.namespace_visible(tx, call.ctx, namespace_name, rule)
        return metadefs.associations(tx, namespace)

    found = [show_association(one) for one in call.db.read(read)]
    return AssociationsView(resource_type_associations=found)


@routes.post(f"{_IN}/resource_types", policy="add_metadef_resource_type_association", status=201)
def create_association(
    call: Call[ImageTools], namespace_name: str, body: AssociationBody
) -> AssociationView:
    """Let a namespace be for a type of resources."""
    spec = metadefs.AssociationSpec(**msgspec.structs.asdict(body))
    return show_association(call.db.write(metadefs.associate, call.ctx, namespace_name, spec))


@routes.delete(
    f"{_IN}/resource_types/{{name}}",
    policy="remove_metadef_resource_type_association",
    status=204,
)
def delete_association(call: Call[ImageTools], namespace_name: str, name: str) -> None:
    """Let a namespace no longer be for a type of resources."""
    call.db.write(metadefs.dissociate, call.ctx, namespace_name, name)


def _found(call: Call[ImageTools], namespace_name: str, kind: Kind, name: str) -> Definition:
    def read(tx: Tx) -> Definition:
        rule = f"get_metadef_{kind}"
        namespace = metadefs.namespace_visible(tx, call.ctx, namespace_name, rule)
        return metadefs.definition_get(tx, namespace, kind, name)

    return call.db.read(read)


def _listed(
    call: Call[ImageTools], namespace_name: str, kind: Kind, page: Page | None
) -> tuple[Sequence[Definition], dict[str, Any]]:
    """Return a page of definitions with the links around it; all without one."""
    limits = call.tools.image_limits
    limit = None
    if page is not None:
        limit = limit_of(page.limit, limits.api_limit_max, limits.limit_param_default)
    after = page.marker if page else None

    def read(tx: Tx) -> list[Definition]:
        rule = f"get_metadef_{'properties' if kind == 'property' else f'{kind}s'}"
        namespace = metadefs.namespace_visible(tx, call.ctx, namespace_name, rule)
        return metadefs.definitions(tx, namespace, kind, limit=limit, after=after)

    found = call.db.read(read)
    links: dict[str, Any] = {"first": call.path}
    if found and len(found) == limit:
        links["next"] = f"{call.path}?limit={limit}&marker={found[-1].name}"
    return found, links
