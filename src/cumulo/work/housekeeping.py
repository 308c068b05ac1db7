"""What work keeps in order about itself: finished runs and old events are forgotten."""

from datetime import timedelta
from typing import Protocol

from cumulo.db import Database
from cumulo.kit import clock
from cumulo.work import events, runs
from cumulo.work.reconciler import Reconciler

KEEP_RUNS = timedelta(days=1)
KEEP_EVENTS = timedelta(days=30)


class Tools(Protocol):
    """What it takes."""

    @property
    def db(self) -> Database:
        """Where work is stored."""


def forget_runs(tools: Tools) -> None:
    """Forget runs that finished long ago, a few in each transaction."""
    before = clock.now() - KEEP_RUNS
    while tools.db.write(runs.prune, before):
        pass


def forget_events(tools: Tools) -> None:
    """Forget events that everyone had time to read, a few in each transaction."""
    before = clock.now() - KEEP_EVENTS
    while tools.db.write(events.prune, before):
        pass


FORGET_RUNS = Reconciler(forget_runs, every_s=600, name="work.forget_runs")
FORGET_EVENTS = Reconciler(forget_events, every_s=3600, name="work.forget_events")
RECONCILERS = [FORGET_RUNS, FORGET_EVENTS]
