"""Metadata definitions: namespaces of objects, properties and tags, and what they are for.

Everybody may look a public namespace up, its project a private one; administrators write.
"""

from collections.abc import Iterable, Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.image.store import metadefs as store
from cumulo.services.image.store.metadefs import Association as Association
from cumulo.services.image.store.metadefs import Definition as Definition
from cumulo.services.image.store.metadefs import Kind as Kind
from cumulo.services.image.store.metadefs import Namespace as Namespace
from cumulo.services.image.store.metadefs import NamespacePage as NamespacePage
from cumulo.services.image.store.metadefs import ResourceType as ResourceType
from cumulo.services.image.store.metadefs import Seen as Seen
from cumulo.work import events

SORT_KEYS = ("namespace", "created_at", "updated_at")
# The resources of an OpenStack cloud, by the names that Heat gives them.
RESOURCE_TYPES = (
    "OS::Cinder::Volume", "OS::Glance::Image", "OS::Nova::Aggregate", "OS::Nova::Flavor",
    "OS::Nova::Server", "OS::Trove::Instance",
)  # fmt: skip


class NamespaceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator says about a namespace."""

    namespace: str
    display_name: str | None = None
    description: str | None = None
    visibility: str = "private"
    protected: bool = False
    owner: str | None = None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A definition as it was given; `content` is JSON."""

    kind: Kind
    name: str
    content: str


