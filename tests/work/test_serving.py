"""The worker's own threads: woken by the bell, many runs at once, an orderly end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import msgspec

from cumulo.bus import LocalDoorbell
from cumulo.db import Database
from cumulo.kit.errors import Unavailable
from cumulo.work import Run as _Run
from cumulo.work import Step, Worker, Workflow, runner, runs, start
from tests.waiting import eventually


class Number(msgspec.Struct):
    value: int


class Shared:
    """What the steps below meet at."""

    def __init__(self, parties: int = 1) -> None:
        self.together = threading.Barrier(parties, timeout=20)
        self.seen: list[str] = []
        self.go_on = threading.Event()
        self.threads: set[threading.Thread] = set()


Run: TypeAlias = _Run[Number, Shared]


def meet(run: Run) -> None:
    run.tools.together.wait()


def note(run: Run) -> None:
    run.tools.seen.append(f"{run.params.value}")
    run.tools.threads.add(threading.current_thread())


def poll(run: Run) -> None:
    run.tools.seen.append("poll")
    if run.tools.seen.count("poll") < 3:
        raise Unavailable("not yet")


def hold(run: Run) -> None:
    run.tools.seen.append("holding")
    assert run.tools.go_on.wait(20)


MEET = Workflow("meet", Number, [Step(meet), Step(note)])
POLL = Workflow("poll", Number, [Step(poll)])
HOLD = Workflow("hold", Number, [Step(hold), Step(note)])


@contextmanager
def serving(
    db: Database, shared: Shared, threads: int = 4, workers: int = 1
) -> Iterator[threading.Event]:
    bell, stop = LocalDoorbell(), threading.Event()
    db.ring = bell.ring
    running = []
    for _ in range(workers):
        worker = Worker(db, [MEET, POLL, HOLD], shared, bell=bell)
        running.append(threading.Thread(target=worker.serve, args=(threads, stop)))
        running[-1].start()
    try:
        yield stop
    finally:
        stop.set()
        bell.ring(runner.TOPIC)
        for thread in running:
            thread.join()


def states(db: Database) -> set[str]:
    return {row.state for row in db.read(runs.run_list)}


def test_runs_go_on_side_by_side(db: Database) -> None:
    shared = Shared(parties=4)  # each waits for the other three
    with serving(db, shared):
        for value in range(12):
            db.write(start, MEET, Number(value))
        eventually(lambda: states(db) == {"done"})
    assert sorted(map(int, shared.seen)) == list(range(12))


def test_a_run_that_waits_is_tried_again_without_being_asked(db: Database) -> None:
    shared = Shared()
    with serving(db, shared):
        db.write(start, POLL, Number(0))
        eventually(lambda: states(db) == {"done"})
    assert shared.seen == ["poll"] * 3


def test_one_long_run_does_not_hold_up_the_others(db: Database) -> None:
    shared = Shared()
    with serving(db, shared, threads=2):
        db.write(start, HOLD, Number(1))
        eventually(lambda: shared.seen)
        db.write(start, MEET, Number(2))
        eventually(lambda: "2" in shared.seen)
        assert "1" not in shared.seen
        shared.go_on.set()


def test_stopping_ends_between_two_steps_and_leaves_the_rest_to_the_next_worker(
    db: Database,
) -> None:
    shared = Shared()
    with serving(db, shared) as stop:
        run_id = db.write(start, HOLD, Number(1))
        eventually(lambda: shared.seen)
        stop.set()
        shared.go_on.set()
    eventually(lambda: db.read(runs.run_get, run_id).owner is None)
    Worker(db, [HOLD], shared).run_pending()
    assert states(db) == {"done"}
    assert shared.seen == ["holding", "1"]


def test_four_workers_do_each_run_once(db: Database) -> None:
    shared = Shared()
    with serving(db, shared, workers=4):
        for value in range(30):
            db.write(start, MEET, Number(value))
        eventually(lambda: states(db) == {"done"})
    assert sorted(map(int, shared.seen)) == list(range(30))


def test_a_step_that_hangs_does_not_keep_the_worker_from_stopping(db: Database) -> None:
    shared, stop = Shared(), threading.Event()
    worker = Worker(db, [HOLD], shared)
    thread = threading.Thread(target=worker.serve, args=(1, stop, 0.0))
    run_id = db.write(start, HOLD, Number(1))
    thread.start()
    eventually(lambda: shared.seen)
    stop.set()
    thread.join()
    assert db.read(runs.run_get, run_id).owner == worker.name  # until whoever comes next adopts it
    shared.go_on.set()
    eventually(lambda: db.read(runs.run_get, run_id).owner is None)


def test_a_thread_that_has_carried_on_a_run_goes_on_with_the_next(db: Database) -> None:
    shared = Shared()
    for value in range(3):
        db.write(start, MEET, Number(value))
    with serving(db, shared, threads=1):
        eventually(lambda: states(db) == {"done"})
    assert len(shared.threads) == 1
