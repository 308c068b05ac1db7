"""The statements on runs.

Whoever takes a run counts its fence up; every later statement names the fence it took it with,
so a worker that was thought dead and is not can record nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.work import leases, tables
from cumulo.work.workflow import Failure, StepLog

r = tables.run.c
CANCELLED = Failure("Cancelled", "Something later on the same resource took its place.")
UNFINISHED = ("running", "unwinding")
_END: dict[str, Any] = {"owner": None, "due_at": None, "waits_for": None, "attempts": 0}
_LOG = msgspec.json.Decoder(list[StepLog])
_FAILURE = msgspec.json.Decoder(Failure)


class LostLease(Exception):
    """Another worker owns this run now; stop at once."""


class RunRow(msgspec.Struct):
    """A run as stored."""

    id: str
    kind: str
    subject: str | None
    turn: int | None
    params: str
    state: str
    cancelled: bool
    log: list[StepLog]
    error: Failure | None
    waits_for: str | None
    attempts: int
    owner: str | None
    fence: int
    due_at: float | None
    request_id: str | None
    user_id: str | None
    project_id: str | None
    created_at: datetime
    finished_at: datetime | None


def run_insert(tx: Tx, row: dict[str, Any], subject: str | None) -> None:
    """Record a run as the last in the queue of its subject."""
    turn = None
    if subject is not None:
        turn = (tx.scalars(_LAST_TURN, {"of_subject": subject}).one() or 0) + 1
    fresh = {"state": "running", "cancelled": False, "log": "[]", "attempts": 0, "fence": 0}
    when = {"due_at": clock.timestamp(), "created_at": clock.now()}
    try:
        tx.execute(_INSERT, {**row, **fresh, **when, "subject": subject, "turn": turn})
    except sa.exc.IntegrityError as error:
        raise LostRace(f"another run of {subject} took turn {turn}") from error


def run_exists(tx: Tx, run_id: str) -> bool:
    """Tell whether a run was started."""
    return tx.execute(sa.select(r.id).where(r.id == run_id)).one_or_none() is not None


def run_cancel(tx: Tx, subject: str) -> None:
    """Ask every unfinished run of `subject` to unwind; one that waits does so at once."""
    due = sa.case((r.owner.is_(None), clock.timestamp()), else_=r.due_at)
    change = sa.update(tables.run).where(r.subject == subject, r.state.in_(UNFINISHED))
    tx.execute(change.values(cancelled=True, due_at=due))


def run_wake(tx: Tx, subject: str) -> None:
    """Let a run of `subject` that waits for its next try have it now."""
    change = sa.update(tables.run).where(
        r.subject == subject, r.state.in_(UNFINISHED), r.owner.is_(None)
    )
    tx.execute(change.values(due_at=clock.timestamp()))


def runs_due(tx: Tx, kinds: Sequence[str], limit: int) -> list[RunRow]:
    """Return runs that can be taken now, the longest due first.

    A run whose turn has not come is left out.  Once its turn has come it cannot be lost again,
    so this may be read in a transaction of its own, before `run_take`.
    """
    now = clock.timestamp()
    rows = tx.execute(_DUE, {"now": now, "kinds": list(kinds), "most": limit})
    return [_row(row) for row in rows]


def next_due(tx: Tx, kinds: Sequence[str]) -> float | None:
    """Return when the next run will be due that is not yet."""
    now = clock.timestamp()
    due: float | None = tx.scalars(_NEXT_DUE, {"now": now, "kinds": list(kinds)}).one()
    return due


def run_take(tx: Tx, rows: Iterable[RunRow], owner: str) -> list[RunRow]:
    """Lease those of `rows` to `owner` that nobody else took meanwhile."""
    now = clock.timestamp()
    taken = []
    for row in rows:
        seen = {"seen_id": row.id, "seen_fence": row.fence, "seen_cancelled": row.cancelled}
        values = {"owner": owner, "fence": row.fence + 1, "due_at": now + leases.LEASE_S}
        if tx.execute(_TAKE, {**seen, "now": now, **values}).rowcount:
            taken.append(msgspec.structs.replace(row, **values))
    return taken


def renew(tx: Tx, owner: str, run_ids: Iterable[str]) -> None:
    """Hold the leases of what `owner` is carrying on."""
    until = clock.timestamp() + leases.LEASE_S
    mine = sa.update(tables.run).where(
        r.owner == owner, r.id.in_(list(run_ids)), r.state.in_(UNFINISHED)
    )
    tx.execute(mine.values(due_at=until))


def step_done(tx: Tx, row: RunRow, log: list[StepLog], *, last: bool) -> bool:
    """Record that a step is done, and the run with it if it was the last.

    Return False when the run is cancelled: then it is recorded as unwinding instead.
    """
    values = {"held_id": row.id, "held_fence": row.fence, "new_log": _json(log)}
    if last:
        done = tx.execute(_DONE, values | {"at": clock.now()})
    else:
        done = tx.execute(_GO_ON, values | {"until": clock.timestamp() + leases.LEASE_S})
    if done.rowcount:
        return True
    unwind(tx, row, log, CANCELLED)
    return False


def unwind(tx: Tx, row: RunRow, log: list[StepLog], error: Failure) -> None:
    """Record that the run goes back, and why."""
    values = {
        "state": "unwinding",
        "log": _json(log),
        "error": _json(error),
        "attempts": 0,
        "waits_for": None,
        "due_at": clock.timestamp() + leases.LEASE_S,
    }
    _own(tx, row, values)


def step_undone(tx: Tx, row: RunRow, log: list[StepLog]) -> None:
    """Record that a step is undone."""
    due = clock.timestamp() + leases.LEASE_S
    _own(tx, row, {"log": _json(log), "attempts": 0, "waits_for": None, "due_at": due})


def run_undone(tx: Tx, row: RunRow) -> None:
    """Record that nothing of the run is left and everyone concerned was told."""
    _own(tx, row, _end("undone"))


def run_release(tx: Tx, row: RunRow, *, after_s: float, waits_for: str | None) -> None:
    """Give the run back, to be taken up again in `after_s` seconds, or at once if cancelled."""
    now = clock.timestamp()
    at_once = sa.and_(r.cancelled, r.state == "running")
    values = {
        "owner": None,
        "attempts": row.attempts + 1 if waits_for is not None else row.attempts,
        "waits_for": waits_for,
        "due_at": sa.case((at_once, now), else_=now + after_s),
    }
    _own(tx, row, values)


def is_wanted(tx: Tx, row: RunRow) -> bool:
    """Tell whether the run is still its taker's and not cancelled."""
    held = sa.select(r.id).where(r.id == row.id, r.fence == row.fence)
    if row.state == "running":
        held = held.where(~r.cancelled)
    return tx.execute(held).one_or_none() is not None


