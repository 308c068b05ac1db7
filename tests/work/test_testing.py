"""The helpers for workflows' tests find what they are for."""

import msgspec
import pytest

from cumulo.db import Database
from cumulo.kit.errors import Unavailable
from cumulo.work import Run, Step, Workflow, start, testing

Things = list[str]


class Nothing(msgspec.Struct):
    pass


class Thing(msgspec.Struct):
    count: int


def make(run: Run[Nothing, Things]) -> None:
    if "thing" not in run.tools:
        run.tools.append("thing")


def remove(run: Run[Nothing, Things]) -> None:
    if "thing" in run.tools:
        run.tools.remove("thing")


def make_another(run: Run[Nothing, Things]) -> None:
    run.tools.append("thing")


def remove_blindly(run: Run[Nothing, Things]) -> None:
    run.tools.remove("thing")


def count(run: Run[Nothing, Things]) -> Thing:
    run.tools.append("counted")
    return Thing(len(run.tools))


def last(run: Run[Nothing, Things]) -> None:
    pass


def wait(run: Run[Nothing, Things]) -> None:
    raise Unavailable("asleep")


GOOD = Workflow("good", Nothing, [Step(make, undo=remove), Step(last)])


def test_a_good_workflow_passes(db: Database) -> None:
    for before in (False, True):
        for step in GOOD.steps:
            things: Things = []
            testing.unwinds_from(step.name, GOOD, Nothing(), db, things, before=before)
            assert things == []
            testing.crash_at(step.name, GOOD, Nothing(), db, things, before=before)
            assert things == ["thing"]
            testing.steps_may_repeat(GOOD, Nothing(), db, things)
            assert things == ["thing"]


def test_a_step_that_does_its_work_again_is_found(db: Database) -> None:
    things: Things = []
    testing.steps_may_repeat(Workflow("t", Nothing, [Step(make_another)]), Nothing(), db, things)
    assert things == ["thing", "thing"]


def test_a_step_that_returns_something_else_the_second_time_is_found(db: Database) -> None:
    with pytest.raises(AssertionError, match="the second time"):
        testing.steps_may_repeat(Workflow("t", Nothing, [Step(count)]), Nothing(), db, [])


@pytest.mark.parametrize("before", [True, False])
def test_an_undo_that_expects_its_step_to_be_done_once_is_found(
    db: Database, *, before: bool
) -> None:
    flow = Workflow("t", Nothing, [Step(make, undo=remove_blindly)])
    with pytest.raises(AssertionError, match=r"unwinding, not undone.*waits for: ValueError"):
        testing.unwinds_from("make", flow, Nothing(), db, [], before=before)


def test_a_run_that_waits_is_not_taken_for_done(db: Database) -> None:
    with pytest.raises(AssertionError, match="waits for: asleep"):
        testing.steps_may_repeat(Workflow("t", Nothing, [Step(wait)]), Nothing(), db, [])


def test_the_run_that_the_code_under_test_started_is_used(db: Database) -> None:
    things: Things = []
    db.write(start, GOOD, Nothing(), subject="s")
    testing.crash_at("make", GOOD, None, db, things)
    assert things == ["thing"]
    with pytest.raises(AssertionError, match="no run of good was started"):
        testing.crash_at("make", GOOD, None, db, things)
