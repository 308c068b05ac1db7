"""Server groups and the servers in them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store.tables import server_group, server_group_member


class ServerGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Servers that should share hosts or keep apart."""

    id: str
    name: str
    project_id: str
    user_id: str
    policy: str
    max_server_per_host: int | None
    created_at: datetime
    members: list[str] = []


_m = server_group_member.c
_OF_SERVER = sa.select(server_group).where(
    server_group.c.uuid.in_(
        sa.select(_m.server_group).where(_m.server_id == sa.bindparam("of_server"))
    )
)


def group_get(tx: Tx, group_id: str) -> ServerGroup:
    """Return a server group, whoever owns it."""
    found = _whole(tx, sa.select(server_group).where(server_group.c.uuid == group_id))
    if not found:
        raise NotFound(f"Instance group {group_id} could not be found.", group_id=group_id)
    return found[0]


def group_of(tx: Tx, server_id: str) -> ServerGroup | None:
    """Return the group that a server is in."""
    found = _whole(tx, _OF_SERVER, {"of_server": server_id})
    return found[0] if found else None


def group_list(
    tx: Tx, *, project_id: str | None, offset: int = 0, limit: int | None = None
) -> list[ServerGroup]:
    """Return the groups of a project, or of all, in the order they were made."""
    g = server_group.c
    query = sa.select(server_group).order_by(g.id).offset(offset).limit(limit)
    if project_id is not None:
        query = query.where(g.project_id == project_id)
    return _whole(tx, query)


def group_add(tx: Tx, new: ServerGroup) -> None:
    """Store a new group, without members."""
    values = {n: getattr(new, n) for n in new.__struct_fields__ if n not in ("id", "members")}
    tx.execute(
        sa.insert(server_group).values({**values, "uuid": new.id, "created_at": clock.now()})
    )


def group_delete(tx: Tx, group_id: str) -> bool:
    """Remove a group; say whether it was there."""
    gone = sa.delete(server_group).where(server_group.c.uuid == group_id)
    return bool(tx.execute(gone).rowcount)


def member_add(tx: Tx, group_id: str, server_id: str) -> None:
    """Put a server into a group."""
    row = {"server_group": group_id, "server_id": server_id, "added_at": clock.now()}
    tx.execute(sa.insert(server_group_member).values(**row))


def every_member(tx: Tx) -> set[str]:
    """Return the servers that are in any group."""
    return set(tx.scalars(sa.select(server_group_member.c.server_id)))


def member_remove(tx: Tx, server_id: str) -> list[str]:
    """Take a server out of its groups; return which."""
    m = server_group_member.c
    groups = list(tx.scalars(sa.select(m.server_group).where(m.server_id == server_id)))
    tx.execute(sa.delete(server_group_member).where(m.server_id == server_id))
    return groups


def _whole(
    tx: Tx, query: sa.Select[Any], values: Mapping[str, object] | None = None
) -> list[ServerGroup]:
    rows = tx.execute(query, values).all()
    if not rows:
        return []
    members: dict[str, list[str]] = {row.uuid: [] for row in rows}
    for row in _members(tx, members):
        members[row.server_group].append(row.server_id)
    return [_group(row, members[row.uuid]) for row in rows]


def _members(tx: Tx, groups: Iterable[str]) -> Iterable[sa.Row[Any]]:
    m = server_group_member.c
    query = sa.select(server_group_member).where(m.server_group.in_(list(groups)))
    return tx.execute(query.order_by(m.added_at, m.server_id))


def _group(row: sa.Row[Any], members: list[str]) -> ServerGroup:
    return ServerGroup(
        id=row.uuid,
        name=row.name,
        project_id=row.project_id,
        user_id=row.user_id,
        policy=row.policy,
        max_server_per_host=row.max_server_per_host,
        created_at=row.created_at,
        members=members,
    )
