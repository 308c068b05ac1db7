"""QoS specs as they are stored."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.volume.store import tables
from cumulo.services.volume.store.items import SPECS, items_map


class QosSpecs(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on what goes to and from volumes, by name."""

    id: str
    name: str
    consumer: str
    created_at: datetime
    specs: dict[str, str] = {}


q = tables.qos_specs.c


def qos_insert(tx: Tx, qos: QosSpecs) -> None:
    """Store new specs, without their keys."""
    row = msgspec.structs.asdict(qos)
    del row["specs"]
    tx.execute(sa.insert(tables.qos_specs), row)


def qos_list(tx: Tx) -> list[QosSpecs]:
    """Return all, newest first."""
    rows = tx.execute(sa.select(tables.qos_specs).order_by(q.created_at.desc(), q.id.desc())).all()
    noted = items_map(tx, [row.id for row in rows])
    return [QosSpecs(**row._mapping, specs=noted.get((row.id, SPECS), {})) for row in rows]


def qos_find(tx: Tx, qos_id: str) -> QosSpecs | None:
    """Return the specs of that id, or None."""
    return next((one for one in qos_list(tx) if one.id == qos_id), None)


def qos_update(tx: Tx, qos_id: str, consumer: str) -> None:
    """Say who enforces them."""
    tx.execute(sa.update(tables.qos_specs).where(q.id == qos_id).values(consumer=consumer))


def qos_delete(tx: Tx, qos_id: str) -> None:
    """Forget them."""
    tx.execute(sa.delete(tables.qos_specs).where(q.id == qos_id))
