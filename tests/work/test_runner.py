"""Workflows: forward, back, after crashes, in turn."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import msgspec
import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.kit.clock import CLOCK
from cumulo.kit.errors import Conflict, Unavailable
from cumulo.work import Failure, Step, Worker, Workflow, runs, start, tables, testing, wake
from cumulo.work import Run as _Run
from cumulo.work.testing import PowerCut


class Nothing(msgspec.Struct):
    pass


class Token(msgspec.Struct):
    value: int


Seen: TypeAlias = list[str]
Run: TypeAlias = _Run[Nothing, Seen]
Flow: TypeAlias = Workflow[Nothing, Seen]


def note(word: str) -> Callable[[Run], None]:
    def step(run: Run) -> None:
        run.tools.append(word)

    step.__name__ = word
    return step


def once(word: str, error: BaseException) -> Callable[[Run], None]:
    """Return a step that raises the first time it is called."""

    def step(run: Run) -> None:
        run.tools.append(word)
        if run.tools.count(word) == 1:
            raise error

    step.__name__ = word
    return step


def child_step(run: _Run[Token, Seen]) -> None:
    run.tools.append("child")


def flow(*steps: Step[Nothing, Seen], failed: Callable[[Run], None] | None = None) -> Flow:
    return Workflow("t", Nothing, list(steps), failed)


def told(run: Run) -> None:
    assert run.error
    run.tools.append(f"failed: {run.error.kind}: {run.error.message}")


def state(db: Database, run_id: str) -> str:
    return db.read(runs.run_get, run_id).state


def test_steps_run_in_order_and_see_earlier_results(db: Database) -> None:
    def first(run: Run) -> Token:
        return Token(7)

    def second(run: Run) -> None:
        run.tools.append(f"second saw {run.result_of(first).value}")

    seen: Seen = []
    two = flow(Step(first), Step(second))
    run_id = db.write(start, two, Nothing())
    assert Worker(db, [two], seen).run_pending() == 1
    assert seen == ["second saw 7"]
    row = db.read(runs.run_get, run_id)
    assert (row.state, row.owner, row.due_at) == ("done", None, None)
    assert [(log.name, log.state, log.attempts) for log in row.log] == [
        ("first", "done", 1),
        ("second", "done", 1),
    ]


def test_a_run_started_in_a_transaction_that_fails_never_was(db: Database) -> None:
    def fails(tx: Tx) -> None:
        start(tx, flow(), Nothing())
        raise Conflict("no")

    with pytest.raises(Conflict):
        db.write(fails)
    assert db.read(runs.run_list) == []


def test_another_worker_continues_after_a_crash_when_the_lease_ends(db: Database) -> None:
    seen: Seen = []
    two = flow(Step(note("first")), Step(once("second", PowerCut())), Step(note("third")))
    db.write(start, two, Nothing())
    with CLOCK.held():
        with pytest.raises(PowerCut):
            Worker(db, [two], seen, "a").run_pending()
        assert Worker(db, [two], seen, "b").run_pending() == 0  # a's lease still holds
        CLOCK.move(61)
        assert Worker(db, [two], seen, "b").run_pending() == 1
    assert seen == ["first", "second", "second", "third"]


def test_a_step_longer_than_the_lease_keeps_its_run(db: Database) -> None:
    seen: Seen = []
    workers: list[Worker] = []

    def long(run: Run) -> None:
        CLOCK.move(50)
        workers[0].renew_leases()
        CLOCK.move(50)
        run.tools.append(f"others took {workers[1].run_pending()}")

    one = flow(Step(long))
    workers += [Worker(db, [one], seen, "a"), Worker(db, [one], seen, "b")]
    db.write(start, one, Nothing())
    with CLOCK.held():
        workers[0].run_pending()
    assert seen == ["others took 0"]


def test_a_worker_that_lost_its_lease_records_nothing(db: Database) -> None:
    seen: Seen = []
    workers: list[Worker] = []

    def slow(run: Run) -> None:
        run.tools.append("slow")
        CLOCK.move(61)
        if run.tools.count("slow") == 1:
            workers[1].run_pending()

    two = flow(Step(slow), Step(note("after")))
    workers += [Worker(db, [two], seen, "a"), Worker(db, [two], seen, "b")]
    run_id = db.write(start, two, Nothing())
    with CLOCK.held():
        workers[0].run_pending()
    assert seen == ["slow", "slow", "after"]
    assert state(db, run_id) == "done"


def test_even_the_same_worker_cannot_hold_a_run_twice(db: Database) -> None:
    seen: Seen = []
    workers: list[Worker] = []

    def slow(run: Run) -> None:
        run.tools.append("slow")
        CLOCK.move(61)
        if run.tools.count("slow") == 1:
            workers[0].run_pending()

    two = flow(Step(slow), Step(note("after")))
    workers.append(Worker(db, [two], seen, "a"))
    db.write(start, two, Nothing())
    with CLOCK.held():
        workers[0].run_pending()
    assert seen == ["slow", "slow", "after"]


def test_unavailable_means_the_same_step_later_and_ever_later(db: Database) -> None:
    seen: Seen = []

    def never(run: Run) -> None:
        run.tools.append("never")
        raise Unavailable("the backend sleeps")

    one = flow(Step(note("first")), Step(never, undo=note("undo")))
    worker = Worker(db, [one], seen)
    waits = []
    with CLOCK.held():
        run_id = db.write(start, one, Nothing())
        for _ in range(9):
            assert worker.run_pending() == 1
            row = db.read(runs.run_get, run_id)
            assert row.due_at
            waits.append(row.due_at - CLOCK.timestamp())
            assert worker.run_pending() == 0
            CLOCK.move(waits[-1] + 0.001)
    assert (row.state, row.owner, row.waits_for) == ("running", None, "the backend sleeps")
    assert seen == ["first"] + ["never"] * 9
    assert 0.1 < waits[0] <= 0.25
    assert 15 <= waits[-1] <= 30


def test_a_waiting_run_can_be_woken(db: Database) -> None:
    seen: Seen = []
    one = flow(Step(once("poll", Unavailable("not yet"))))
    worker = Worker(db, [one], seen)
    with CLOCK.held():
        db.write(start, one, Nothing(), subject="server-1")
        worker.run_pending()
        assert worker.run_pending() == 0
        db.write(wake, "server-1")
        assert worker.run_pending() == 1
    assert seen == ["poll", "poll"]


def test_an_error_undoes_what_was_done_and_half_done_in_reverse(db: Database) -> None:
    seen: Seen = []
    bad = once("half", Conflict("disk full"))
    three = flow(
        Step(note("one"), undo=note("undo one")),
        Step(note("two")),
        Step(bad, undo=note("undo half")),
        Step(note("never"), undo=note("undo never")),
        failed=told,
    )
    run_id = db.write(start, three, Nothing())
    Worker(db, [three], seen).run_pending()
    assert seen == ["one", "two", "half", "undo half", "undo one", "failed: Conflict: disk full"]
    row = db.read(runs.run_get, run_id)
    assert row.state == "undone"
    assert row.error == Failure("Conflict", "disk full", "half")


def test_a_failed_undo_is_tried_again_and_never_skipped(db: Database) -> None:
    seen: Seen = []
    three = flow(
        Step(note("first"), undo=note("undo first")),
        Step(note("left"), undo=once("remove", OSError("backend confused"))),
        Step(once("bad", ValueError("no"))),
        failed=once("told", OSError("not now")),
    )
    run_id = db.write(start, three, Nothing())
    worker = Worker(db, [three], seen)
    for _ in range(3):
        worker.run_pending()
        db.write(testing.end_leases)
    assert seen == ["first", "left", "bad", "remove", "remove", "undo first", "told", "told"]
    assert state(db, run_id) == "undone"
    assert worker.run_pending() == 0


def test_unwinding_goes_on_after_a_crash_with_the_error_it_began_with(db: Database) -> None:
    seen: Seen = []
    two = flow(
        Step(note("one"), undo=once("undo one", PowerCut())),
        Step(once("bad", ValueError("no")), undo=note("undo bad")),
        failed=told,
    )
    db.write(start, two, Nothing())
    with pytest.raises(PowerCut):
        Worker(db, [two], seen).run_pending()
    db.write(testing.end_leases)
    Worker(db, [two], seen).run_pending()
    assert seen == ["one", "bad", "undo bad", "undo one", "undo one", "failed: ValueError: no"]


def test_an_undo_can_ask_what_its_step_returned(db: Database) -> None:
    def fails(run: Run) -> Token:
        raise ValueError

    def undo(run: Run) -> None:
        run.tools.append(f"found {run.find_result_of(fails)}")

    seen: Seen = []
    one = flow(Step(fails, undo=undo))
    db.write(start, one, Nothing())
    Worker(db, [one], seen).run_pending()
    assert seen == ["found None"]


def test_runs_of_one_subject_go_one_after_another(db: Database) -> None:
    seen: Seen = []
    slow = Workflow("slow", Nothing, [Step(once("slow", Unavailable("wait")))])
    quick = Workflow("quick", Nothing, [Step(note("quick"))])
    worker = Worker(db, [slow, quick], seen)
    with CLOCK.held():
        db.write(start, slow, Nothing(), subject="s")
        db.write(start, quick, Nothing(), subject="s")
        db.write(start, quick, Nothing(), subject="other")
        assert worker.run_pending() == 2  # the slow one once, and the other subject's
        assert sorted(seen) == ["quick", "slow"]
        CLOCK.move(60)
        worker.run_pending()
    assert seen[2:] == ["slow", "quick"]


def test_cancel_unwinds_a_waiting_run_at_once_before_the_new_one(db: Database) -> None:
    seen: Seen = []
    create = Workflow(
        "create",
        Nothing,
        [
            Step(note("one"), undo=note("undo one")),
            Step(once("two", Unavailable("wait")), undo=note("undo two")),
        ],
        told,
    )
    delete = Workflow("delete", Nothing, [Step(note("delete"))])
    worker = Worker(db, [create, delete], seen)
    with CLOCK.held():
        db.write(start, create, Nothing(), subject="s")
        worker.run_pending()
        db.write(start, delete, Nothing(), subject="s", cancel=True)
        worker.run_pending()
    assert seen[:4] == ["one", "two", "undo two", "undo one"]
    assert seen[4].startswith("failed: Cancelled")
    assert seen[5:] == ["delete"]


def test_a_run_cancelled_before_it_began_undoes_nothing(db: Database) -> None:
    seen: Seen = []
    create = Workflow("create", Nothing, [Step(note("one"), undo=note("undo one"))], told)
    delete = Workflow("delete", Nothing, [Step(note("delete"))])
    db.write(start, create, Nothing(), subject="s")
    db.write(start, delete, Nothing(), subject="s", cancel=True)
    Worker(db, [create, delete], seen).run_pending()
    assert seen == [
        "failed: Cancelled: Something later on the same resource took its place.",
        "delete",
    ]


@pytest.mark.parametrize("at", ["one", "two"])
def test_cancelled_during_a_step_a_run_unwinds_at_its_border(db: Database, at: str) -> None:
    seen: Seen = []
    delete = Workflow("delete", Nothing, [Step(note("delete"))])

    def maybe_cancel(word: str) -> Callable[[Run], None]:
        def step(run: Run) -> None:
            run.tools.append(word)
            assert not run.cancelled()
            if word == at:
                run.db.write(start, delete, Nothing(), subject="s", cancel=True)
                assert run.cancelled()

        step.__name__ = word
        return step

    create = Workflow(
        "create",
        Nothing,
        [
            Step(maybe_cancel("one"), undo=note("undo one")),
            Step(maybe_cancel("two"), undo=note("undo two")),
        ],
        told,
    )
    run_id = db.write(start, create, Nothing(), subject="s")
    Worker(db, [create, delete], seen).run_pending()
    done = {"one": ["one", "undo one"], "two": ["one", "two", "undo two", "undo one"]}[at]
    assert seen[: len(done)] == done
    assert seen[-1] == "delete"
    assert state(db, run_id) == "undone"


def test_a_step_that_gives_up_because_it_is_cancelled_is_not_an_error(db: Database) -> None:
    seen: Seen = []
    delete = Workflow("delete", Nothing, [Step(note("delete"))])

    def gives_up(run: Run) -> None:
        run.db.write(start, delete, Nothing(), subject="s", cancel=True)
        raise TimeoutError("gave up")

    create = Workflow("create", Nothing, [Step(gives_up, undo=note("undo"))], told)
    db.write(start, create, Nothing(), subject="s")
    Worker(db, [create, delete], seen).run_pending()
    assert seen[0] == "undo"
    assert seen[1].startswith("failed: Cancelled")
    assert seen[2] == "delete"


def test_a_cancelled_run_of_a_dead_worker_undoes_the_step_that_was_under_way(
    db: Database,
) -> None:
    seen: Seen = []
    create = Workflow(
        "create",
        Nothing,
        [
            Step(note("one"), undo=note("undo one")),
            Step(once("two", PowerCut()), undo=note("undo two")),
            Step(note("three"), undo=note("undo three")),
        ],
    )
    delete = Workflow("delete", Nothing, [Step(note("delete"))])
    db.write(start, create, Nothing(), subject="s")
    with pytest.raises(PowerCut):
        Worker(db, [create], seen, "a").run_pending()
    db.write(start, delete, Nothing(), subject="s", cancel=True)
    assert Worker(db, [create, delete], seen, "b").run_pending() == 0
    db.write(testing.end_leases)
    Worker(db, [create, delete], seen, "b").run_pending()
    assert seen == ["one", "two", "undo two", "undo one", "delete"]


def test_a_run_that_is_done_is_not_cancelled_by_what_comes_later(db: Database) -> None:
    seen: Seen = []
    create = flow(Step(note("create"), undo=note("undo")))
    worker = Worker(db, [create], seen)
    run_id = db.write(start, create, Nothing(), subject="s")
    worker.run_pending()
    db.write(start, create, Nothing(), subject="s", cancel=True)
    worker.run_pending()
    assert (seen, state(db, run_id)) == (["create", "create"], "done")


def test_a_worker_leaves_what_it_does_not_know(db: Database) -> None:
    db.write(start, flow(), Nothing())
    assert Worker(db, [Workflow("other", Nothing, [])], []).run_pending() == 0


def test_a_run_remembers_who_asked(db: Database) -> None:
    class Who:
        request_id, user_id, project_id = "req-1", "u", "p"

    seen: Seen = []

    def tell(run: Run) -> None:
        run.tools.append(f"{run.request_id} {run.user_id} {run.project_id} {run.subject}")

    one = flow(Step(tell))
    db.write(start, one, Nothing(), subject="s", ctx=Who())
    Worker(db, [one], seen).run_pending()
    assert seen == ["req-1 u p s"]
    assert [row.kind for row in db.read(runs.run_list, request_id="req-1")] == ["t"]


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        flow(Step(note("x")), Step(note("x")))


def test_old_finished_runs_are_forgotten(db: Database) -> None:
    one = flow()
    with CLOCK.held():
        db.write(start, one, Nothing())
        Worker(db, [one], []).run_pending()
        waiting = db.write(start, one, Nothing())
        CLOCK.move(100)
        assert db.write(runs.prune, CLOCK.now()) == 1
    assert [row.id for row in db.read(runs.run_list)] == [waiting]


def test_params_that_cannot_be_read_do_not_stop_the_worker(db: Database) -> None:
    one: Workflow[Token, Seen] = Workflow("t", Token, [])
    run_id = db.write(start, one, Token(1))
    db.write(lambda tx: tx.execute(sa.update(tables.run).values(params='{"value": "x"}')))
    other: Flow = Workflow("o", Nothing, [])
    other_id = db.write(start, other, Nothing())
    Worker(db, [one, other], []).run_pending()
    assert (state(db, run_id), state(db, other_id)) == ("running", "done")


def test_runs_started_at_once_on_one_subject_get_their_turns(db: Database) -> None:
    seen: Seen = []
    one = flow(Step(note("one")))
    with ThreadPoolExecutor(8) as pool:
        started = [pool.submit(db.write, start, one, Nothing(), subject="s") for _ in range(16)]
        ids = {each.result() for each in started}
    rows = db.read(runs.run_list, subject="s")
    assert {row.id for row in rows} == ids
    assert sorted(row.turn or 0 for row in rows) == list(range(1, 17))
    Worker(db, [one], seen).run_pending()
    assert len(seen) == 16


def test_a_step_that_may_run_twice_starts_a_run_once(db: Database) -> None:
    seen: Seen = []
    child = Workflow("child", Token, [Step(child_step)])

    def parent(run: Run) -> None:
        for value in (1, 1, 2):
            run.db.write(start, child, Token(value), subject="s", ctx=run)

    one = flow(Step(parent))
    testing.steps_may_repeat(one, Nothing(), db, seen)
    Worker(db, [child], seen).run_pending()
    assert seen == ["child", "child"]
