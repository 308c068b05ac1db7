"""Work that is never finished: reconcilers.

A reconciler compares what should be with what is and removes the difference.  It takes no
input but its tools, so that a restart, a lost message and a second process need no thought.
Of all processes that know a reconciler, one runs it at a time.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from cumulo.bus import LocalDoorbell
from cumulo.bus.doorbell import Doorbell, Ear
from cumulo.db import Database, Tx, ring_after_commit
from cumulo.db.statements import insert_absent
from cumulo.kit import clock, processors
from cumulo.work import leases, tables

T = TypeVar("T")
LOG = logging.getLogger(__name__)
TOPIC = "reconcile"
_POLL_S = 2.0
_AGAIN_S = 1.0
c = tables.reconciler.c


@dataclass(frozen=True)
class Reconciler(Generic[T]):
    """A function to run every so often, and sooner when one of the topics in `wake` is rung."""

    run: Callable[[T], None]
    every_s: float
    name: str
    wake: Sequence[str] = ()


def wake_after_commit(tx: Tx, topic: str) -> None:
    """Have the reconcilers that listen to `topic` run soon; say what changed, not how."""
    ring_after_commit(tx, topic)


class Scheduler:
    """Runs reconcilers when they are due: each at the start, then by its period and its topics."""

    def __init__(
        self,
        db: Database,
        reconcilers: Iterable[Reconciler[Any]],
        tools: Any,
        name: str = "",
        bell: Doorbell | None = None,
    ) -> None:
        self._db, self._tools, self._name = db, tools, name or leases.new_owner()
        self._known = {each.name: each for each in reconcilers}
        self._bell = bell or LocalDoorbell()
        self._look_at = dict.fromkeys(self._known, 0.0)
        self._woken = set(self._known)
        self._running: set[str] = set()
        self._renewed_at = clock.monotonic()

    def wake(self, topic: str) -> None:
        """Make the reconcilers that listen to `topic`, or have it as name, due now."""
        self._woken |= {
            name for name, each in self._known.items() if topic in each.wake or topic == name
        }

    def tick(self, now: float | None = None) -> list[str]:
        """Run what is due, in this thread; return the names of what ran."""
        taken = self._take(clock.timestamp() if now is None else now, len(self._known))
        for name in taken:
            self._run(name)
        return taken

    def adopt_dead(self) -> None:
        """Free the reconcilers that dead processes of this host were running; `serve` does so."""
        dead = [owner for owner in self._db.read(_owners) if leases.is_dead(owner)]
        if dead:
            self._db.write(_adopt, dead)

    def serve(self, stop: threading.Event, threads: int = 4, grace_s: float = 10.0) -> None:
        """Run what is due until `stop` is set; ring TOPIC to have `stop` seen at once.

        What is under way then has `grace_s` seconds to end.
        """
        self._renewed_at = float("-inf")
        topics = {topic for each in self._known.values() for topic in each.wake}
        with self._bell.listen(TOPIC, *self._known, *topics) as ear:
            while not stop.is_set():
                try:
                    wait_s = self._hand_out(threads, ear)
                except Exception:
                    LOG.exception("scheduler %s cannot look for work", self._name)
                    wait_s = _POLL_S
                for topic in ear.wait(wait_s):
                    self.wake(topic)
            until = time.monotonic() + grace_s
            while self._running and (left := until - time.monotonic()) > 0:
                ear.wait(left)

    def _hand_out(self, threads: int, ear: Ear) -> float:
        """Give each that is due a thread; return for how many seconds to wait for a ring."""
        processors.join()
        if clock.monotonic() - self._renewed_at > leases.LEASE_S / 4:
            if self._running:
                self._db.write(_renew, list(self._running), self._name)
            self.adopt_dead()
            self._renewed_at = clock.monotonic()
        for name in self._take(clock.timestamp(), threads - len(self._running)):
            run = functools.partial(self._run_and_tell, name, ear)
            # A daemon, so that what hangs cannot keep the process from ending.
            threading.Thread(target=run, name=f"reconcile {name}", daemon=True).start()
        if len(self._running) >= threads:
            return _POLL_S
        idle = self._known.keys() - self._running
        soonest = min((self._look_at[name] for name in idle), default=float("inf"))
        return max(0.05, min(_POLL_S, soonest - clock.timestamp()))

    def _run_and_tell(self, name: str, ear: Ear) -> None:
        processors.join()
        try:
            self._run(name)
        except Exception:
            # The database is gone: the lease ends by itself.
            LOG.exception("reconciler %s could not be recorded", name)
        finally:
            ear.hear(TOPIC)

    def _take(self, now: float, most: int) -> list[str]:
        """Lease up to `most` that are due here and run nowhere else: the woken, then the late."""
        taken: list[str] = []
        for name in self._idle():
            if len(taken) >= most:
                break
            woken = name in self._woken
            if not woken and self._look_at[name] > now:
                continue
            free_at = self._db.write(_take, name, self._name, now, woken=woken)
            if free_at is None:
                self._woken.discard(name)
                self._running.add(name)
                taken.append(name)
            else:
                # A wake that found it running elsewhere is kept: that run may have read too early.
                self._look_at[name] = min(free_at, now + _AGAIN_S) if woken else free_at
        return taken

    def _idle(self) -> list[str]:
        woken, look_at = self._woken, self._look_at
        idle = self._known.keys() - self._running
        return sorted(idle, key=lambda name: (name not in woken, look_at[name], name))

    def _run(self, name: str) -> None:
        reconciler = self._known[name]
        began = clock.monotonic()
        try:
            reconciler.run(self._tools)
        except Exception:
            LOG.exception("reconciler %s failed; it runs again in %s s", name, reconciler.every_s)
        finally:
            due_at = clock.timestamp() + reconciler.every_s
            self._look_at[name] = due_at
            try:
                self._db.write(_release, name, self._name, due_at)
            finally:
                self._running.discard(name)
        LOG.debug("reconciler %s: %.3f s", name, clock.monotonic() - began)


def _take(tx: Tx, name: str, owner: str, now: float, *, woken: bool) -> float | None:
    """Lease a reconciler; return None, or when to look again."""
    free = sa.and_(c.name == name, c.lease_until <= now)
    due = free if woken else sa.and_(free, c.due_at <= now)
    lease = sa.update(tables.reconciler).values(owner=owner, lease_until=now + leases.LEASE_S)
    if tx.execute(lease.where(due)).rowcount:
        return None
    insert_absent(tx, tables.reconciler, name=name, due_at=0.0, lease_until=0.0)
    if tx.execute(lease.where(due)).rowcount:
        return None
    row = tx.execute(sa.select(c.due_at, c.lease_until).where(c.name == name)).one()
    return float(max(row.due_at, row.lease_until))


def _renew(tx: Tx, names: list[str], owner: str) -> None:
    mine = sa.update(tables.reconciler).where(c.owner == owner, c.name.in_(names))
    tx.execute(mine.values(lease_until=clock.timestamp() + leases.LEASE_S))


def _release(tx: Tx, name: str, owner: str, due_at: float) -> None:
    mine = sa.update(tables.reconciler).where(c.name == name, c.owner == owner)
    tx.execute(mine.values(owner=None, lease_until=0.0, due_at=due_at))


def _owners(tx: Tx) -> list[str]:
    return list(tx.scalars(sa.select(c.owner).where(c.owner.is_not(None)).distinct()))


def _adopt(tx: Tx, dead: list[str]) -> None:
    freed = sa.update(tables.reconciler).where(c.owner.in_(dead))
    tx.execute(freed.values(owner=None, lease_until=0.0))
