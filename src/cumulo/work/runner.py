"""Starting workflows, and the worker that carries them on."""

import functools
import logging
import threading
import time
import uuid
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from cumulo.bus import Ear, LocalDoorbell
from cumulo.bus.doorbell import Doorbell
from cumulo.db import Database, Tx, ring_after_commit
from cumulo.kit import clock, processors
from cumulo.kit.errors import Unavailable
from cumulo.kit.ids import new_id
from cumulo.work import execution, leases, runs
from cumulo.work.workflow import Caller, Run, Workflow

LOG = logging.getLogger(__name__)
P = TypeVar("P", bound=msgspec.Struct)
T = TypeVar("T")
TOPIC = "work"
_POLL_S = 2.0


def start(
    tx: Tx,
    workflow: Workflow[P, T],
    params: P,
    *,
    subject: str = "",
    cancel: bool = False,
    ctx: Caller | None = None,
) -> str:
    """Record the wish to run `workflow`, in the transaction that made it necessary.

    Runs with the same `subject` go one after another in the order of their start.  `cancel` has
    the earlier ones that are not finished unwind first: their `failed` is told "Cancelled".
    Given a run as its `ctx`, from a step or `failed`, which may happen twice, it starts one run.
    """
    run_id = new_id()
    if isinstance(ctx, Run):
        run_id = _child_id(ctx, workflow.name, params)
        if runs.run_exists(tx, run_id):
            return run_id
    if cancel:
        runs.run_cancel(tx, subject)
    row = {
        "id": run_id,
        "kind": workflow.name,
        "params": msgspec.json.encode(params).decode(),
        "request_id": ctx.request_id if ctx else None,
        "user_id": ctx.user_id if ctx else None,
        "project_id": ctx.project_id if ctx else None,
    }
    runs.run_insert(tx, row, subject or None)
    ring_after_commit(tx, TOPIC)
    return run_id


def _child_id(parent: Run[Any, Any], kind: str, params: msgspec.Struct) -> str:
    told = msgspec.json.encode([kind, params], order="deterministic").decode()
    return str(uuid.uuid5(uuid.UUID(parent.id), told))


def wake(tx: Tx, subject: str) -> None:
    """Let a run of `subject` that waits after Unavailable try again now."""
    runs.run_wake(tx, subject)
    ring_after_commit(tx, TOPIC)


class Worker:
    """Takes runs that are due and carries them to their end."""

    def __init__(
        self,
        db: Database,
        workflows: Iterable[Workflow[Any, Any]],
        tools: Any,
        name: str = "",
        bell: Doorbell | None = None,
    ) -> None:
        self._db, self._tools, self.name = db, tools, name or leases.new_owner()
        self._known = {workflow.name: workflow for workflow in workflows}
        self._bell = bell or LocalDoorbell()
        self._active: set[str] = set()
        self._busy, self._counting = 0, threading.Lock()  # how many threads carry runs on
        self._taking = threading.Lock()  # two that look at once would want the same run
        self._renewed_at = clock.monotonic()
        self._stopping = threading.Event()

    def run_pending(self) -> int:
        """Carry on, in this thread, all that can be carried on now; return how many runs."""
        touched = 0
        while taken := self._take(1):
            for row in taken:
                self._carry_on(row)
            touched += len(taken)
        return touched

    def adopt_dead(self) -> int:
        """Free what dead processes of this host were carrying on; return how many runs.

        `serve` does so by itself, at its start and now and then.
        """
        dead = [owner for owner in self._db.read(runs.owners) if leases.is_dead(owner)]
        return self._db.write(runs.adopt, dead) if dead else 0

    def renew_leases(self) -> None:
        """Hold on to the runs being carried on, so that a step may take longer than a lease."""
        if active := list(self._active):
            self._db.write(runs.renew, self.name, active)
        self._renewed_at = clock.monotonic()

    def serve(
        self, threads: int = 8, stop: threading.Event | None = None, grace_s: float = 10.0
    ) -> None:
        """Carry runs on in up to `threads` threads until `stop` is set.

        Steps under way then have `grace_s` seconds to end; those that take longer are done again
        by whoever comes next.  Ring the bell for TOPIC after setting `stop` to be heard at once.
        """
        stop = stop or threading.Event()
        self._renewed_at = float("-inf")
        with self._bell.listen(TOPIC) as ear:
            while not stop.is_set():
                try:
                    wait_s = self._hand_out(threads, ear)
                except Exception:
                    LOG.exception("worker %s cannot look for work", self.name)
                    wait_s = _POLL_S
                ear.wait(wait_s)
            self._stopping.set()
            until = time.monotonic() + grace_s
            while self._busy and (left := until - time.monotonic()) > 0:
                ear.wait(left)

    def _hand_out(self, threads: int, ear: Ear) -> float:
        """Give each due run a thread; return for how many seconds to wait for a ring."""
        processors.join()
        if clock.monotonic() - self._renewed_at > leases.LEASE_S / 4:
            self.renew_leases()
            self.adopt_dead()
        with self._counting:
            free = threads - self._busy
        rows, due = self._look(free) if free else ([], None)
        for row in rows:
            with self._counting:
                self._busy += 1
            carry = functools.partial(self._carry_on_and_tell, row, ear)
            # A daemon, so that a step that hangs cannot keep the process from ending.
            threading.Thread(target=carry, name=f"work {row.kind}", daemon=True).start()
        if self._busy >= threads:
            return _POLL_S
        return _POLL_S if due is None else max(0.0, min(_POLL_S, due - clock.timestamp()))

    def _carry_on_and_tell(self, row: runs.RunRow, ear: Ear) -> None:
        """Carry a run on, then what is due next: while there is, nobody need be woken for it."""
        todo = [row]
        try:
            while todo:
                processors.join()
                self._carry_on(todo[0])
                todo = [] if self._stopping.is_set() else self._take(1)
        except Exception:
            LOG.exception("worker %s cannot look for more work", self.name)
        finally:
            with self._counting:
                self._busy -= 1
            ear.hear(TOPIC)

    def _look(self, limit: int) -> tuple[list[runs.RunRow], float | None]:
        """Take what is due; return it, and when the next will be."""
        kinds = list(self._known)

        def read(tx: Tx) -> tuple[list[runs.RunRow], float | None]:
            return runs.runs_due(tx, kinds, limit), runs.next_due(tx, kinds)

        with self._taking:
            due, next_due = self._db.read(read)
            return self._taken(due), next_due

    def _take(self, limit: int) -> list[runs.RunRow]:
        with self._taking:
            return self._taken(self._db.read(runs.runs_due, list(self._known), limit))

    def _taken(self, due: list[runs.RunRow]) -> list[runs.RunRow]:
        if not due:
            return []
        taken = self._db.write(runs.run_take, due, self.name)
        self._active.update(row.id for row in taken)
        return taken

    def _carry_on(self, row: runs.RunRow) -> None:
        began = time.monotonic()
        try:
            execution.carry_on(self._known[row.kind], row, self._db, self._tools, self._stopping)
        except runs.LostLease:
            LOG.warning("run %s (%s) was taken over by another worker", row.id, row.kind)
        except Unavailable:
            # The database itself is gone: the lease ends, and the run is taken up again.
            LOG.exception("run %s (%s) could not be recorded", row.id, row.kind)
        except Exception:
            LOG.exception("run %s (%s) broke the worker", row.id, row.kind)
        finally:
            self._active.discard(row.id)
        LOG.debug("run %s (%s): %.3f s", row.id, row.kind, time.monotonic() - began)
