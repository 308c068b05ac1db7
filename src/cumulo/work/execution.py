"""One run, carried forward step by step, or back."""

import logging
import threading
from typing import Any

import msgspec

from cumulo.db import Database, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Unavailable
from cumulo.kit.ids import random_bytes
from cumulo.work import runs
from cumulo.work.runs import CANCELLED, LostLease, RunRow
from cumulo.work.workflow import Failure, Run, Step, StepLog, Workflow, Write

LOG = logging.getLogger(__name__)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0


def carry_on(
    workflow: Workflow[Any, Any],
    row: RunRow,
    db: Database,
    tools: Any,
    stopping: threading.Event,
) -> None:
    """Take a run as far as it goes: to its end, to a wait, or to the end of this process.

    Raise LostLease when somebody else took the run meanwhile.
    """
    passage = _Passage(workflow, row, db, tools)
    try:
        if row.state == "running":
            passage.forward(stopping)
        if passage.row.state == "unwinding":
            passage.back(stopping)
    except LostLease:
        raise
    except Unavailable as error:
        passage.wait(error.message)
    except Exception as error:
        LOG.exception("run %s (%s) could not be undone; it is tried again", row.id, row.kind)
        passage.wait(f"{type(error).__name__}: {error}")


class _Passage:
    """What `carry_on` knows while it goes."""

    def __init__(self, workflow: Workflow[Any, Any], row: RunRow, db: Database, tools: Any) -> None:
        self.workflow, self.row, self.db = workflow, row, db
        params = msgspec.json.decode(row.params, type=workflow.params)
        run: Run[Any, Any] = Run(row.id, params, db, tools)
        run.subject, run.error = row.subject, row.error
        run.request_id, run.user_id, run.project_id = row.request_id, row.user_id, row.project_id
        run.results = {log.name: log.result for log in row.log if log.state != "failed"}
        run.is_cancelled = lambda: not db.read(runs.is_wanted, self.row)
        self.run = run

    def forward(self, stopping: threading.Event) -> None:
        """Do the steps that are not done."""
        todo = self.workflow.steps[len(self.row.log) :]
        if self.row.cancelled:
            # Never taken before: no step can have begun.  Else the next one may have.
            self._turn_back(CANCELLED, todo[0] if todo and self.row.fence > 1 else None)
            return
        for step in todo:
            if stopping.is_set():
                self.db.write(runs.run_release, self.row, after_s=0.0, waits_for=None)
                return
            if not self._step(step):
                return
        if not todo:
            self._finish()

    def back(self, stopping: threading.Event) -> None:
        """Undo what was done, last first, and tell whoever asked."""
        steps = {step.name: step for step in self.workflow.steps}
        for index in reversed(range(len(self.row.log))):
            log = self.row.log[index]
            undo = steps[log.name].undo
            if log.state == "undone" or undo is None:
                continue
            if stopping.is_set():
                self.db.write(runs.run_release, self.row, after_s=0.0, waits_for=None)
                return
            undo(self.run)
            undone = msgspec.structs.replace(log, state="undone", undone_at=clock.timestamp())
            changed = [*self.row.log[:index], undone, *self.row.log[index + 1 :]]
            self._note(changed)
            self.db.write(runs.step_undone, self.row, changed)
        if self.workflow.failed:
            self.workflow.failed(self.run)
        self.db.write(runs.run_undone, self.row)
        LOG.info("run %s (%s) is undone: %s", self.row.id, self.row.kind, self.run.error)

    def wait(self, reason: str) -> None:
        """Give the run back for a while, longer each time and never all at once."""
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self.row.attempts, 16))
        after_s = longest * (0.5 + int.from_bytes(random_bytes(2)) / 2**17)
        LOG.info("run %s (%s) waits %.1f s: %s", self.row.id, self.row.kind, after_s, reason)
        self.db.write(runs.run_release, self.row, after_s=after_s, waits_for=reason)

    def _step(self, step: Step[Any, Any]) -> bool:
        """Do one step and record it; return whether to go on."""
        started, written, result = clock.timestamp(), None, None
        try:
            if isinstance(step, Write):
                written = self.db.write(self._written, step, started)
            else:
                result = step.do(self.run)
        except (Unavailable, LostLease):
            raise
        except Exception as error:
            if self.run.cancelled():
                self._turn_back(CANCELLED, step, started)
            else:
                LOG.exception("run %s (%s) failed in %s", self.row.id, self.row.kind, step.name)
                self._turn_back(_failure(error, step.name), step, started)
            return False
        log, goes_on = written or self.db.write(self._recorded, step.name, started, result)
        self.run.results[step.name] = log[-1].result
        self._note(log)
        if not goes_on:
            self._note(log, "unwinding", CANCELLED)
        return goes_on

    def _written(self, tx: Tx, step: Write[Any, Any], started: float) -> tuple[list[StepLog], bool]:
        return self._recorded(tx, step.name, started, step.work(tx, self.run))

    def _recorded(
        self, tx: Tx, name: str, started: float, result: object
    ) -> tuple[list[StepLog], bool]:
        """Record a step as done; return the log so far and whether to go on."""
        ended, attempts = clock.timestamp(), self.row.attempts + 1
        done = StepLog(name, "done", started, ended, attempts, msgspec.to_builtins(result))
        log = [*self.row.log, done]
        last = len(log) == len(self.workflow.steps)
        return log, runs.step_done(tx, self.row, log, last=last)

    def _finish(self) -> None:
        """End a run without steps left."""
        if not self.db.write(runs.step_done, self.row, self.row.log, last=True):
            self._note(self.row.log, "unwinding", CANCELLED)

    def _turn_back(
        self, error: Failure, begun: Step[Any, Any] | None, started: float | None = None
    ) -> None:
        now = clock.timestamp()
        log = self.row.log
        if begun:
            half = StepLog(begun.name, "failed", started or now, now, self.row.attempts + 1)
            log = [*log, half]
        self.db.write(runs.unwind, self.row, log, error)
        self._note(log, "unwinding", error)

    def _note(
        self, log: list[StepLog], state: str | None = None, error: Failure | None = None
    ) -> None:
        """Keep in step with what was just recorded."""
        self.row = msgspec.structs.replace(
            self.row,
            log=log,
            attempts=0,
            state=state or self.row.state,
            error=error or self.row.error,
        )
        self.run.error = self.row.error


def _failure(error: Exception, step: str) -> Failure:
    return Failure(type(error).__name__, str(error), step)
