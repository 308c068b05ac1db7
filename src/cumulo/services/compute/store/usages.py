"""Servers that ran at some time, deleted or not, as reports of their use need them."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute.store import server_tables as tables

_S = tables.server.c


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A server that ran."""

    id: str
    name: str
    project_id: str
    vm_state: str
    is_deleted: bool
    launched_at: datetime
    terminated_at: datetime | None
    vcpus: int
    memory_mib: int
    flavor: dict[str, Any]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which servers: those that ran within a time, after the server `marker`."""

    start: datetime
    stop: datetime
    project_id: str | None = None
    marker: str | None = None
    limit: int | None = None


def ran_within(tx: Tx, span: Span) -> list[Ran]:
    """Return the servers that ran within a span of time, oldest first."""
    query = sa.select(*[_S[name] for name in Ran.__struct_fields__]).where(
        _S.launched_at < span.stop,
        sa.or_(_S.terminated_at.is_(None), _S.terminated_at > span.start),
    )
    if span.project_id is not None:
        query = query.where(_S.project_id == span.project_id)
    if span.marker is not None:
        number = tx.scalar(sa.select(_S.number).where(_S.id == span.marker))
        if number is None:
            raise Invalid(f"marker [{span.marker}] not found", field="marker")
        query = query.where(_S.number > number)
    return [Ran(**row._mapping) for row in tx.execute(query.order_by(_S.number).limit(span.limit))]
