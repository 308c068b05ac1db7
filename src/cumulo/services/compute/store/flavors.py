"""Flavors, their extra specs and the projects that may use the private ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx, keyset
from cumulo.db.statements import insert_absent
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store.tables import flavor, flavor_access, flavor_extra_spec

SortKey: TypeAlias = Literal[
    "created_at",
    "description",
    "disabled",
    "ephemeral_gb",
    "flavorid",
    "id",
    "is_public",
    "memory_mb",
    "name",
    "root_gb",
    "rxtx_factor",
    "swap",
    "updated_at",
    "vcpu_weight",
    "vcpus",
]

# The names clients sort by are those of columns of old; two of them never held anything.
_SORTS: Mapping[str, sa.ColumnElement[Any]] = {
    "created_at": flavor.c.created_at,
    "description": sa.func.coalesce(flavor.c.description, ""),
    "ephemeral_gb": flavor.c.ephemeral_gib,
    "flavorid": flavor.c.flavor_id,
    "is_public": flavor.c.is_public,
    "memory_mb": flavor.c.memory_mib,
    "name": flavor.c.name,
    "root_gb": flavor.c.root_gib,
    "rxtx_factor": flavor.c.rxtx_factor,
    "swap": flavor.c.swap_mib,
    "updated_at": sa.func.coalesce(flavor.c.updated_at, flavor.c.created_at),
    "vcpus": flavor.c.vcpus,
}


class Flavor(msgspec.Struct, frozen=True, kw_only=True):
    """A size that servers come in."""

    row: int
    id: str
    name: str
    memory_mib: int
    vcpus: int
    root_gib: int
    ephemeral_gib: int = 0
    swap_mib: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    description: str | None = None
    extra_specs: dict[str, str] = {}


class FlavorFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which flavors to list, and in which order."""

    # True: public ones and those `project_id` was given access to; None: all.
    is_public: bool | None = True
    project_id: str | None = None
    min_memory_mib: int | None = None
    min_root_gib: int | None = None
    name: str | None = None  # a regular expression
    sort_key: SortKey = "flavorid"
    descending: bool = False
    limit: int | None = None
    marker: str | None = None


_BY_ID = sa.select(flavor).where(flavor.c.flavor_id == sa.bindparam("of_id"))
_SPECS = (
    sa.select(flavor_extra_spec)
    .where(flavor_extra_spec.c.flavor.in_(sa.bindparam("ids", expanding=True)))
    .order_by(flavor_extra_spec.c.flavor, flavor_extra_spec.c.key)
)


def flavor_find(tx: Tx, flavor_id: str) -> Flavor | None:
    """Return a flavor, whoever may use it."""
    found = _whole(tx, tx.execute(_BY_ID, {"of_id": flavor_id}).all())
    return found[0] if found else None


def flavor_get(tx: Tx, flavor_id: str) -> Flavor:
    """Return a flavor, whoever may use it."""
    found = flavor_find(tx, flavor_id)
    if found is None:
        raise NotFound(f"Flavor {flavor_id} could not be found.", flavor_id=flavor_id)
    return found


def flavor_named(tx: Tx, name: str) -> Flavor | None:
    """Return the flavor of that name."""
    found = _whole(tx, tx.execute(sa.select(flavor).where(flavor.c.name == name)).all())
    return found[0] if found else None


def flavor_add(tx: Tx, new: Flavor) -> None:
    """Store a new flavor with its extra specs; `row` is given by the database."""
    row = tx.execute(
        sa.insert(flavor).values(
            flavor_id=new.id,
            name=new.name,
            memory_mib=new.memory_mib,
            vcpus=new.vcpus,
            root_gib=new.root_gib,
            ephemeral_gib=new.ephemeral_gib,
            swap_mib=new.swap_mib,
            rxtx_factor=new.rxtx_factor,
            is_public=new.is_public,
            description=new.description,
            created_at=clock.now(),
        )
    ).inserted_primary_key
    assert row is not None
    extra_specs_set(tx, row[0], new.extra_specs)


def flavor_describe(tx: Tx, row: int, description: str | None) -> None:
    """Change the description."""
    change = sa.update(flavor).where(flavor.c.id == row)
    tx.execute(change.values(description=description, updated_at=clock.now()))


def flavor_delete(tx: Tx, row: int) -> None:
    """Remove a flavor with its extra specs and accesses."""
    tx.execute(sa.delete(flavor).where(flavor.c.id == row))


