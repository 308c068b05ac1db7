"""What was done with servers: actions, each with the events that it is made of."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit import clock
from cumulo.services.compute.store import server_tables as tables

_A = tables.server_action.c
_E = tables.server_action_event.c
_BEGIN = sa.insert(tables.server_action)
_CHANGE = sa.update(tables.server_action).where(_A.number == sa.bindparam("of_number"))
_CHANGE_EVENT = sa.update(tables.server_action_event).where(
    _E.action_number == sa.bindparam("of_number"), _E.event == sa.bindparam("of_event")
)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One request that did something with a server."""

    number: int
    server_id: str
    request_id: str
    action: str
    user_id: str
    project_id: str | None
    started_at: datetime
    updated_at: datetime
    message: str | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an action that took time."""

    action_number: int
    event: str
    host: str | None
    started_at: datetime
    finished_at: datetime | None
    result: str | None
    details: str | None


class Doer(msgspec.Struct, frozen=True):
    """Who asked for an action, and in which request."""

    request_id: str
    user_id: str
    project_id: str | None


class ActionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Which actions to list: those changed in a span of time, after the request `marker`."""

    since: datetime | None = None
    before: datetime | None = None
    marker: str | None = None
    limit: int | None = None


def action_insert(tx: Tx, server_id: str, action: str, doer: Doer) -> int:
    """Record that an action began and return its number."""
    now = clock.now()
    values = {"server_id": server_id, "action": action, "started_at": now, "updated_at": now}
    inserted = tx.execute(_BEGIN, {**values, **msgspec.structs.asdict(doer)})
    return int(inserted.inserted_primary_key[0])  # type: ignore[index]


def action_fail(tx: Tx, number: int) -> None:
    """Note that an action did not succeed."""
    change = sa.update(tables.server_action).where(_A.number == number)
    tx.execute(change.values(message="Error", updated_at=clock.now()))


def event_start(tx: Tx, number: int, event: str, host: str | None) -> None:
    """Record that a part of an action began; a second beginning is the first."""
    values = {"action_number": number, "event": event, "host": host}
    insert_absent(tx, tables.server_action_event, **values, started_at=clock.now())


def event_finish(tx: Tx, number: int, event: str, *, error: str | None = None) -> None:
    """Record the end of a part of an action, and of the action as far as it has come."""
    now = clock.now()
    ended = {"finished_at": now, "result": "Error" if error else "Success", "details": error}
    tx.execute(_CHANGE_EVENT, {"of_number": number, "of_event": event, **ended})
    values: dict[str, object] = {"updated_at": now} | ({"message": "Error"} if error else {})
    tx.execute(_CHANGE, {"of_number": number, **values})


def events_fail(tx: Tx, number: int, error: str) -> None:
    """Record that an action, with what of it has not ended, came to nothing."""
    now = clock.now()
    change = sa.update(tables.server_action_event)
    change = change.where(_E.action_number == number, _E.finished_at.is_(None))
    tx.execute(change.values(finished_at=now, result="Error", details=error))
    action_fail(tx, number)


def action_list(tx: Tx, server_id: str, page: ActionPage) -> list[Action]:
    """Return a page of the actions of a server, newest first."""
    query = sa.select(tables.server_action).where(_A.server_id == server_id)
    if page.since:
        query = query.where(_A.updated_at >= page.since)
    if page.before:
        query = query.where(_A.updated_at <= page.before)
    if page.marker and (found := action_find(tx, server_id, page.marker)):
        query = query.where(_A.number < found.number)
    query = query.order_by(_A.number.desc())
    return [Action(**row._mapping) for row in tx.execute(query.limit(page.limit))]


def action_find(tx: Tx, server_id: str, request_id: str) -> Action | None:
    """Return the action of a request, or None."""
    query = sa.select(tables.server_action).where(
        _A.server_id == server_id, _A.request_id == request_id
    )
    row = tx.execute(query.order_by(_A.number).limit(1)).one_or_none()
    return Action(**row._mapping) if row else None


def events_of(tx: Tx, number: int) -> list[Event]:
    """Return the parts of an action, latest first."""
    query = sa.select(tables.server_action_event).where(_E.action_number == number)
    order = (_E.started_at.desc(), _E.event)
    return [Event(**row._mapping) for row in tx.execute(query.order_by(*order))]
