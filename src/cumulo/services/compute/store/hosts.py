"""Compute hosts, as they last described themselves."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import NotFound
from cumulo.node.api import HostFacts
from cumulo.services.compute.store.tables import host


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A host that guests run on; its uuid is also that of its resource provider."""

    id: int
    uuid: str
    name: str
    facts: HostFacts
    created_at: datetime
    updated_at: datetime


def host_find(tx: Tx, name: str) -> Host | None:
    """Return the host of that name."""
    return _find(tx, host.c.name == name)


def host_get(tx: Tx, host_id: int | str) -> Host:
    """Return a host by its number or its UUID."""
    found = _find(tx, host.c.id == host_id if isinstance(host_id, int) else host.c.uuid == host_id)
    if found is None:
        raise NotFound(f"Hypervisor with ID '{host_id}' could not be found.", host_id=host_id)
    return found


def host_report(tx: Tx, facts: HostFacts) -> Host:
    """Store what a host says about itself, writing only what is new."""
    known = host_find(tx, facts.name)
    now = clock.now()
    text = msgspec.json.encode(facts).decode()
    if known is None:
        row = {"uuid": ids.new_id(), "name": facts.name, "facts": text}
        tx.execute(sa.insert(host).values(**row, created_at=now, updated_at=now))
    elif known.facts != facts:
        tx.execute(
            sa.update(host).where(host.c.id == known.id).values(facts=text, updated_at=now)
        )
    found = host_find(tx, facts.name)
    assert found is not None
    return found


def host_delete(tx: Tx, name: str) -> None:
    """Forget a host."""
    tx.execute(sa.delete(host).where(host.c.name == name))


def host_list(
    tx: Tx,
    *,
    name_part: str | None = None,
    after_id: int | None = None,
    limit: int | None = None,
) -> list[Host]:
    """Return hosts in the order they were first seen."""
    query = sa.select(host).order_by(host.c.id).limit(limit)
    if name_part is not None:
        query = query.where(host.c.name.contains(name_part, autoescape=True))
    if after_id is not None:
        query = query.where(host.c.id > after_id)
    return [_host(row) for row in tx.execute(query)]


def _find(tx: Tx, condition: sa.ColumnElement[bool]) -> Host | None:
    row = tx.execute(sa.select(host).where(condition)).one_or_none()
    return _host(row) if row else None


def _host(row: sa.Row[Any]) -> Host:
    values = dict(row._mapping)
    facts = msgspec.json.decode(values.pop("facts"), type=HostFacts)
    return Host(facts=facts, **values)
