"""Who may see what: rows that let other projects use a network."""

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store.tables import (
    network,
    port,
    rbac_policy,
    security_group,
    security_group_rule,
    subnet,
)

SHARED, EXTERNAL = "access_as_shared", "access_as_external"
EVERYONE = "*"


_SHARED_WITH = sa.select(rbac_policy.c.object_id).where(
    rbac_policy.c.object_id.in_(sa.bindparam("ids", expanding=True)),
    rbac_policy.c.action == SHARED,
    sa.or_(
        rbac_policy.c.target_project == EVERYONE,
        rbac_policy.c.target_project == sa.bindparam("project"),
    ),
)


class Viewer(msgspec.Struct, frozen=True):
    """Whose eyes a list is read with."""

    project_id: str
    sees_all: bool = False


def networks_seen(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for networks the viewer knows of: own, shared, external."""
    if viewer.sees_all:
        return sa.true()
    return sa.or_(
        network.c.project_id == viewer.project_id,
        network.c.id.in_(_open_to(viewer.project_id, (SHARED, EXTERNAL))),
    )


def subnets_seen(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for subnets the viewer knows of: own, and those of seen networks."""
    if viewer.sees_all:
        return sa.true()
    own = sa.select(network.c.id).where(network.c.project_id == viewer.project_id)
    return sa.or_(
        subnet.c.project_id == viewer.project_id,
        subnet.c.network_id.in_(own),
        subnet.c.network_id.in_(_open_to(viewer.project_id, (SHARED, EXTERNAL))),
    )


def ports_seen(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for ports the viewer knows of: own, and those in own networks."""
    if viewer.sees_all:
        return sa.true()
    own = sa.select(network.c.id).where(network.c.project_id == viewer.project_id)
    return sa.or_(port.c.project_id == viewer.project_id, port.c.network_id.in_(own))


def rules_seen(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for rules the viewer knows of: those of own groups."""
    g, r = security_group.c, security_group_rule.c
    own = sa.select(g.id).where(g.project_id == viewer.project_id)
    return sa.true() if viewer.sees_all else r.security_group_id.in_(own)


def lent(table: sa.Table, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for what may be lent: what is own, and what was lent."""
    if viewer.sees_all:
        return sa.true()
    shared = _open_to(viewer.project_id, (SHARED,))
    return sa.or_(table.c.project_id == viewer.project_id, table.c.id.in_(shared))


def owned(table: sa.Table, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for what only its own project knows of."""
    return sa.true() if viewer.sees_all else table.c.project_id == viewer.project_id


def shared_with(tx: Tx, project_id: str, object_ids: Collection[str]) -> set[str]:
    """Return those of the objects that the project may use without owning them."""
    wanted = {"ids": list(object_ids), "project": project_id}
    return set(tx.scalars(_SHARED_WITH, wanted)) if object_ids else set()


def shared_condition(table: sa.Table, project_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for what the project may use without owning it."""
    return table.c.id.in_(_open_to(project_id, (SHARED,)))


class Grant(msgspec.Struct, frozen=True, gc=False):
    """A network lent to a project, or to everyone."""

    id: str
    project_id: str
    object_type: str
    object_id: str
    action: str
    target_project: str


def grant_insert(tx: Tx, grant: Grant) -> None:
    """Record what is lent."""
    tx.execute(sa.insert(rbac_policy), msgspec.structs.asdict(grant))


def grant_find(tx: Tx, network_id: str, action: str, target: str) -> Grant | None:
    """Return the grant of `action` to `target`, if there is one."""
    found = [
        g for g in grants_of(tx, network_id) if (g.action, g.target_project) == (action, target)
    ]
    return found[0] if found else None


def grant_get(tx: Tx, grant_id: str, seen: sa.ColumnElement[bool]) -> Grant | None:
    """Return a grant that fulfils `seen`, or None."""
    select = sa.select(rbac_policy).where(rbac_policy.c.id == grant_id, seen)
    row = tx.execute(select).one_or_none()
    return Grant(*row) if row else None


def grants_of(tx: Tx, network_id: str) -> list[Grant]:
    """Return all that is lent of a network."""
    r = rbac_policy.c
    select = sa.select(rbac_policy).where(r.object_id == network_id).order_by(r.id)
    return [Grant(*row) for row in tx.execute(select)]


def grant_retarget(tx: Tx, grant_id: str, target: str) -> None:
    """Record to whom else it is lent."""
    change = sa.update(rbac_policy).where(rbac_policy.c.id == grant_id)
    tx.execute(change.values(target_project=target))


def grant_delete(tx: Tx, grant_id: str) -> None:
    """Record that it is lent no more."""
    tx.execute(sa.delete(rbac_policy).where(rbac_policy.c.id == grant_id))


def targets(tx: Tx, network_id: str, action: str) -> set[str]:
    """Return the projects that may do `action` with the network, one by one."""
    grants = grants_of(tx, network_id)
    return {g.target_project for g in grants if g.action == action} - {EVERYONE}


def _open_to(project_id: str, actions: tuple[str, ...]) -> sa.Select[tuple[str]]:
    r = rbac_policy.c
    return sa.select(r.object_id).where(
        r.action.in_(actions), r.target_project.in_((EVERYONE, project_id))
    )
