"""Documents that describe metadata definitions."""

from typing import Any

import msgspec

from cumulo.services.image.api.metadef_fields import (
    ObjectSpec,
    ObjectView,
    PropertySpec,
    TagSpec,
    TagView,
)
from cumulo.services.image.api.metadef_namespaces import (
    AssociationBody,
    AssociationView,
    NamespaceView,
    NewNamespace,
)
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Routes

routes = Routes()
_AT = "/v2/schemas/metadefs"


@routes.get(f"{_AT}/namespace", policy="")
def show_namespace_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a namespace."""
    return _described("namespace", NewNamespace, NamespaceView)


@routes.get(f"{_AT}/namespaces", policy="")
def show_namespaces_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a list of namespaces."""
    return _listed("namespaces", NewNamespace, NamespaceView)


@routes.get(f"{_AT}/object", policy="")
def show_object_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe an object."""
    return _described("object", ObjectSpec, ObjectView)


@routes.get(f"{_AT}/objects", policy="")
def show_objects_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a list of objects."""
    return _listed("objects", ObjectSpec, ObjectView)


@routes.get(f"{_AT}/property", policy="")
def show_property_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a property."""
    return _described("property", PropertySpec, PropertySpec)


@routes.get(f"{_AT}/properties", policy="")
def show_properties_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe all properties of a namespace."""
    return _listed("properties", PropertySpec, PropertySpec, container="object")


@routes.get(f"{_AT}/tag", policy="")
def show_tag_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a tag."""
    return _described("tag", TagSpec, TagView)


@routes.get(f"{_AT}/tags", policy="")
def show_tags_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe a list of tags."""
    return _listed("tags", TagSpec, TagView)


@routes.get(f"{_AT}/resource_type", policy="")
def show_resource_type_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe what a namespace is for."""
    return _described("resource_type_association", AssociationBody, AssociationView)


@routes.get(f"{_AT}/resource_types", policy="")
def show_resource_types_schema(call: Call[ImageTools]) -> dict[str, Any]:
    """Describe all that a namespace is for."""
    return _listed("resource_type_associations", AssociationBody, AssociationView)


def _described(name: str, kind: type[msgspec.Struct], view: type[msgspec.Struct]) -> dict[str, Any]:
    """Derive the document from what bodies are checked against, and what answers tell beyond.

    Clients check answers by it: what is inside of others may tell more, too.
    """
    schemas, components = msgspec.json.schema_components(
        [kind], ref_template="#/definitions/{name}"
    )
    own = components.pop(schemas[0]["$ref"].rpartition("/")[2])
    found = {"name": name, "required": own.get("required", []), "properties": own["properties"]}
    for one in components.values():
        one.pop("additionalProperties", None)
    told = {each.encode_name for each in msgspec.structs.fields(view)} - own["properties"].keys()
    beyond = {key: {"type": "string", "readOnly": True} for key in sorted(told)}
    found["properties"] = {**own["properties"], **beyond}
    return {**found, "additionalProperties": False, "definitions": components}


def _listed(
    name: str,
    kind: type[msgspec.Struct],
    view: type[msgspec.Struct],
    *,
    container: str = "array",
) -> dict[str, Any]:
    one = _described(name, kind, view)
    inner = {key: one[key] for key in ("required", "properties", "additionalProperties")}
    items = "items" if container == "array" else "additionalProperties"
    return {
        "name": name,
        "properties": {
            name: {"type": container, items: {"type": "object", **inner}},
            **{key: {"type": "string"} for key in ("first", "next", "schema")},
        },
        "definitions": one["definitions"],
        "links": [
            {"rel": rel, "href": href}
            for rel, href in (("first", "{first}"), ("next", "{next}"), ("describedby", "{schema}"))
        ],
    }