def flavor_list(tx: Tx, wanted: FlavorFilter) -> list[Flavor]:
    """Return flavors in the order asked for, with their extra specs."""
    conditions = list(_conditions(wanted))
    if wanted.marker is not None:
        conditions.append(_after_marker(tx, wanted))
    query = keyset.ordered(sa.select(flavor).where(*conditions), _keys(wanted))
    rows = tx.execute(query.limit(wanted.limit)).all()
    return _whole(tx, rows)


def has_access(tx: Tx, row: int, project_id: str | None) -> bool:
    """Say whether a project was given access to a private flavor."""
    a = flavor_access.c
    found = sa.select(a.flavor).where(a.flavor == row, a.project_id == project_id)
    return tx.execute(found).first() is not None


def access_list(tx: Tx, row: int) -> list[str]:
    """Return the projects that were given access, in order."""
    a = flavor_access.c
    return list(tx.scalars(sa.select(a.project_id).where(a.flavor == row).order_by(a.project_id)))


def access_add(tx: Tx, row: int, project_id: str) -> None:
    """Let a project use a private flavor."""
    tx.execute(sa.insert(flavor_access).values(flavor=row, project_id=project_id))


def access_remove(tx: Tx, row: int, project_id: str) -> bool:
    """Take the access away; say whether there was any."""
    a = flavor_access.c
    gone = sa.delete(flavor_access).where(a.flavor == row, a.project_id == project_id)
    return bool(tx.execute(gone).rowcount)


def extra_specs_set(tx: Tx, row: int, specs: Mapping[str, str]) -> None:
    """Add or change the extra specs named; leave the others."""
    s = flavor_extra_spec.c
    for key, value in sorted(specs.items()):
        insert_absent(tx, flavor_extra_spec, flavor=row, key=key, value=value)
        change = sa.update(flavor_extra_spec).where(s.flavor == row, s.key == key)
        tx.execute(change.values(value=value))


def extra_spec_delete(tx: Tx, row: int, key: str) -> bool:
    """Remove an extra spec; say whether it was there."""
    s = flavor_extra_spec.c
    gone = sa.delete(flavor_extra_spec).where(s.flavor == row, s.key == key)
    return bool(tx.execute(gone).rowcount)


def _whole(tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[Flavor]:
    """Return rows with their extra specs, read in one statement."""
    specs: dict[int, dict[str, str]] = {row.id: {} for row in rows}
    for spec in tx.execute(_SPECS, {"ids": list(specs)}) if rows else ():
        specs[spec.flavor][spec.key] = spec.value
    return [
        Flavor(
            row=row.id,
            id=row.flavor_id,
            name=row.name,
            memory_mib=row.memory_mib,
            vcpus=row.vcpus,
            root_gib=row.root_gib,
            ephemeral_gib=row.ephemeral_gib,
            swap_mib=row.swap_mib,
            rxtx_factor=row.rxtx_factor,
            is_public=row.is_public,
            description=row.description,
            extra_specs=specs[row.id],
        )
        for row in rows
    ]


def _conditions(wanted: FlavorFilter) -> list[sa.ColumnElement[bool]]:
    f = flavor.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.is_public is True:
        a = flavor_access.c
        mine = sa.exists().where(a.flavor == f.id, a.project_id == wanted.project_id)
        found.append(sa.or_(f.is_public.is_(True), mine))
    elif wanted.is_public is False:
        found.append(f.is_public.is_(False))
    if wanted.min_memory_mib is not None:
        found.append(f.memory_mib >= wanted.min_memory_mib)
    if wanted.min_root_gib is not None:
        found.append(f.root_gib >= wanted.min_root_gib)
    if wanted.name is not None:
        found.append(f.name.regexp_match(wanted.name))
    return found


def _keys(wanted: FlavorFilter) -> list[keyset.Key]:
    """Return the order: the column asked for, if it holds anything, and the row."""
    columns = [
        column for column in (_SORTS.get(wanted.sort_key), flavor.c.id) if column is not None
    ]
    return [keyset.Key(column, wanted.descending) for column in columns]


def _after_marker(tx: Tx, wanted: FlavorFilter) -> sa.ColumnElement[bool]:
    keys = _keys(wanted)
    values = sa.select(*(key.column for key in keys)).where(flavor.c.flavor_id == wanted.marker)
    row = tx.execute(values).one_or_none()
    if row is None:
        raise NotFound(f"Marker {wanted.marker} could not be found.", marker=wanted.marker)
    return keyset.after(keys, tuple(row))
