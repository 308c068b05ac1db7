"""The words noted with volumes, snapshots, types: keys with values."""

from collections import defaultdict
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import among
from cumulo.services.volume.store import tables

METADATA, IMAGE, SPECS = "metadata", "image", "specs"
# With a backup: what was noted with its volume, and whether that can be booted from.
OF_VOLUME, BOOTABLE = "volume", "bootable"

i = tables.item.c
_OF_ONE = (
    sa.select(i.key, i.value)
    .where(i.owner_id == sa.bindparam("of_owner"), i.kind == sa.bindparam("of_kind"))
    .order_by(i.key)
)
_OF_SOME = sa.select(i.owner_id, i.kind, i.key, i.value).order_by(i.owner_id, i.kind, i.key)
_INSERT = sa.insert(tables.item)


def items_of(tx: Tx, owner_id: str, kind: str) -> dict[str, str]:
    """Return what is noted with one thing."""
    return {row[0]: row[1] for row in tx.execute(_OF_ONE, {"of_owner": owner_id, "of_kind": kind})}


def items_map(tx: Tx, owner_ids: Collection[str]) -> dict[tuple[str, str], dict[str, str]]:
    """Return what is noted with many things, by owner and kind."""
    found: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    if owner_ids:
        rows = tx.execute(_OF_SOME.where(among(tx, i.owner_id, owner_ids))).all()
        for owner_id, kind, key, value in rows:
            found[owner_id, kind][key] = value
    return found


def items_insert(tx: Tx, owner_id: str, kind: str, values: Mapping[str, str]) -> None:
    """Note keys with values, with something that is new."""
    rows = [
        {"owner_id": owner_id, "kind": kind, "key": key, "value": value}
        for key, value in sorted(values.items())
    ]
    if rows:
        tx.execute(_INSERT, rows)


def items_set(
    tx: Tx, owner_id: str, kind: str, values: Mapping[str, str], *, replace: bool = False
) -> None:
    """Note keys with values, beside what is noted already or in its place."""
    if replace:
        items_delete(tx, owner_id, kind)
    elif values:
        items_delete(tx, owner_id, kind, list(values))
    items_insert(tx, owner_id, kind, values)


def items_delete(tx: Tx, owner_id: str, kind: str, keys: Collection[str] | None = None) -> int:
    """Forget keys, or all; return how many there were."""
    gone = sa.delete(tables.item).where(i.owner_id == owner_id, i.kind == kind)
    if keys is not None:
        gone = gone.where(i.key.in_(keys))
    return tx.execute(gone).rowcount


def items_forget(tx: Tx, owner_ids: Collection[str]) -> None:
    """Forget all that was noted with things that are gone."""
    tx.execute(sa.delete(tables.item).where(i.owner_id.in_(owner_ids)))


def owners_with(kind: str, pairs: Mapping[str, str]) -> list[sa.Select[tuple[str]]]:
    """Return for each pair the statement that finds who has it noted."""
    return [
        sa.select(i.owner_id).where(i.kind == kind, i.key == key, i.value == value)
        for key, value in sorted(pairs.items())
    ]
