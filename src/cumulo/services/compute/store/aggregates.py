"""Host aggregates: named groups of hosts with metadata."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit import clock, ids
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store.tables import aggregate, aggregate_host, aggregate_metadata


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """A group of hosts."""

    id: int
    uuid: str
    name: str
    created_at: datetime
    updated_at: datetime | None
    hosts: list[str] = []
    metadata: dict[str, str] = {}

    @property
    def availability_zone(self) -> str | None:
        """Return the zone that the aggregate's hosts are in."""
        return self.metadata.get("availability_zone")


_ALL = sa.select(aggregate).order_by(aggregate.c.id)
_ZONES = (
    sa.select(aggregate_host.c.host, aggregate_metadata.c.value)
    .join_from(
        aggregate_host,
        aggregate_metadata,
        aggregate_metadata.c.aggregate == aggregate_host.c.aggregate,
    )
    .where(aggregate_metadata.c.key == "availability_zone")
    .order_by(aggregate_host.c.aggregate.desc())
)


def aggregate_get(tx: Tx, aggregate_id: int) -> Aggregate:
    """Return an aggregate by its number."""
    found = _whole(tx, [aggregate.c.id == aggregate_id])
    if not found:
        raise NotFound(f"Aggregate {aggregate_id} could not be found.", aggregate_id=aggregate_id)
    return found[0]


def aggregate_named(tx: Tx, name: str) -> Aggregate | None:
    """Return the aggregate of that name."""
    found = _whole(tx, [aggregate.c.name == name])
    return found[0] if found else None


def aggregate_list(tx: Tx, *, host: str | None = None) -> list[Aggregate]:
    """Return all aggregates, or those with `host`, in the order they were made."""
    if host is None:
        return _whole(tx, [])
    h = aggregate_host.c
    return _whole(tx, [aggregate.c.id.in_(sa.select(h.aggregate).where(h.host == host))])


def aggregate_add(tx: Tx, name: str) -> int:
    """Store a new aggregate; return its number."""
    row = {"uuid": ids.new_id(), "name": name, "created_at": clock.now()}
    key = tx.execute(sa.insert(aggregate).values(**row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def aggregate_rename(tx: Tx, aggregate_id: int, name: str) -> None:
    """Give an aggregate another name."""
    tx.execute(sa.update(aggregate).where(aggregate.c.id == aggregate_id).values(name=name))


def aggregate_touch(tx: Tx, aggregate_id: int) -> None:
    """Note that an aggregate changed."""
    change = sa.update(aggregate).where(aggregate.c.id == aggregate_id)
    tx.execute(change.values(updated_at=clock.now()))


def aggregate_delete(tx: Tx, aggregate_id: int) -> bool:
    """Remove an aggregate without hosts; say whether it is gone."""
    h = aggregate_host.c
    occupied = sa.exists().where(h.aggregate == aggregate_id)
    gone = sa.delete(aggregate).where(aggregate.c.id == aggregate_id, ~occupied)
    return bool(tx.execute(gone).rowcount)


def aggregate_set_metadata(tx: Tx, aggregate_id: int, metadata: Mapping[str, str | None]) -> None:
    """Add or change metadata; a key with None goes."""
    m = aggregate_metadata.c
    for key, value in sorted(metadata.items()):
        of_key = (m.aggregate == aggregate_id, m.key == key)
        if value is None:
            tx.execute(sa.delete(aggregate_metadata).where(*of_key))
            continue
        insert_absent(tx, aggregate_metadata, aggregate=aggregate_id, key=key, value=value)
        tx.execute(sa.update(aggregate_metadata).where(*of_key).values(value=value))


def aggregate_add_host(tx: Tx, aggregate_id: int, host: str) -> None:
    """Put a host into an aggregate."""
    tx.execute(sa.insert(aggregate_host).values(aggregate=aggregate_id, host=host))


def aggregate_remove_host(tx: Tx, aggregate_id: int, host: str) -> bool:
    """Take a host out of an aggregate; say whether it was in."""
    h = aggregate_host.c
    gone = sa.delete(aggregate_host).where(h.aggregate == aggregate_id, h.host == host)
    return bool(tx.execute(gone).rowcount)


def zones_of_hosts(tx: Tx, hosts: Iterable[str] | None = None) -> dict[str, str]:
    """Return the availability zone of each host that an aggregate puts into one."""
    wanted = None if hosts is None else set(hosts)
    found = tx.execute(_ZONES).all()
    return {host: zone for host, zone in found if wanted is None or host in wanted}


def _whole(tx: Tx, conditions: list[sa.ColumnElement[bool]]) -> list[Aggregate]:
    """Return aggregates with their hosts and metadata, read in three statements."""
    query = _ALL.where(*conditions) if conditions else _ALL
    rows = tx.execute(query).all()
    if not rows:
        return []
    hosts: dict[int, list[str]] = {row.id: [] for row in rows}
    metadata: dict[int, dict[str, str]] = {row.id: {} for row in rows}
    h, m = aggregate_host.c, aggregate_metadata.c
    for row in tx.execute(sa.select(aggregate_host).where(h.aggregate.in_(hosts)).order_by(h.host)):
        hosts[row.aggregate].append(row.host)
    for row in tx.execute(
        sa.select(aggregate_metadata).where(m.aggregate.in_(hosts)).order_by(m.key)
    ):
        metadata[row.aggregate][row.key] = row.value
    return [_aggregate(row, hosts[row.id], metadata[row.id]) for row in rows]


def _aggregate(row: sa.Row[Any], hosts: list[str], metadata: dict[str, str]) -> Aggregate:
    return Aggregate(**row._mapping, hosts=hosts, metadata=metadata)