def owners(tx: Tx) -> list[str]:
    """Return everyone who holds a run."""
    return list(tx.scalars(sa.select(r.owner).where(r.owner.is_not(None)).distinct()))


def adopt(tx: Tx, dead: Sequence[str]) -> int:
    """End the leases of the dead; return how many runs became free."""
    change = sa.update(tables.run).where(r.owner.in_(dead), r.state.in_(UNFINISHED))
    return tx.execute(change.values(owner=None, due_at=clock.timestamp())).rowcount


def run_get(tx: Tx, run_id: str) -> RunRow:
    """Return a run that must be there."""
    return _row(tx.execute(sa.select(tables.run).where(r.id == run_id)).one())


def runs_under_way(tx: Tx) -> list[RunRow]:
    """Return every run that has not finished, oldest first."""
    return run_list(tx, unfinished=True)


def run_list(
    tx: Tx,
    *,
    subject: str | None = None,
    request_id: str | None = None,
    kind: str | None = None,
    unfinished: bool = False,
) -> list[RunRow]:
    """Return runs, oldest first; what is None does not restrict."""
    wanted = {r.subject: subject, r.request_id: request_id, r.kind: kind}
    select = sa.select(tables.run).where(
        *(column == value for column, value in wanted.items() if value is not None)
    )
    if unfinished:
        select = select.where(r.state.in_(UNFINISHED))
    return [_row(row) for row in tx.execute(select.order_by(r.created_at, r.turn, r.id))]


def run_counts(tx: Tx) -> dict[tuple[str, str], int]:
    """Return how many runs there are of each kind in each state."""
    query = sa.select(r.kind, r.state, sa.func.count()).group_by(r.kind, r.state)
    return {(kind, state): int(count) for kind, state, count in tx.execute(query)}


def prune(tx: Tx, before: datetime, limit: int = 500) -> int:
    """Forget up to `limit` runs that finished before; return how many."""
    old = sa.select(r.id).where(r.finished_at < before).order_by(r.finished_at).limit(limit)
    ids = list(tx.scalars(old))
    tx.execute(sa.delete(tables.run).where(r.id.in_(ids)))
    return len(ids)


def _own(tx: Tx, row: RunRow, values: dict[str, Any]) -> None:
    if not tx.execute(_mine(row).values(**values)).rowcount:
        raise LostLease(row.id)


def _mine(row: RunRow) -> sa.Update:
    return sa.update(tables.run).where(
        r.id == row.id, r.fence == row.fence, r.state.in_(UNFINISHED)
    )


def _waits_for_its_turn() -> sa.ColumnElement[bool]:
    earlier = tables.run.alias()
    return sa.exists().where(
        earlier.c.subject == r.subject,
        earlier.c.turn < r.turn,
        earlier.c.state.in_(UNFINISHED),
    )


def _end(state: str) -> dict[str, Any]:
    return {"state": state, "finished_at": clock.now(), **_END}


def _row(row: sa.Row[Any]) -> RunRow:
    values = dict(row._mapping)
    values["log"] = _LOG.decode(values["log"])
    values["error"] = _FAILURE.decode(values["error"]) if values["error"] else None
    return RunRow(**values)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# Built once: these run for every step, and building a statement costs more than SQLite takes.
_DUE = (
    sa.select(tables.run)
    .where(
        r.due_at <= sa.bindparam("now", type_=sa.Double),
        r.kind.in_(sa.bindparam("kinds", expanding=True)),
        ~_waits_for_its_turn(),
    )
    .order_by(r.due_at, r.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_NEXT_DUE = sa.select(sa.func.min(r.due_at)).where(
    r.due_at > sa.bindparam("now", type_=sa.Double),
    r.kind.in_(sa.bindparam("kinds", expanding=True)),
)
_LAST_TURN = sa.select(sa.func.max(r.turn)).where(r.subject == sa.bindparam("of_subject"))
_INSERT = tables.run.insert()
_TAKE = sa.update(tables.run).where(
    r.id == sa.bindparam("seen_id"),
    r.fence == sa.bindparam("seen_fence"),
    r.cancelled == sa.bindparam("seen_cancelled"),
    r.due_at <= sa.bindparam("now", type_=sa.Double),
)
_HELD = sa.update(tables.run).where(
    r.id == sa.bindparam("held_id"),
    r.fence == sa.bindparam("held_fence"),
    r.state.in_(UNFINISHED),
)
_GO_ON = _HELD.where(~r.cancelled).values(
    log=sa.bindparam("new_log"), due_at=sa.bindparam("until"), attempts=0, waits_for=None
)
_DONE = _HELD.where(~r.cancelled).values(
    log=sa.bindparam("new_log"), finished_at=sa.bindparam("at"), **_END, state="done"
)
