"""Volumes as they are stored."""

import functools
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.volume.store import listing, tables
from cumulo.services.volume.store.listing import Wanted


class Volume(msgspec.Struct, frozen=True, gc=False):
    """A volume as stored; rows are read in the order of the fields."""

    id: str
    project_id: str
    user_id: str
    size_gib: int
    status: str
    attach_status: str
    availability_zone: str
    type_id: str
    created_at: datetime
    name: str | None = None
    description: str | None = None
    previous_status: str | None = None
    migration_status: str | None = None
    host: str | None = None
    snapshot_id: str | None = None
    source_volume_id: str | None = None
    backup_id: str | None = None
    group_id: str | None = None
    encryption_key_id: str | None = None
    is_bootable: bool = False
    is_multiattach: bool = False
    is_readonly: bool | None = None
    consumes_quota: bool = True
    moving_to: str | None = None
    moving_key_id: str | None = None
    updated_at: datetime | None = None
    launched_at: datetime | None = None

    @property
    def backend(self) -> str:
        """Return the back end, host@backend, of a volume that has a place."""
        return (self.host or "").partition("#")[0]


_V = tables.volume.c
_FIELDS = [_V[name] for name in Volume.__struct_fields__]
_BY_ID = sa.select(*_FIELDS).where(_V.id == sa.bindparam("of_id"))
_IS_EXPECTED = _V.status.in_(sa.bindparam("of_statuses", expanding=True))
_INSERT = sa.insert(tables.volume)


def volume_insert(tx: Tx, volume: Volume) -> None:
    """Store a new volume."""
    tx.execute(_INSERT, msgspec.structs.asdict(volume))


def volume_find(tx: Tx, volume_id: str) -> Volume | None:
    """Return a volume, whoever owns it, or None."""
    row = tx.execute(_BY_ID, {"of_id": volume_id}).one_or_none()
    return Volume(*row) if row is not None else None


def volume_get(tx: Tx, volume_id: str) -> Volume:
    """Return a volume, whoever owns it."""
    volume = volume_find(tx, volume_id)
    if volume is None:
        raise NotFound(f"Volume {volume_id} could not be found.", volume_id=volume_id)
    return volume


def volume_list(tx: Tx, wanted: Wanted) -> list[Volume]:
    """Return a page of volumes."""
    return [Volume(*row) for row in listing.rows_of(tx, tables.volume, _FIELDS, wanted)]


def volume_count(tx: Tx, wanted: Wanted) -> int:
    """Return how many volumes all pages hold."""
    return listing.count_of(tx, tables.volume, wanted)


def volume_sizes(tx: Tx, wanted: Wanted) -> tuple[int, int]:
    """Return how many volumes there are and how large they are together."""
    summed = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_V.size_gib), 0))
    count, size = tx.execute(summed.where(*listing.conditions(tables.volume, wanted))).one()
    return int(count), int(size)


def volume_update(tx: Tx, volume_id: str, **values: object) -> None:
    """Change a volume, whatever its status."""
    bound = {"of_id": volume_id, "updated_at": clock.now(), **values}
    tx.execute(_update_of(tuple(sorted(values))), bound)


def volume_move(
    tx: Tx,
    volume_id: str,
    to: str,
    *,
    expected: Collection[str],
    also: Sequence[sa.ColumnElement[bool]] = (),
    values: Mapping[str, object] | None = None,
) -> bool:
    """Change the status if it is one of `expected`; say whether it was."""
    changes = {"status": to, **(values or {})}
    change = _update_of(tuple(sorted(changes))).where(_IS_EXPECTED, *also)
    bound = {"of_id": volume_id, "of_statuses": list(expected), "updated_at": clock.now()}
    return bool(tx.execute(change, {**bound, **changes}).rowcount)


@functools.cache
def _update_of(names: tuple[str, ...]) -> sa.Update:
    """Return the statement that changes these columns, built once."""
    bound: dict[str, sa.BindParameter[Any]] = {
        name: sa.bindparam(name) for name in (*names, "updated_at")
    }
    return sa.update(tables.volume).where(_V.id == sa.bindparam("of_id")).values(bound)


def volume_delete(tx: Tx, volume_id: str) -> bool:
    """Forget a volume; say whether it was known."""
    return bool(tx.execute(sa.delete(tables.volume).where(_V.id == volume_id)).rowcount)


def volumes_of_type(tx: Tx, type_id: str) -> int:
    """Return how many volumes are of a type."""
    counted = sa.select(sa.func.count()).select_from(tables.volume).where(_V.type_id == type_id)
    return tx.scalars(counted).one()


def volumes_in_group(tx: Tx, group_id: str) -> list[Volume]:
    """Return a group's volumes, oldest first."""
    query = sa.select(*_FIELDS).where(_V.group_id == group_id).order_by(_V.created_at, _V.id)
    return [Volume(*row) for row in tx.execute(query)]


def volumes_on(tx: Tx, pool: str) -> set[str]:
    """Return the ids of what is in a pool for volumes, or on its way there."""
    is_there = (_V.host == pool) | (_V.moving_to == pool)
    found = list(tx.execute(sa.select(_V.id, _V.host, _V.moving_to).where(is_there)))
    standing_in = {stand_in(row.id) for row in found if row.host == row.moving_to}
    return {row.id for row in found} | standing_in


def stand_in(volume_id: str) -> str:
    """Return by which id a volume's next bytes are known, in the back end where its bytes are."""
    return str(uuid5(UUID(volume_id), "next"))


def sums_on(tx: Tx, pool: str) -> dict[str, tuple[int, int]]:
    """Return how many volumes each project has in a pool, and how large they are together."""
    summed = sa.select(_V.project_id, sa.func.count(), sa.func.sum(_V.size_gib))
    rows = tx.execute(summed.where(_V.host == pool).group_by(_V.project_id))
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}
