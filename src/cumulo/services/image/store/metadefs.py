"""Metadata definitions: rows of namespaces and of what is in them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit.clock import now
from cumulo.services.image.store import metadef_tables as tables

Kind: TypeAlias = Literal["object", "property", "tag"]
n = tables.namespace.c
d = tables.definition.c
a = tables.association.c


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace as stored."""

    id: str
    namespace: str
    display_name: str | None
    description: str | None
    visibility: str
    protected: bool
    owner: str
    created_at: datetime
    updated_at: datetime


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """An object, a property or a tag; `content` is JSON."""

    name: str
    content: str
    created_at: datetime
    updated_at: datetime


class ResourceType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of resources that definitions are for."""

    name: str
    created_at: datetime
    updated_at: datetime


class Association(msgspec.Struct, frozen=True, kw_only=True):
    """That a namespace is for a type of resources, which may spell its properties with a prefix."""

    name: str
    prefix: str | None
    properties_target: str | None
    created_at: datetime
    updated_at: datetime


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Which namespaces are wanted, and whose the viewer is; None: everybody's."""

    owner: str | None
    visibility: str | None = None
    resource_types: Sequence[str] = ()


class NamespacePage(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the list, in which order."""

    sort_key: str = "created_at"
    falls: bool = True
    limit: int
    after: Namespace | None = None


def namespace_insert(tx: Tx, namespace: Namespace) -> None:
    """Store a new namespace."""
    tx.execute(tables.namespace.insert().values(**msgspec.structs.asdict(namespace)))


def namespace_find(tx: Tx, name: str) -> Namespace | None:
    """Return a namespace by its name."""
    row = tx.execute(sa.select(tables.namespace).where(n.namespace == name)).one_or_none()
    return Namespace(**row._mapping) if row else None


def namespace_list(tx: Tx, seen: Seen, page: NamespacePage) -> list[Namespace]:
    """Return a page of the namespaces that are visible and wanted."""
    select = sa.select(tables.namespace)
    if seen.owner is not None:
        select = select.where(sa.or_(n.visibility == "public", n.owner == seen.owner))
    if seen.visibility is not None:
        select = select.where(n.visibility == seen.visibility)
    if seen.resource_types:
        related = sa.select(a.namespace_id).where(a.name.in_(seen.resource_types))
        select = select.where(n.id.in_(related))
    key = n[page.sort_key]
    if page.after is not None:
        mark = getattr(page.after, page.sort_key)
        beyond = key < mark if page.falls else key > mark
        later = n.id < page.after.id if page.falls else n.id > page.after.id
        select = select.where(sa.or_(beyond, sa.and_(key == mark, later)))
    order = [key.desc(), n.id.desc()] if page.falls else [key.asc(), n.id.asc()]
    rows = tx.execute(select.order_by(*order).limit(page.limit))
    return [Namespace(**row._mapping) for row in rows]


def namespace_update(tx: Tx, namespace: Namespace) -> None:
    """Write a namespace as it now is, under the name it now has."""
    values = msgspec.structs.asdict(namespace) | {"updated_at": now()}
    tx.execute(sa.update(tables.namespace).where(n.id == namespace.id).values(**values))


def namespace_delete(tx: Tx, namespace_id: str) -> None:
    """Remove a namespace and all that is in it."""
    for table in (tables.definition, tables.association):
        tx.execute(sa.delete(table).where(table.c.namespace_id == namespace_id))
    tx.execute(sa.delete(tables.namespace).where(n.id == namespace_id))


def definition_insert(tx: Tx, namespace_id: str, kind: Kind, name: str, content: str) -> None:
    """Store a new definition."""
    moment = now()
    row = {"namespace_id": namespace_id, "kind": kind, "name": name, "content": content}
    tx.execute(tables.definition.insert().values(**row, created_at=moment, updated_at=moment))


def definition_find(tx: Tx, namespace_id: str, kind: Kind, name: str) -> Definition | None:
    """Return a definition, if there is one of that name."""
    select = _definitions(namespace_id, kind).where(d.name == name)
    row = tx.execute(select).one_or_none()
    return Definition(**row._mapping) if row else None


def definition_list(
    tx: Tx, namespace_id: str, kind: Kind, *, limit: int | None = None, after: str | None = None
) -> list[Definition]:
    """Return the definitions of a kind, by name."""
    select = _definitions(namespace_id, kind).order_by(d.name).limit(limit)
    if after is not None:
        select = select.where(d.name > after)
    return [Definition(**row._mapping) for row in tx.execute(select)]


def definition_update(
    tx: Tx, namespace_id: str, kind: Kind, name: str, *, to: str, content: str
) -> None:
    """Write a definition anew, maybe under another name."""
    change = sa.update(tables.definition).where(
        d.namespace_id == namespace_id, d.kind == kind, d.name == name
    )
    tx.execute(change.values(name=to, content=content, updated_at=now()))


def definitions_delete(tx: Tx, namespace_id: str, kind: Kind, names: Collection[str]) -> None:
    """Remove definitions."""
    forget = sa.delete(tables.definition).where(d.namespace_id == namespace_id, d.kind == kind)
    tx.execute(forget.where(d.name.in_(list(names))))


def resource_type_add(tx: Tx, name: str) -> None:
    """Store a type of resources, or find it stored."""
    moment = now()
    insert_absent(tx, tables.resource_type, name=name, created_at=moment, updated_at=moment)


def resource_type_list(tx: Tx) -> list[ResourceType]:
    """Return all types of resources, by name."""
    rows = tx.execute(sa.select(tables.resource_type).order_by(tables.resource_type.c.name))
    return [ResourceType(**row._mapping) for row in rows]


def association_insert(tx: Tx, namespace_id: str, association: Association) -> None:
    """Store that a namespace is for a type of resources."""
    values = msgspec.structs.asdict(association)
    tx.execute(tables.association.insert().values(namespace_id=namespace_id, **values))


def association_list(tx: Tx, namespace_id: str) -> list[Association]:
    """Return for which types of resources a namespace is."""
    select = sa.select(a.name, a.prefix, a.properties_target, a.created_at, a.updated_at)
    rows = tx.execute(select.where(a.namespace_id == namespace_id).order_by(a.name))
    return [Association(**row._mapping) for row in rows]


def association_delete(tx: Tx, namespace_id: str, name: str) -> bool:
    """Forget that a namespace is for a type of resources; say whether it was."""
    forget = sa.delete(tables.association).where(a.namespace_id == namespace_id, a.name == name)
    return bool(tx.execute(forget).rowcount)


def _definitions(namespace_id: str, kind: Kind) -> sa.Select[tuple[str, str, datetime, datetime]]:
    select = sa.select(d.name, d.content, d.created_at, d.updated_at)
    return select.where(d.namespace_id == namespace_id, d.kind == kind)