class AssociationSpec(msgspec.Struct, frozen=True, kw_only=True):
    """For which type of resources a namespace is to be."""

    name: str
    prefix: str | None = None
    properties_target: str | None = None


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All that a namespace holds."""

    objects: list[Definition]
    properties: list[Definition]
    tags: list[Definition]
    associations: list[Association]


def add_first_resource_types(tx: Tx) -> None:
    """Make the types of resources known that every cloud has."""
    for name in RESOURCE_TYPES:
        store.resource_type_add(tx, name)


def namespace_visible(tx: Tx, ctx: Context, name: str, rule: str) -> Namespace:
    """Return a namespace the caller may know of; to anyone else it does not exist."""
    namespace = store.namespace_find(tx, name)
    if namespace is not None and _is_shown(ctx, namespace):
        ctx.require(rule, project_id=namespace.owner, visibility=namespace.visibility)
        return namespace
    raise NotFound(f"Metadata definition namespace={name} was not found.")


def namespaces_visible(tx: Tx, ctx: Context, seen: Seen, page: NamespacePage) -> list[Namespace]:
    """Return a page of the namespaces the caller may know of."""
    own = None if ctx.is_admin else ctx.project_id or ""
    return store.namespace_list(tx, msgspec.structs.replace(seen, owner=own), page)


def contents(tx: Tx, namespace: Namespace) -> Contents:
    """Return all that is in a namespace."""
    return Contents(
        objects=store.definition_list(tx, namespace.id, "object"),
        properties=store.definition_list(tx, namespace.id, "property"),
        tags=store.definition_list(tx, namespace.id, "tag"),
        associations=store.association_list(tx, namespace.id),
    )


def new_namespace(
    tx: Tx,
    ctx: Context,
    spec: NamespaceSpec,
    given: Iterable[Given],
    associations: Iterable[AssociationSpec],
) -> Namespace:
    """Record a namespace with all that comes in it."""
    _check_free(tx, spec.namespace)
    moment = now()
    namespace = Namespace(
        id=new_id(),
        namespace=spec.namespace,
        display_name=spec.display_name,
        description=spec.description,
        visibility=spec.visibility,
        protected=spec.protected,
        owner=spec.owner or ctx.project_id or "",
        created_at=moment,
        updated_at=moment,
    )
    store.namespace_insert(tx, namespace)
    for one in given:
        _add(tx, namespace, one)
    for association in associations:
        _associate(tx, namespace, association)
    _note(tx, ctx, namespace, "namespace", None, namespace)
    return namespace


def update_namespace(tx: Tx, ctx: Context, name: str, spec: NamespaceSpec) -> Namespace:
    """Describe a namespace anew, maybe under another name."""
    before = namespace_visible(tx, ctx, name, "modify_metadef_namespace")
    if spec.namespace != name:
        _check_free(tx, spec.namespace)
    fields = msgspec.structs.asdict(spec) | {"owner": spec.owner or before.owner}
    store.namespace_update(tx, msgspec.structs.replace(before, **fields))
    after = store.namespace_find(tx, spec.namespace)
    assert after is not None
    _note(tx, ctx, after, "namespace", before, after)
    return after


def delete_namespace(tx: Tx, ctx: Context, name: str) -> None:
    """Remove a namespace with all that is in it."""
    namespace = _unprotected(tx, ctx, name, "delete_metadef_namespace")
    store.namespace_delete(tx, namespace.id)
    _note(tx, ctx, namespace, "namespace", namespace, None)


def definitions(
    tx: Tx, namespace: Namespace, kind: Kind, *, limit: int | None = None, after: str | None = None
) -> list[Definition]:
    """Return what a namespace holds of a kind, by name."""
    if after is not None:
        definition_get(tx, namespace, kind, after)
    return store.definition_list(tx, namespace.id, kind, limit=limit, after=after)


def definition_get(tx: Tx, namespace: Namespace, kind: Kind, name: str) -> Definition:
    """Return a definition."""
    found = store.definition_find(tx, namespace.id, kind, name)
    if found is None:
        raise NotFound(
            f"The metadata definition {kind} with name={name} was not found "
            f"in namespace={namespace.namespace}."
        )
    return found


def new_definition(tx: Tx, ctx: Context, name: str, given: Given) -> Definition:
    """Record an object, a property or a tag of a namespace."""
    namespace = namespace_visible(tx, ctx, name, f"add_metadef_{given.kind}")
    _add(tx, namespace, given)
    made = definition_get(tx, namespace, given.kind, given.name)
    _note(tx, ctx, namespace, given.kind, None, made)
    return made


def set_tags(
    tx: Tx, ctx: Context, name: str, given: Sequence[Given], *, append: bool
) -> list[Definition]:
    """Let a namespace have exactly these tags, or these besides those that it has."""
    namespace = namespace_visible(tx, ctx, name, "add_metadef_tags")
    names = {one.name for one in given}
    if len(names) < len(given):
        raise Conflict(
            f"A metadata definition tag of tags is named twice in namespace={name}.", field="tags"
        )
    before = {one.name for one in store.definition_list(tx, namespace.id, "tag")}
    if append and (known := sorted(names & before)):
        raise _duplicate("tag", known[0], namespace)
    if not append:
        store.definitions_delete(tx, namespace.id, "tag", before)
    for one in given:
        _add(tx, namespace, one)
    after = store.definition_list(tx, namespace.id, "tag")
    _note(tx, ctx, namespace, "tags", _Names(sorted(before)), _Names([one.name for one in after]))
    return after


def update_definition(tx: Tx, ctx: Context, name: str, known_as: str, given: Given) -> Definition:
    """Define something anew, maybe under another name."""
    namespace = namespace_visible(tx, ctx, name, f"modify_metadef_{given.kind}")
    before = definition_get(tx, namespace, given.kind, known_as)
    taken = given.name != known_as
    if taken and store.definition_find(tx, namespace.id, given.kind, given.name) is not None:
        raise _duplicate(given.kind, given.name, namespace)
    store.definition_update(
        tx, namespace.id, given.kind, known_as, to=given.name, content=given.content
    )
    after = definition_get(tx, namespace, given.kind, given.name)
    _note(tx, ctx, namespace, given.kind, before, after)
    return after


def delete_definition(tx: Tx, ctx: Context, name: str, kind: Kind, known_as: str) -> None:
    """Remove a definition."""
    namespace = _unprotected(tx, ctx, name, _removal(kind))
    before = definition_get(tx, namespace, kind, known_as)
    store.definitions_delete(tx, namespace.id, kind, [known_as])
    _note(tx, ctx, namespace, kind, before, None)


def delete_definitions(tx: Tx, ctx: Context, name: str, kind: Kind) -> None:
    """Remove all definitions of a kind."""
    rule = "delete_metadef_tags" if kind == "tag" else _removal(kind)
    namespace = _unprotected(tx, ctx, name, rule)
    before = {one.name for one in store.definition_list(tx, namespace.id, kind)}
    store.definitions_delete(tx, namespace.id, kind, before)
    _note(tx, ctx, namespace, kind, _Names(sorted(before)), _Names([]))


def resource_types(tx: Tx) -> list[ResourceType]:
    """Return all types of resources that definitions may be for."""
    return store.resource_type_list(tx)


def associations(tx: Tx, namespace: Namespace) -> list[Association]:
    """Return for which types of resources a namespace is."""
    return store.association_list(tx, namespace.id)


def associate(tx: Tx, ctx: Context, name: str, spec: AssociationSpec) -> Association:
    """Let a namespace be for a type of resources."""
    rule = "add_metadef_resource_type_association"
    namespace = namespace_visible(tx, ctx, name, rule)
    made = _associate(tx, namespace, spec)
    _note(tx, ctx, namespace, "association", None, made)
    return made


def dissociate(tx: Tx, ctx: Context, name: str, resource_type: str) -> None:
    """Let a namespace no longer be for a type of resources."""
    rule = "remove_metadef_resource_type_association"
    namespace = _unprotected(tx, ctx, name, rule)
    if not store.association_delete(tx, namespace.id, resource_type):
        raise NotFound(
            "The metadata definition resource-type association of "
            f"resource-type={resource_type} to namespace={name} was not found."
        )
    _note(tx, ctx, namespace, "association", _Names([resource_type]), None)


def _is_shown(ctx: Context, namespace: Namespace) -> bool:
    own = ctx.project_id is not None and namespace.owner == ctx.project_id
    return ctx.is_admin or own or namespace.visibility == "public"


def _check_free(tx: Tx, name: str) -> None:
    if store.namespace_find(tx, name) is not None:
        raise Conflict(f"The metadata definition namespace={name} already exists.")


def _unprotected(tx: Tx, ctx: Context, name: str, rule: str) -> Namespace:
    namespace = namespace_visible(tx, ctx, name, rule)
    if namespace.protected:
        raise Forbidden(
            f"Metadata definition namespace {name} is protected: nothing of it can be deleted."
        )
    return namespace


def _add(tx: Tx, namespace: Namespace, given: Given) -> None:
    if store.definition_find(tx, namespace.id, given.kind, given.name) is not None:
        raise _duplicate(given.kind, given.name, namespace)
    store.definition_insert(tx, namespace.id, given.kind, given.name, given.content)


def _associate(tx: Tx, namespace: Namespace, spec: AssociationSpec) -> Association:
    if any(one.name == spec.name for one in store.association_list(tx, namespace.id)):
        raise Conflict(
            f"The metadata definition resource-type association of resource-type={spec.name} "
            f"to namespace={namespace.namespace} already exists."
        )
    moment = now()
    made = Association(**msgspec.structs.asdict(spec), created_at=moment, updated_at=moment)
    store.resource_type_add(tx, spec.name)
    store.association_insert(tx, namespace.id, made)
    return made


def _removal(kind: Kind) -> str:
    return "remove_metadef_property" if kind == "property" else f"delete_metadef_{kind}"


def _duplicate(kind: Kind, name: str, namespace: Namespace) -> Conflict:
    return Conflict(
        f"A metadata definition {kind} with name={name} already exists "
        f"in namespace={namespace.namespace}."
    )


def check_sort(sort_key: str, sort_dir: str) -> None:
    """Refuse an order that there is not."""
    if sort_key not in SORT_KEYS:
        raise Invalid(f"sort_key must be one of {', '.join(SORT_KEYS)}, not {sort_key[:64]}.")
    if sort_dir not in ("asc", "desc"):
        raise Invalid(f"sort_dir must be asc or desc, not {sort_dir[:64]}.")


class _Names(msgspec.Struct, frozen=True):
    names: list[str]


def _note(
    tx: Tx,
    ctx: Context,
    namespace: Namespace,
    what: str,
    before: msgspec.Struct | None,
    after: msgspec.Struct | None,
) -> None:
    if before == after:
        return
    events.record(
        tx,
        ctx,
        resource=f"metadef_{what}",
        resource_id=namespace.id,
        action="create" if before is None else "delete" if after is None else "update",
        before=before,
        after=after,
        project_id=namespace.owner,
    )
