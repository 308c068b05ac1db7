"""The log of every change: who, what, before, after.

One row a change, written in the transaction that makes it.  Notifications, watching, usage,
audit and traces are all read from here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx, ring_after_commit
from cumulo.kit import clock
from cumulo.work import tables
from cumulo.work.workflow import Caller

TOPIC = "event"
# What may not be told to those who read the log.
_SECRET = ("password", "secret", "token", "admin_pass", "adminpass", "user_data", "private_key")
SETTLED = timedelta(seconds=10)
e = tables.event.c
_INSERT = tables.event.insert()


class Event(msgspec.Struct, frozen=True):
    """A change as it was logged."""

    id: int
    at: datetime
    request_id: str | None
    user_id: str | None
    project_id: str | None
    resource: str
    resource_id: str
    action: str
    before: Any
    after: Any


def record(  # noqa: PLR0913 - an event has this many parts
    tx: Tx,
    ctx: Caller | None,
    *,
    resource: str,
    resource_id: str,
    action: str,
    before: object = None,
    after: object = None,
    project_id: str | None = None,
) -> None:
    """Log a change; `before` and `after` are structs or dicts, kept without what is secret.

    `ctx` is the context of a request or the run of a workflow; `project_id` names the owner of
    the resource where that is another project than the caller's.
    """
    row = {
        "at": clock.now(),
        "request_id": ctx.request_id if ctx else None,
        "user_id": ctx.user_id if ctx else None,
        "project_id": project_id or (ctx.project_id if ctx else None),
        "resource": resource,
        "resource_id": resource_id,
        "action": action,
        "before": _json(before),
        "after": _json(after),
    }
    tx.execute(_INSERT, row)
    ring_after_commit(tx, TOPIC)


def events_since(
    tx: Tx,
    after_id: int = 0,
    *,
    project_id: str | None = None,
    resource_id: str | None = None,
    limit: int = 1000,
) -> list[Event]:
    """Return what happened after event `after_id`, in order, none left out for ever.

    Ids are given out before transactions commit: a young event that follows a gap is held back
    until the gap is filled or surely stays empty.
    """
    wanted = sa.select(tables.event).where(e.id > after_id).order_by(e.id).limit(limit)
    if tx.dialect.name != "sqlite" and (gap := _open_gap(tx, after_id)) is not None:
        wanted = wanted.where(e.id < gap)
    if project_id is not None:
        wanted = wanted.where(e.project_id == project_id)
    if resource_id is not None:
        wanted = wanted.where(e.resource_id == resource_id)
    return [_event(row) for row in tx.execute(wanted)]


def newest_events(
    tx: Tx,
    /,
    after_id: int = 0,
    *,
    before_id: int | None = None,
    limit: int = 200,
    **given: str | None,
) -> list[Event]:
    """Return the last events between two events, latest first, to be looked at by people.

    `given` are parts of an event that are to be so, as in `resource="server"`; None is any.
    What is not committed yet is not there: who must hear of everything asks `events_since`.
    """
    wanted = sa.select(tables.event).where(e.id > after_id).order_by(e.id.desc()).limit(limit)
    asked = [e[name] == value for name, value in given.items() if value is not None]
    wanted = wanted.where(*asked)
    if before_id is not None:
        wanted = wanted.where(e.id < before_id)
    return [_event(row) for row in tx.execute(wanted)]


def last_id(tx: Tx) -> int:
    """Return the id of the newest event, for those who want to know only of later ones."""
    return tx.scalars(sa.select(sa.func.max(e.id))).one() or 0


def prune(tx: Tx, before: datetime, limit: int = 1000) -> int:
    """Forget up to `limit` events from before; return how many."""
    old = sa.select(e.id).where(e.at < before).order_by(e.at, e.id).limit(limit)
    ids = list(tx.scalars(old))
    tx.execute(sa.delete(tables.event).where(e.id.in_(ids)))
    return len(ids)


def _open_gap(tx: Tx, after_id: int) -> int | None:
    """Return the first young id after a gap."""
    young = sa.select(e.id).where(e.id > after_id, e.at > clock.now() - SETTLED).order_by(e.id)
    ids = list(tx.scalars(young))
    known = {after_id, *ids}
    before = tx.scalars(sa.select(sa.func.max(e.id)).where(e.id < min(ids, default=0))).one()
    known.add(before or 0)
    return next((each for each in ids if each - 1 not in known), None)


def _event(row: sa.Row[Any]) -> Event:
    values = dict(row._mapping)
    for side in ("before", "after"):
        values[side] = msgspec.json.decode(values[side]) if values[side] else None
    return Event(**values)


def _json(value: object) -> str | None:
    if value is None:
        return None
    return msgspec.json.encode(_without_secrets(msgspec.to_builtins(value))).decode()


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: "***" if _is_secret(str(key)) else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return value


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET)
