"""The parts of compute, each on its host, and when they were last heard of."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit import clock, ids
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store.tables import service


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One part of compute on one host."""

    id: int
    uuid: str
    host: str
    binary: str
    is_disabled: bool
    disabled_reason: str | None
    is_forced_down: bool
    created_at: datetime
    seen_at: datetime


_ALL = sa.select(service).order_by(service.c.id)


def service_get(tx: Tx, service_id: int | str) -> Service:
    """Return a service by its number or its UUID."""
    s = service.c
    matches = s.id == service_id if isinstance(service_id, int) else s.uuid == service_id
    row = tx.execute(sa.select(service).where(matches)).one_or_none()
    if row is None:
        raise NotFound(f"Service {service_id} could not be found.", service_id=service_id)
    return _service(row)


def service_find(tx: Tx, host: str, binary: str) -> Service | None:
    """Return the service of that name on a host."""
    s = service.c
    query = sa.select(service).where(s.host == host, s.binary == binary)
    row = tx.execute(query).one_or_none()
    return _service(row) if row else None


def service_list(tx: Tx, *, host: str | None = None, binary: str | None = None) -> list[Service]:
    """Return services in the order they were first seen."""
    found = (_service(row) for row in tx.execute(_ALL).all())
    return [s for s in found if host in (None, "", s.host) and binary in (None, "", s.binary)]


def service_seen(tx: Tx, host: str, binary: str) -> None:
    """Note that a service is alive; the first time records it."""
    now, s = clock.now(), service.c
    change = sa.update(service).where(s.host == host, s.binary == binary)
    if not tx.execute(change.values(seen_at=now)).rowcount:
        insert_absent(
            tx,
            service,
            uuid=ids.new_id(),
            host=host,
            binary=binary,
            is_disabled=False,
            is_forced_down=False,
            created_at=now,
            seen_at=now,
        )


def service_change(tx: Tx, service_id: int, **values: Any) -> None:
    """Change what administrators may: is_disabled, disabled_reason, is_forced_down."""
    tx.execute(sa.update(service).where(service.c.id == service_id).values(**values))


def service_delete(tx: Tx, service_id: int) -> None:
    """Forget a service."""
    tx.execute(sa.delete(service).where(service.c.id == service_id))


def _service(row: sa.Row[Any]) -> Service:
    return Service(**row._mapping)
