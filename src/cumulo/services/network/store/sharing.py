"""Who may see what: rows that let other projects use a network."""

from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.ids import new_id
from cumulo.services.network.store.tables import network, port, rbac_policy, subnet

SHARED, EXTERNAL = "access_as_shared", "access_as_external"
EVERYONE = "*"


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


def owned(table: sa.Table, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for what only its own project knows of."""
    return sa.true() if viewer.sees_all else table.c.project_id == viewer.project_id


def shared_with(tx: Tx, project_id: str, network_ids: Collection[str]) -> set[str]:
    """Return those of the networks that the project may use without owning them."""
    r = rbac_policy.c
    select = sa.select(r.object_id).where(
        r.object_id.in_(network_ids),
        r.action == SHARED,
        r.target_project.in_((EVERYONE, project_id)),
    )
    return set(tx.scalars(select))


def shared_condition(project_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for networks that the project may use without owning them."""
    return network.c.id.in_(_open_to(project_id, (SHARED,)))


def grant(tx: Tx, project_id: str, network_id: str, action: str) -> None:
    """Let every project do `action` with the network."""
    row = {"object_type": "network", "object_id": network_id, "target_project": EVERYONE}
    found = {r.target_project for r in _grants(tx, network_id, action)}
    if EVERYONE not in found:
        row |= {"id": new_id(), "project_id": project_id, "action": action}
        tx.execute(sa.insert(rbac_policy).values(row))


def revoke(tx: Tx, network_id: str, action: str) -> None:
    """End what `grant` began; projects named one by one keep theirs."""
    r = rbac_policy.c
    where = (r.object_id == network_id, r.action == action, r.target_project == EVERYONE)
    tx.execute(sa.delete(rbac_policy).where(*where))


def forget(tx: Tx, network_id: str) -> None:
    """End all sharing of a network that goes away."""
    tx.execute(sa.delete(rbac_policy).where(rbac_policy.c.object_id == network_id))


def targets(tx: Tx, network_id: str, action: str) -> set[str]:
    """Return the projects that may do `action` with the network, one by one."""
    return {r.target_project for r in _grants(tx, network_id, action)} - {EVERYONE}


def _grants(tx: Tx, network_id: str, action: str) -> Sequence[sa.Row[tuple[str]]]:
    r = rbac_policy.c
    where = (r.object_id == network_id, r.action == action)
    return tx.execute(sa.select(r.target_project).where(*where)).all()


def _open_to(project_id: str, actions: tuple[str, ...]) -> sa.Select[tuple[str]]:
    r = rbac_policy.c
    return sa.select(r.object_id).where(
        r.action.in_(actions), r.target_project.in_((EVERYONE, project_id))
    )
