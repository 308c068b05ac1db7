"""Groups of volumes, their types and their snapshots, as they are stored."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.items import SPECS, items_map
from cumulo.services.volume.store.listing import Wanted


class GroupType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of group."""

    id: str
    name: str
    description: str | None
    is_public: bool
    created_at: datetime
    specs: dict[str, str] = {}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of volumes."""

    id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    status: str
    availability_zone: str
    group_type_id: str
    volume_types: list[str]
    group_snapshot_id: str | None = None
    source_group_id: str | None = None
    created_at: datetime
    updated_at: datetime | None = None


class GroupSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the volumes of a group held at one moment."""

    id: str
    group_id: str
    group_type_id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    status: str
    created_at: datetime
    updated_at: datetime | None = None


t, g, s = tables.group_type.c, tables.group.c, tables.group_snapshot.c
_GROUP = [g[name] for name in Group.__struct_fields__]
_SNAPSHOT = [s[name] for name in GroupSnapshot.__struct_fields__]


def type_insert(tx: Tx, group_type: GroupType) -> None:
    """Store a new type, without its specs."""
    row = msgspec.structs.asdict(group_type)
    del row["specs"]
    tx.execute(sa.insert(tables.group_type), row)


def type_list(tx: Tx) -> list[GroupType]:
    """Return every type, newest first."""
    query = sa.select(tables.group_type).order_by(t.created_at.desc(), t.id.desc())
    rows = tx.execute(query).all()
    noted = items_map(tx, [row.id for row in rows])
    return [GroupType(**row._mapping, specs=noted.get((row.id, SPECS), {})) for row in rows]


def type_find(tx: Tx, id_or_name: str) -> GroupType | None:
    """Return the type of that id, or else of that name."""
    found = {one.id: one for one in type_list(tx)}
    named = (one for one in found.values() if one.name == id_or_name)
    return found.get(id_or_name) or next(named, None)


def type_update(tx: Tx, type_id: str, **values: object) -> None:
    """Change a type."""
    tx.execute(sa.update(tables.group_type).where(t.id == type_id).values(**values))


def type_delete(tx: Tx, type_id: str) -> None:
    """Forget a type."""
    tx.execute(sa.delete(tables.group_type).where(t.id == type_id))


def is_type_used(tx: Tx, type_id: str) -> bool:
    """Say whether there are groups of a type."""
    return tx.execute(sa.select(g.id).where(g.group_type_id == type_id)).first() is not None


def group_insert(tx: Tx, group: Group) -> None:
    """Store a new group."""
    tx.execute(sa.insert(tables.group), msgspec.structs.asdict(group))


def group_find(tx: Tx, group_id: str) -> Group | None:
    """Return a group, whoever owns it, or None."""
    row = tx.execute(sa.select(*_GROUP).where(g.id == group_id)).one_or_none()
    return Group(**row._mapping) if row is not None else None


def group_list(tx: Tx, wanted: Wanted) -> list[Group]:
    """Return a page of groups."""
    return [Group(**row._mapping) for row in listing.rows_of(tx, tables.group, _GROUP, wanted)]


def group_update(tx: Tx, group_id: str, **values: object) -> None:
    """Change a group."""
    change = sa.update(tables.group).where(g.id == group_id)
    tx.execute(change.values(updated_at=clock.now(), **values))


def group_move(tx: Tx, group_id: str, to: str, *, expected: list[str]) -> bool:
    """Change the status if it is one of `expected`; say whether it was."""
    change = sa.update(tables.group).where(g.id == group_id, g.status.in_(expected))
    return bool(tx.execute(change.values(status=to, updated_at=clock.now())).rowcount)


def group_delete(tx: Tx, group_id: str) -> None:
    """Forget a group."""
    tx.execute(sa.delete(tables.group).where(g.id == group_id))


def group_snapshot_insert(tx: Tx, snapshot: GroupSnapshot) -> None:
    """Store a new snapshot of a group."""
    tx.execute(sa.insert(tables.group_snapshot), msgspec.structs.asdict(snapshot))


def group_snapshot_find(tx: Tx, snapshot_id: str) -> GroupSnapshot | None:
    """Return a snapshot of a group, whoever owns it, or None."""
    row = tx.execute(sa.select(*_SNAPSHOT).where(s.id == snapshot_id)).one_or_none()
    return GroupSnapshot(**row._mapping) if row is not None else None


def group_snapshot_list(tx: Tx, wanted: Wanted) -> list[GroupSnapshot]:
    """Return a page of snapshots of groups."""
    rows = listing.rows_of(tx, tables.group_snapshot, _SNAPSHOT, wanted)
    return [GroupSnapshot(**row._mapping) for row in rows]


def group_snapshots_of(tx: Tx, group_id: str) -> list[str]:
    """Return the ids of a group's snapshots."""
    return list(tx.scalars(sa.select(s.id).where(s.group_id == group_id)))


def group_snapshot_update(tx: Tx, snapshot_id: str, status: str) -> None:
    """Change the status of a snapshot of a group."""
    change = sa.update(tables.group_snapshot).where(s.id == snapshot_id)
    tx.execute(change.values(status=status, updated_at=clock.now()))


def group_snapshot_delete(tx: Tx, snapshot_id: str) -> None:
    """Forget a snapshot of a group."""
    tx.execute(sa.delete(tables.group_snapshot).where(s.id == snapshot_id))
