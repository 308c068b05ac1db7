"""Volume types, who may use them, and the type that a project's volumes are of by default."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit import clock
from cumulo.services.volume.store import tables
from cumulo.services.volume.store.items import SPECS, items_map, items_of


class VolumeType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of volume."""

    id: str
    name: str
    created_at: datetime
    description: str | None = None
    is_public: bool = True
    qos_specs_id: str | None = None
    updated_at: datetime | None = None
    extra_specs: dict[str, str] = {}


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """How volumes of a type are encrypted."""

    id: str
    type_id: str
    provider: str
    control_location: str
    created_at: datetime
    cipher: str | None = None
    key_size: int | None = None
    updated_at: datetime | None = None


t, a, e = tables.volume_type.c, tables.type_access.c, tables.encryption.c
_FIELDS = [t[name] for name in VolumeType.__struct_fields__ if name != "extra_specs"]
_NAMES = sa.select(t.id, t.name)
_NAMED = (
    sa.select(*_FIELDS)
    .where(sa.or_(t.id == sa.bindparam("of_name"), t.name == sa.bindparam("of_name")))
    .order_by(t.created_at.desc(), t.id.desc())
)
_DEFAULT_OF = sa.select(tables.default_type.c.type_id).where(
    tables.default_type.c.project_id == sa.bindparam("of_project")
)
_ENCRYPTION = sa.select(tables.encryption).where(e.type_id == sa.bindparam("of_type"))


def type_insert(tx: Tx, volume_type: VolumeType) -> None:
    """Store a new type, without its extra specs."""
    row = msgspec.structs.asdict(volume_type)
    del row["extra_specs"]
    tx.execute(sa.insert(tables.volume_type), row)


def type_find(tx: Tx, id_or_name: str) -> VolumeType | None:
    """Return the type of that id, or else of that name."""
    rows = tx.execute(_NAMED, {"of_name": id_or_name}).all()
    row = next((one for one in rows if one.id == id_or_name), rows[0] if rows else None)
    if row is None:
        return None
    return VolumeType(**row._mapping, extra_specs=items_of(tx, row.id, SPECS))


def type_list(tx: Tx, *, visible_to: str | None) -> list[VolumeType]:
    """Return every type, or those that a project may use, newest first."""
    if visible_to is None:
        return _types(tx, [])
    granted = sa.select(a.type_id).where(a.project_id == visible_to)
    return _types(tx, [sa.or_(t.is_public == sa.true(), t.id.in_(granted))])


def type_names(tx: Tx) -> dict[str, str]:
    """Return the name of every type, by id."""
    return {row[0]: row[1] for row in tx.execute(_NAMES)}


def types_map(tx: Tx, type_ids: Collection[str]) -> dict[str, VolumeType]:
    """Return types by id, without their extra specs."""
    query = sa.select(*_FIELDS).where(t.id.in_(type_ids))
    return {row.id: VolumeType(**row._mapping) for row in tx.execute(query)}


def type_update(tx: Tx, type_id: str, **values: object) -> None:
    """Change a type."""
    change = sa.update(tables.volume_type).where(t.id == type_id)
    tx.execute(change.values(updated_at=clock.now(), **values))


def type_delete(tx: Tx, type_id: str) -> None:
    """Forget a type; who may use it and how it is encrypted go with it."""
    tx.execute(sa.delete(tables.volume_type).where(t.id == type_id))


def types_with_qos(tx: Tx, qos_specs_id: str) -> list[VolumeType]:
    """Return the types that a QoS is associated with."""
    return _types(tx, [t.qos_specs_id == qos_specs_id])


def access_of(tx: Tx, type_id: str) -> list[str]:
    """Return the projects that may use a private type."""
    return list(
        tx.scalars(sa.select(a.project_id).where(a.type_id == type_id).order_by(a.project_id))
    )


def access_add(tx: Tx, type_id: str, project_id: str) -> None:
    """Let a project use a type."""
    insert_absent(tx, tables.type_access, type_id=type_id, project_id=project_id)


def access_remove(tx: Tx, type_id: str, project_id: str) -> bool:
    """Let it no more; say whether it was let."""
    gone = sa.delete(tables.type_access).where(a.type_id == type_id, a.project_id == project_id)
    return bool(tx.execute(gone).rowcount)


def default_types(tx: Tx) -> dict[str, str]:
    """Return the default type of each project that has one of its own."""
    d = tables.default_type.c
    rows = tx.execute(sa.select(d.project_id, d.type_id).order_by(d.project_id))
    return {row[0]: row[1] for row in rows}


def default_type_of(tx: Tx, project_id: str) -> str | None:
    """Return the default type of a project, if it has one of its own."""
    return tx.scalars(_DEFAULT_OF, {"of_project": project_id}).one_or_none()


def default_type_set(tx: Tx, project_id: str, type_id: str) -> None:
    """Give a project a default type of its own."""
    insert_absent(tx, tables.default_type, project_id=project_id, type_id=type_id)
    d = tables.default_type.c
    change = sa.update(tables.default_type).where(d.project_id == project_id)
    tx.execute(change.values(type_id=type_id))


def default_type_unset(tx: Tx, project_id: str) -> bool:
    """Let the cloud's default hold again; say whether the project had one."""
    d = tables.default_type.c
    gone = sa.delete(tables.default_type).where(d.project_id == project_id)
    return bool(tx.execute(gone).rowcount)


def encryption_of(tx: Tx, type_id: str) -> Encryption | None:
    """Return how volumes of a type are encrypted, if they are."""
    row = tx.execute(_ENCRYPTION, {"of_type": type_id}).one_or_none()
    return Encryption(**row._mapping) if row is not None else None


def encryption_insert(tx: Tx, encryption: Encryption) -> None:
    """Have a type's volumes encrypted."""
    tx.execute(sa.insert(tables.encryption), msgspec.structs.asdict(encryption))


def encryption_update(tx: Tx, type_id: str, **values: object) -> None:
    """Change how."""
    change = sa.update(tables.encryption).where(e.type_id == type_id)
    tx.execute(change.values(updated_at=clock.now(), **values))


def encryption_delete(tx: Tx, type_id: str) -> None:
    """Have them encrypted no more."""
    tx.execute(sa.delete(tables.encryption).where(e.type_id == type_id))


def _types(tx: Tx, conditions: list[sa.ColumnElement[bool]]) -> list[VolumeType]:
    query = sa.select(*_FIELDS).where(*conditions)
    rows = tx.execute(query.order_by(t.created_at.desc(), t.id.desc())).all()
    noted = items_map(tx, [row.id for row in rows])
    return [VolumeType(**row._mapping, extra_specs=noted.get((row.id, SPECS), {})) for row in rows]
