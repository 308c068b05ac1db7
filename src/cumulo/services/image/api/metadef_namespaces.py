"""Namespaces of metadata definitions."""

from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.image import metadefs
from cumulo.services.image.api.metadef_fields import (
    Name,
    ObjectSpec,
    ObjectView,
    PropertySpec,
    TagSpec,
    given_object,
    given_property,
    given_tag,
    show_object,
    show_property,
)
from cumulo.services.image.metadefs import Association, Contents, Given, Namespace
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Reply, Routes
from cumulo.web.paging import limit_of

routes = Routes()
_NAMESPACES = "/v2/metadefs/namespaces"
_NAMESPACE = f"{_NAMESPACES}/{{namespace_name}}"
_Title: TypeAlias = Annotated[str, Meta(max_length=80)] | None
_Text: TypeAlias = Annotated[str, Meta(max_length=500)] | None


class AssociationBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For which type of resources a namespace is to be."""

    name: Name
    prefix: _Title = None
    properties_target: _Title = None


class NamespaceBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What an administrator says about a namespace."""

    namespace: Name
    display_name: _Title = None
    description: _Text = None
    visibility: Literal["public", "private"] = "private"
    protected: bool = False
    owner: Annotated[str, Meta(max_length=255)] | None = None


class NewNamespace(NamespaceBody, kw_only=True, forbid_unknown_fields=True):
    """A namespace with all that is to be in it."""

    properties: dict[str, PropertySpec] = {}
    objects: list[ObjectSpec] = []
    tags: list[TagSpec] = []
    resource_type_associations: list[AssociationBody] = []


class ChangedNamespace(NamespaceBody, kw_only=True, forbid_unknown_fields=True):
    """A namespace as clients send it back, with what they were told is in it.

    That has paths of its own and stays as it is, as in OpenStack.
    """

    properties: dict[str, Any] = {}
    objects: list[dict[str, Any]] = []
    tags: list[dict[str, Any]] = []
    resource_type_associations: list[dict[str, Any]] = []


class AssociationView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """For which type of resources a namespace is."""

    name: str
    created_at: str
    updated_at: str
    prefix: str | None = None
    properties_target: str | None = None


class NamespaceView(msgspec.Struct, kw_only=True):
    """A namespace; what is in it only where one is shown."""

    namespace: str
    display_name: str | None
    description: str | None
    visibility: str
    protected: bool
    owner: str
    created_at: str
    updated_at: str
    self: str
    schema: str = "/v2/schemas/metadefs/namespace"
    properties: dict[str, PropertySpec] | UnsetType = UNSET
    objects: list[ObjectView] | UnsetType = UNSET
    tags: list[TagSpec] | UnsetType = UNSET
    resource_type_associations: list[AssociationView] | UnsetType = UNSET


class NamespacesView(msgspec.Struct, kw_only=True):
    """A page of namespaces."""

    namespaces: list[NamespaceView]
    first: str
    schema: str = "/v2/schemas/metadefs/namespaces"
    next: str | UnsetType = UNSET


class Query(msgspec.Struct, kw_only=True):
    """Which namespaces, and in which order."""

    limit: int | None = None
    marker: str | None = None
    visibility: str | None = None
    resource_types: str | None = None
    sort_key: str = "created_at"
    sort_dir: str = "desc"


@routes.get(_NAMESPACES, policy="get_metadef_namespaces")
def list_namespaces(call: Call[ImageTools], query: Query) -> NamespacesView:
    """List the namespaces that the caller may see, with what they are for."""
    metadefs.check_sort(query.sort_key, query.sort_dir)
    if query.visibility not in (None, "public", "private"):
        raise Invalid("visibility must be public or private.", field="visibility")
    limits = call.tools.image_limits
    limit = limit_of(query.limit, limits.api_limit_max, limits.limit_param_default)
    types = [name for name in (query.resource_types or "").split(",") if name]

    def read(tx: Tx) -> list[tuple[Namespace, list[Association]]]:
        after = None
        if query.marker:
            try:
                rule = "get_metadef_namespace"
                after = metadefs.namespace_visible(tx, call.ctx, query.marker, rule)
            except NotFound as error:
                raise Invalid(error.message, field="marker") from error
        page = metadefs.NamespacePage(
            sort_key=query.sort_key, falls=query.sort_dir == "desc", limit=limit, after=after
        )
        seen = metadefs.Seen(owner=None, visibility=query.visibility, resource_types=types)
        found = metadefs.namespaces_visible(tx, call.ctx, seen, page)
        return [(one, metadefs.associations(tx, one)) for one in found]

    return _page(call, call.db.read(read), limit)


