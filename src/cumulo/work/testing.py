"""What every workflow must survive, as functions its tests call.

Each starts a run of the workflow with `params`, or, when `params` is None, carries on the one
that the code under test has started.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.kit import clock
from cumulo.work import runs, tables
from cumulo.work.runner import Worker, start
from cumulo.work.workflow import Run, Step, Workflow

P = TypeVar("P", bound=msgspec.Struct)
T = TypeVar("T")
R = TypeVar("R")


class Injected(Exception):
    """The failure a test asked for."""


class PowerCut(BaseException):
    """The end of a worker, in the middle of its work."""


def steps_may_repeat(workflow: Workflow[P, T], params: P | None, db: Database, tools: T) -> None:
    """Do every step twice; the run must still succeed."""

    def twice(step: Step[P, T]) -> Callable[[Run[P, T]], object]:
        def do(run: Run[P, T]) -> object:
            first, second = step.do(run), step.do(run)
            assert first == second, f"{step.name} returned {first}, the second time {second}"
            return second

        return do

    changed = _changed(workflow, {step.name: twice(step) for step in workflow.steps})
    _run(changed, params, db, tools, "done")


def unwinds_from(
    name: str,
    workflow: Workflow[P, T],
    params: P | None,
    db: Database,
    tools: T,
    *,
    before: bool = False,
) -> None:
    """Fail just after step `name` did its work, or `before` it; then all must be undone, twice."""
    step = _step(workflow, name)

    def fail(run: Run[P, T]) -> object:
        if not before:
            step.do(run)
        raise Injected(name)

    _run(_changed(workflow, {name: fail}, undo_twice=True), params, db, tools, "undone")


def crash_at(
    name: str,
    workflow: Workflow[P, T],
    params: P | None,
    db: Database,
    tools: T,
    *,
    before: bool = False,
) -> None:
    """Kill the worker just after step `name` did its work, or `before` it; another goes on."""
    run_id = die_at(name, workflow, params, db, tools, before=before)
    Worker(db, [workflow], tools).run_pending()
    _expect(db, run_id, "done")


def die_at(
    name: str,
    workflow: Workflow[P, T],
    params: P | None,
    db: Database,
    tools: T,
    *,
    before: bool = False,
) -> str:
    """Kill the worker as `crash_at` does, and let nobody go on yet; return the run's id."""
    step = _step(workflow, name)

    def die(run: Run[P, T]) -> object:
        if not before:
            step.do(run)
        raise PowerCut(name)

    run_id = _ensure_started(workflow, params, db)
    try:
        Worker(db, [_changed(workflow, {name: die})], tools, "the dead").run_pending()
    except PowerCut:
        db.write(runs.adopt, ["the dead"])
    else:
        raise AssertionError(f"{workflow.name} never came to {name}")
    return run_id


def interrupt(
    name: str,
    workflow: Workflow[P, T],
    db: Database,
    tools: T,
    meanwhile: Callable[[], None],
    look: Callable[[], None],
) -> None:
    """Call `meanwhile` while step `name` of the started run is at work, and `look` after each move.

    A move is a step, an undo or the end: what somebody who watches could see in between.
    """

    def watched(act: Callable[[Run[P, T]], R]) -> Callable[[Run[P, T]], R]:
        def do(run: Run[P, T]) -> R:
            look()
            if act.__name__ == name:
                meanwhile()
            result = act(run)
            look()
            return result

        return do

    steps: list[Step[P, T]] = []
    for step in workflow.steps:
        steps.append(Step(watched(step.do), undo=watched(step.undo) if step.undo else None))
        steps[-1].name = step.name
    failed = watched(workflow.failed) if workflow.failed else None
    changed = Workflow(workflow.name, workflow.params, [], failed)
    changed.steps = steps
    run_id = _ensure_started(workflow, None, db)
    Worker(db, [changed], tools).run_pending()
    _expect(db, run_id, "undone")


def end_leases(tx: Tx) -> None:
    """Let every run be taken now, as if all leases and waits had ended."""
    due = sa.update(tables.run).where(tables.run.c.due_at.is_not(None))
    tx.execute(due.values(due_at=clock.timestamp(), owner=None))


def _changed(
    workflow: Workflow[P, T],
    changes: dict[str, Callable[[Run[P, T]], object]],
    *,
    undo_twice: bool = False,
) -> Workflow[P, T]:
    steps = []
    for step in workflow.steps:
        undo = _twice(step.undo) if undo_twice and step.undo else step.undo
        changed: Step[P, T] = Step(changes.get(step.name, step.do), undo=undo)
        changed.name = step.name
        steps.append(changed)
    failed = _twice(workflow.failed) if undo_twice and workflow.failed else workflow.failed
    return Workflow(workflow.name, workflow.params, steps, failed)


def _twice(undo: Callable[[Run[P, T]], None]) -> Callable[[Run[P, T]], None]:
    def both(run: Run[P, T]) -> None:
        undo(run)
        undo(run)

    return both


def _step(workflow: Workflow[P, T], name: str) -> Step[P, T]:
    return next(step for step in workflow.steps if step.name == name)


def _run(workflow: Workflow[P, T], params: P | None, db: Database, tools: T, expected: str) -> None:
    run_id = _ensure_started(workflow, params, db)
    Worker(db, [workflow], tools).run_pending()
    _expect(db, run_id, expected)


def _ensure_started(workflow: Workflow[P, T], params: P | None, db: Database) -> str:
    if params is not None:
        return db.write(start, workflow, params)
    waiting = db.read(runs.run_list, kind=workflow.name, unfinished=True)
    assert waiting, f"no run of {workflow.name} was started; pass params to start one here"
    return waiting[-1].id


def _expect(db: Database, run_id: str, state: str) -> None:
    run = db.read(runs.run_get, run_id)
    assert run.state == state, (
        f"the run is {run.state}, not {state}; error: {run.error}; it waits for: {run.waits_for}"
    )
