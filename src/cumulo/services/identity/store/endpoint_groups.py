"""Statements on which endpoints a project's catalog shows: by name, or by groups of them."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import (
    endpoint_group,
    project_endpoint,
    project_endpoint_group,
)

# Built once: each catalog asks them, and to build one costs as much as to run it.
_NAMED_BY = (
    sa.select(project_endpoint.c.endpoint_id)
    .where(project_endpoint.c.project_id == sa.bindparam("project_id"))
    .order_by(project_endpoint.c.endpoint_id)
)
_GROUPS_OF = (
    sa.select(endpoint_group)
    .join(
        project_endpoint_group,
        project_endpoint_group.c.endpoint_group_id == endpoint_group.c.id,
    )
    .where(project_endpoint_group.c.project_id == sa.bindparam("project_id"))
    .order_by(endpoint_group.c.id)
)


class EndpointGroup(msgspec.Struct, frozen=True):
    """The endpoints that have all of `filters`."""

    id: str
    name: str
    description: str | None = None
    filters: dict[str, object] = {}


def endpoint_group_insert(tx: Tx, new: EndpointGroup) -> None:
    """Store an endpoint group; several may have one name."""
    tx.execute(sa.insert(endpoint_group).values(**msgspec.structs.asdict(new)))


def endpoint_group_find(tx: Tx, group_id: str) -> EndpointGroup | None:
    """Return an endpoint group, if it is there."""
    g = endpoint_group
    row = tx.execute(sa.select(g).where(g.c.id == group_id)).one_or_none()
    return _load(row) if row else None


def endpoint_group_page(tx: Tx, listing: Listing) -> Page[EndpointGroup]:
    """Return endpoint groups in the order of their ids."""
    return page(tx, endpoint_group, listing, _load)


def endpoint_group_change(tx: Tx, before: EndpointGroup, **values: Any) -> EndpointGroup:
    """Change columns of an endpoint group."""
    change = sa.update(endpoint_group).where(endpoint_group.c.id == before.id)
    tx.execute(change.values(**values))
    return msgspec.structs.replace(before, **values)


def endpoint_group_delete(tx: Tx, group_id: str) -> None:
    """Take an endpoint group away from every project, and then altogether."""
    p = project_endpoint_group
    tx.execute(sa.delete(p).where(p.c.endpoint_group_id == group_id))
    tx.execute(sa.delete(endpoint_group).where(endpoint_group.c.id == group_id))


def groups_of_project(tx: Tx, project_id: str) -> list[EndpointGroup]:
    """Return the endpoint groups that a project shows."""
    return [_load(row) for row in tx.execute(_GROUPS_OF, {"project_id": project_id})]


def projects_of_group(tx: Tx, group_id: str) -> list[str]:
    """Return the ids of the projects that show an endpoint group."""
    p = project_endpoint_group.c
    select = sa.select(p.project_id).where(p.endpoint_group_id == group_id)
    return list(tx.scalars(select.order_by(p.project_id)))


def group_show(tx: Tx, project_id: str, group_id: str) -> None:
    """Let a project show an endpoint group, or find that it does."""
    pair = {"project_id": project_id, "endpoint_group_id": group_id}
    insert_absent(tx, project_endpoint_group, **pair)


def group_hide(tx: Tx, project_id: str, group_id: str) -> bool:
    """Let a project show it no more; say whether it did."""
    p = project_endpoint_group.c
    where = (p.project_id == project_id, p.endpoint_group_id == group_id)
    return bool(tx.execute(sa.delete(project_endpoint_group).where(*where)).rowcount)


def endpoints_of_project(tx: Tx, project_id: str) -> list[str]:
    """Return the ids of the endpoints that a project shows by name."""
    return list(tx.scalars(_NAMED_BY, {"project_id": project_id}))


def projects_of_endpoint(tx: Tx, endpoint_id: str) -> list[str]:
    """Return the ids of the projects that show an endpoint by name."""
    p = project_endpoint.c
    select = sa.select(p.project_id).where(p.endpoint_id == endpoint_id)
    return list(tx.scalars(select.order_by(p.project_id)))


def endpoint_show(tx: Tx, project_id: str, endpoint_id: str) -> None:
    """Let a project show an endpoint, or find that it does."""
    insert_absent(tx, project_endpoint, project_id=project_id, endpoint_id=endpoint_id)


def endpoint_hide(tx: Tx, project_id: str, endpoint_id: str) -> bool:
    """Let a project show it no more; say whether it did."""
    p = project_endpoint.c
    where = (p.project_id == project_id, p.endpoint_id == endpoint_id)
    return bool(tx.execute(sa.delete(project_endpoint).where(*where)).rowcount)


def shown_forget(
    tx: Tx, *, project_id: str | None = None, endpoint_ids: tuple[str, ...] = ()
) -> None:
    """Forget what a project showed, or who showed endpoints, that are gone."""
    p, g = project_endpoint, project_endpoint_group
    if project_id:
        tx.execute(sa.delete(p).where(p.c.project_id == project_id))
        tx.execute(sa.delete(g).where(g.c.project_id == project_id))
    if endpoint_ids:
        tx.execute(sa.delete(p).where(p.c.endpoint_id.in_(endpoint_ids)))


def _load(row: "sa.Row[Any]") -> EndpointGroup:
    return EndpointGroup(**row._mapping)
