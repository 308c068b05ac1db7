"""Servers on their way from a host or a size to another."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import among
from cumulo.kit import clock, ids
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store import server_tables as tables

_M = tables.migration.c


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """A move; while `is_open` its server may be on either host."""

    id: int
    uuid: str  # also the consumer that holds the room left behind
    server_id: str
    project_id: str
    user_id: str
    type: str
    status: str
    source_host: str | None
    dest_host: str | None
    old_flavor: dict[str, Any]
    new_flavor: dict[str, Any]
    old_vm_state: str
    is_open: bool
    created_at: datetime
    updated_at: datetime

    @property
    def old_row(self) -> int | None:
        """Return the number of the flavor that is left, if it was noted."""
        return self.old_flavor.get("row")

    @property
    def new_row(self) -> int | None:
        """Return the number of the flavor that is taken, if it was noted."""
        return self.new_flavor.get("row")


class MigrationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Which migrations to list, newest first."""

    equal: dict[str, object] = {}
    host: str | None = None  # it comes from there or goes there
    since: datetime | None = None
    before: datetime | None = None
    marker: str | None = None
    limit: int | None = None


def migration_insert(tx: Tx, **values: object) -> Migration:
    """Store a new move and return it."""
    now, uuid = clock.now(), ids.new_id()
    row = {"uuid": uuid, "is_open": True, "created_at": now, "updated_at": now, **values}
    tx.execute(tables.migration.insert().values(**row))
    return migration_get(tx, uuid)


def migration_get(tx: Tx, uuid: str) -> Migration:
    """Return a move by its UUID."""
    row = tx.execute(sa.select(tables.migration).where(_M.uuid == uuid)).one_or_none()
    if row is None:
        raise NotFound(f"Migration {uuid} could not be found.", migration_id=uuid)
    return Migration(**row._mapping)


def migration_update(tx: Tx, uuid: str, **values: object) -> None:
    """Change what is known of a move."""
    values.setdefault("updated_at", clock.now())
    tx.execute(sa.update(tables.migration).where(_M.uuid == uuid).values(**values))


def migration_open(tx: Tx, server_id: str) -> Migration | None:
    """Return the move that a server is on, or None."""
    query = sa.select(tables.migration).where(_M.server_id == server_id, _M.is_open == sa.true())
    row = tx.execute(query.order_by(_M.id.desc()).limit(1)).one_or_none()
    return Migration(**row._mapping) if row else None


def servers_moving(tx: Tx) -> set[str]:
    """Return the servers on a move."""
    return set(tx.scalars(sa.select(_M.server_id).where(_M.is_open == sa.true())))


def closed_among(tx: Tx, uuids: Collection[str]) -> set[str]:
    """Return those of some ids that were moves once."""
    query = sa.select(_M.uuid).where(among(tx, _M.uuid, uuids), _M.is_open == sa.false())
    return set(tx.scalars(query))


def moving_on(tx: Tx, host: str) -> set[str]:
    """Return the servers on a move that has to do with a host."""
    either = sa.or_(_M.source_host == host, _M.dest_host == host)
    query = sa.select(_M.server_id).where(_M.is_open == sa.true(), either)
    return set(tx.scalars(query))


def migrations_of(tx: Tx, server_id: str, types: Iterable[str]) -> list[Migration]:
    """Return the moves that a server is on, of some types, oldest first."""
    query = sa.select(tables.migration).where(
        _M.server_id == server_id, _M.type.in_(list(types)), _M.is_open == sa.true()
    )
    return [Migration(**row._mapping) for row in tx.execute(query.order_by(_M.id))]


def migration_list(tx: Tx, page: MigrationPage) -> list[Migration]:
    """Return a page of moves, newest first."""
    query = sa.select(tables.migration)
    for name, value in page.equal.items():
        query = query.where(_M[name] == value)
    if page.host is not None:
        query = query.where(sa.or_(_M.source_host == page.host, _M.dest_host == page.host))
    if page.since is not None:
        query = query.where(_M.updated_at >= page.since)
    if page.before is not None:
        query = query.where(_M.updated_at <= page.before)
    if page.marker is not None:
        query = query.where(_M.id < _number(tx, page.marker))
    found = tx.execute(query.order_by(_M.id.desc()).limit(page.limit))
    return [Migration(**row._mapping) for row in found]


def _number(tx: Tx, marker: str) -> int:
    found = tx.scalar(sa.select(_M.id).where(_M.uuid == marker))
    if found is None:
        raise NotFound(f"Marker {marker} could not be found.", marker=marker)
    return int(found)