@routes.post(_NAMESPACES, policy="add_metadef_namespace", status=201)
def create_namespace(call: Call[ImageTools], body: NewNamespace) -> Reply:
    """Create a namespace, with all that is to be in it."""
    given: list[Given] = [given_object(one) for one in body.objects]
    given += [given_property(name, one) for name, one in body.properties.items()]
    given += [given_tag(one.name) for one in body.tags]
    wanted = [
        metadefs.AssociationSpec(**msgspec.structs.asdict(one))
        for one in body.resource_type_associations
    ]

    def write(tx: Tx) -> tuple[Namespace, Contents]:
        made = metadefs.new_namespace(tx, call.ctx, _spec(body), given, wanted)
        return made, metadefs.contents(tx, made)

    view = _show_whole(*call.db.write(write))
    return Reply(view, headers={"Location": f"{call.url}{view.self}"})


class ForType(msgspec.Struct, kw_only=True):
    """For which type of resources the names of properties are to be spelled."""

    resource_type: str | None = None


@routes.get(_NAMESPACE, policy="get_metadef_namespace", on_target=True)
def show_namespace(call: Call[ImageTools], namespace_name: str, query: ForType) -> NamespaceView:
    """Show a namespace with all that is in it."""

    def read(tx: Tx) -> tuple[Namespace, Contents]:
        rule = "get_metadef_namespace"
        found = metadefs.namespace_visible(tx, call.ctx, namespace_name, rule)
        return found, metadefs.contents(tx, found)

    return _show_whole(*call.db.read(read), query.resource_type)


@routes.put(_NAMESPACE, policy="modify_metadef_namespace")
def update_namespace(
    call: Call[ImageTools], namespace_name: str, body: ChangedNamespace
) -> NamespaceView:
    """Describe a namespace anew, maybe under another name."""
    changed = metadefs.update_namespace
    return _show(call.db.write(changed, call.ctx, namespace_name, _spec(body)))


@routes.delete(_NAMESPACE, policy="delete_metadef_namespace", status=204)
def delete_namespace(call: Call[ImageTools], namespace_name: str) -> None:
    """Delete a namespace with all that is in it."""
    call.db.write(metadefs.delete_namespace, call.ctx, namespace_name)


def show_association(association: Association) -> AssociationView:
    """Return what a namespace is for, as clients see it."""
    return AssociationView(
        name=association.name,
        prefix=association.prefix,
        properties_target=association.properties_target,
        created_at=iso_z(association.created_at),
        updated_at=iso_z(association.updated_at),
    )


def _page(
    call: Call[ImageTools], found: list[tuple[Namespace, list[Association]]], limit: int
) -> NamespacesView:
    kept = [(k, v) for k, values in call.filters.items() if k != "marker" for v in values]
    views = [_show(one) for one, _ in found]
    for view, (_, related) in zip(views, found, strict=True):
        if related:
            view.resource_type_associations = [show_association(one) for one in related]
    more = bool(views) and len(views) == limit
    marked = urlencode([*kept, ("marker", views[-1].namespace)]) if more else ""
    return NamespacesView(
        namespaces=views,
        first=f"{_NAMESPACES}?{urlencode(kept)}" if kept else _NAMESPACES,
        next=f"{_NAMESPACES}?{marked}" if more else UNSET,
    )


def _spec(body: NamespaceBody) -> metadefs.NamespaceSpec:
    fields = metadefs.NamespaceSpec.__struct_fields__
    return metadefs.NamespaceSpec(**{name: getattr(body, name) for name in fields})


def _show(namespace: Namespace) -> NamespaceView:
    return NamespaceView(
        namespace=namespace.namespace,
        display_name=namespace.display_name,
        description=namespace.description,
        visibility=namespace.visibility,
        protected=namespace.protected,
        owner=namespace.owner,
        created_at=iso_z(namespace.created_at),
        updated_at=iso_z(namespace.updated_at),
        self=f"{_NAMESPACES}/{quote(namespace.namespace, safe='')}",
    )


def _show_whole(
    namespace: Namespace, contents: Contents, resource_type: str | None = None
) -> NamespaceView:
    view = _show(namespace)
    related = [show_association(one) for one in contents.associations]
    prefix = next((one.prefix or "" for one in related if one.name == resource_type), "")
    if contents.properties:
        view.properties = {f"{prefix}{p.name}": show_property(p) for p in contents.properties}
    if contents.objects:
        view.objects = [show_object(namespace.namespace, one) for one in contents.objects]
    if contents.tags:
        view.tags = [TagSpec(name=one.name) for one in contents.tags]
    if related:
        view.resource_type_associations = related
    return view
