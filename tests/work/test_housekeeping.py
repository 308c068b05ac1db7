"""Old runs and events are forgotten, the rest is kept."""

from dataclasses import dataclass

import msgspec

from cumulo.db import Database, Tx
from cumulo.kit.clock import CLOCK
from cumulo.work import Scheduler, Worker, Workflow, events, housekeeping, runs, start


class Nothing(msgspec.Struct):
    pass


@dataclass
class Tools:
    db: Database


def make_both(tx: Tx) -> None:
    start(tx, FLOW, Nothing())
    events.record(tx, None, resource="r", resource_id="1", action="create")


FLOW: Workflow[Nothing, None] = Workflow("t", Nothing, [])


def test_what_is_old_is_forgotten(db: Database) -> None:
    scheduler = Scheduler(db, housekeeping.RECONCILERS, Tools(db))
    worker = Worker(db, [FLOW], None)
    with CLOCK.held():
        db.write(make_both)
        worker.run_pending()
        CLOCK.move(housekeeping.KEEP_EVENTS.total_seconds() + 1)
        db.write(make_both)
        worker.run_pending()
        unfinished = db.write(start, FLOW, Nothing())
        scheduler.tick()
        CLOCK.move(events.SETTLED.total_seconds() + 1)
        assert len(db.read(events.events_since)) == 1
    assert len(db.read(runs.run_list)) == 2
    assert unfinished in {row.id for row in db.read(runs.run_list)}


def test_forgetting_goes_on_until_nothing_old_is_left(db: Database) -> None:
    with CLOCK.held():

        def many(tx: Tx) -> None:
            for _ in range(1001):
                events.record(tx, None, resource="r", resource_id="1", action="create")

        db.write(many)
        CLOCK.move(housekeeping.KEEP_EVENTS.total_seconds() + 1)
        housekeeping.forget_events(Tools(db))
    assert db.read(events.events_since) == []
