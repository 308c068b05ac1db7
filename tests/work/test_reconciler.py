"""Reconcilers: by period, when woken, in one process at a time."""

import threading

from cumulo.bus import LocalDoorbell
from cumulo.db import Database, ring_after_commit
from cumulo.kit.clock import CLOCK
from cumulo.work import Reconciler, Scheduler, reconciler
from tests.waiting import eventually

Seen = list[str]


def note(name: str, every_s: float = 60.0, wake: tuple[str, ...] = ()) -> Reconciler[Seen]:
    return Reconciler(lambda seen: seen.append(name), every_s, name, wake)


def test_each_runs_at_the_start_and_then_by_its_period(db: Database) -> None:
    seen: Seen = []
    scheduler = Scheduler(db, [note("often", 10), note("seldom", 25)], seen)
    with CLOCK.held():
        for _ in range(4):
            scheduler.tick()
            CLOCK.move(10)
    assert seen == ["often", "seldom", "often", "often", "seldom", "often"]


def test_a_tick_says_what_ran(db: Database) -> None:
    scheduler = Scheduler(db, [note("one")], [])
    with CLOCK.held():
        assert [scheduler.tick(), scheduler.tick()] == [["one"], []]
        assert scheduler.tick(CLOCK.timestamp() + 60) == ["one"]


def test_a_topic_wakes_those_who_listen_to_it(db: Database) -> None:
    seen: Seen = []
    known = [note("ports", wake=("network",)), note("disks", wake=("server",)), note("keys")]
    scheduler = Scheduler(db, known, seen)
    with CLOCK.held():
        scheduler.tick()
        seen.clear()
        scheduler.wake("network")
        scheduler.wake("keys")
        scheduler.tick()
    assert seen == ["keys", "ports"]


def test_one_failure_is_left_to_the_next_time_and_disturbs_no_other(db: Database) -> None:
    def fails(seen: Seen) -> None:
        seen.append("fails")
        raise OSError("no")

    seen: Seen = []
    scheduler = Scheduler(db, [Reconciler(fails, 10, "a"), note("b", 10)], seen)
    with CLOCK.held():
        scheduler.tick()
        CLOCK.move(10)
        scheduler.tick()
    assert seen == ["fails", "b", "fails", "b"]


def test_two_processes_share_the_period(db: Database) -> None:
    seen: Seen = []
    one, two = (Scheduler(db, [note("r", 10)], seen, name) for name in ("one", "two"))
    with CLOCK.held():
        assert one.tick() == ["r"]
        assert two.tick() == ["r"]  # at its start every process looks for itself
        CLOCK.move(10)
        assert [one.tick(), two.tick()] == [["r"], []]
        CLOCK.move(10)
        assert [two.tick(), one.tick()] == [["r"], []]


def test_while_one_process_runs_it_the_other_waits_and_keeps_the_wake(db: Database) -> None:
    others: list[list[str]] = []

    def run(tools: Seen) -> None:
        two.wake("r")
        others.append(two.tick())

    one = Scheduler(db, [Reconciler(run, 10, "r")], [], "one")
    two = Scheduler(db, [note("r", 10)], [], "two")
    with CLOCK.held():
        assert one.tick() == ["r"]
        assert others == [[]]
        CLOCK.move(1)
        assert two.tick() == ["r"]


def test_a_dead_process_holds_it_until_its_lease_ends(db: Database) -> None:
    two = Scheduler(db, [note("r", 10)], [], "two")
    with CLOCK.held():
        db.write(reconciler._take, "r", "one", CLOCK.timestamp(), woken=True)
        assert two.tick() == []
        CLOCK.move(61)
        assert two.tick() == ["r"]


def test_serving_runs_what_a_committed_change_wakes(db: Database) -> None:
    bell, stop = LocalDoorbell(), threading.Event()
    seen: Seen = []
    db.ring = bell.ring
    known = [note("ports", 3600, ("network",)), note("keys", 3600)]
    scheduler = Scheduler(db, known, seen, bell=bell)
    thread = threading.Thread(target=scheduler.serve, args=(stop,))
    thread.start()
    eventually(lambda: sorted(seen) == ["keys", "ports"])
    db.write(ring_after_commit, "network")
    eventually(lambda: sorted(seen) == ["keys", "ports", "ports"])
    stop.set()
    bell.ring(reconciler.TOPIC)
    thread.join()


def test_a_wake_while_it_runs_has_it_run_once_more(db: Database) -> None:
    bell, stop = LocalDoorbell(), threading.Event()
    seen: Seen = []
    db.ring = bell.ring

    def run(tools: list[str]) -> None:
        tools.append("r")
        if len(tools) == 1:
            db.write(ring_after_commit, "network")

    scheduler = Scheduler(db, [Reconciler(run, 3600, "r", ("network",))], seen, bell=bell)
    thread = threading.Thread(target=scheduler.serve, args=(stop,))
    thread.start()
    eventually(lambda: seen == ["r", "r"])
    stop.set()
    bell.ring(reconciler.TOPIC)
    thread.join()
